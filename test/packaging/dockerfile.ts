/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  /** In capitals, such as `COPY`. */
  readonly word: string;
  readonly rest: string;
}

/** What stands between one FROM and the next. */
export interface Stage {
  readonly base: string;
  /** The name after AS, or the stage's number. */
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

function instructionsOf(text: string): readonly Instruction[] {
  const code = text.replace(/^[ \t]*#.*\n?/gm, "").replace(/\\\n/g, " ");
  return code.split("\n").flatMap((line) => {
    const [, word, rest] = /^\s*([A-Za-z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    return word === undefined || rest === undefined ? [] : [{ word: word.toUpperCase(), rest }];
  });
}

/** Reads a Dockerfile's stages in order. Here-documents, ARG and escapes other than `\` are not understood. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { base: string; name: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.word === "FROM") {
      const [base = "", , name = String(stages.length)] = instruction.rest.split(/\s+/);
      stages.push({ base, name, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error(`${instruction.word} stands before the first FROM`);
    stage.instructions.push(instruction);
  }
  return stages;
}

/** The last instruction with that word; throws when the stage has none. */
export function lastOf(stage: Stage, word: string): string {
  const found = stage.instructions.findLast((instruction) => instruction.word === word);
  if (found === undefined) throw new Error(`the Dockerfile has no ${word}`);
  return found.rest;
}

/** The words of an instruction in exec form, such as `["run", "--demo"]`; throws on the shell form. */
export function execWords(rest: string): readonly string[] {
  const words: unknown = JSON.parse(rest);
  if (!Array.isArray(words)) throw new Error(`not in exec form: ${rest}`);
  return words.map(String);
}
