import { type Address, connect, type RawClient } from "../support/client.ts";
import { parseResponse, type ResponseMessage } from "../support/message.ts";
import type { Seen } from "../support/upstream.ts";
import type { Expectation, Row } from "./cases/row.ts";

/** What came of a row. */
export interface Verdict {
  /** In order, 1xx included; the last one may be incomplete. */
  readonly answers: readonly ResponseMessage[];
  readonly isClosed: boolean;
  /** Something was said before the request was whole. */
  readonly isEarly: boolean;
}

const ANSWER_MS = 3000;
// How long to look for answers and closes that must not, or must, follow.
const SETTLE_MS = 250;

function answersIn(client: RawClient, method: string): ResponseMessage[] {
  const answers: ResponseMessage[] = [];
  let rest = client.peer.received;
  while (rest.length > 0) {
    const isFirst = answers.every(({ status }) => status < 200);
    const answer = parseResponse(rest, { method: isFirst ? method : "GET", hasEnded: client.peer.state !== "open" });
    if (answer === null)
      throw new Error(`bytes that are no response: ${JSON.stringify(rest.toString("latin1", 0, 200))}`);
    answers.push(answer);
    rest = rest.subarray(answer.length);
  }
  return answers;
}

function hasFinal(client: RawClient, method: string): boolean {
  const answer = parseResponse(client.peer.received, { method });
  return answer?.isComplete ?? false;
}

async function settle(client: RawClient): Promise<void> {
  await client.peer.until(() => client.peer.state !== "open", "the close", SETTLE_MS).catch(() => {});
}

/** Sends a row's bytes on a connection of its own and collects what comes back. */
export async function run(to: Address, { bytes, expect, pace, halfCloses }: Row): Promise<Verdict> {
  using client = await connect(to);
  const method = bytes.trimStart().split(" ", 1)[0] ?? "";
  const sending =
    pace === "bytewise"
      ? client.peer.sendSplit(
          bytes,
          Array.from(bytes, (_, at) => at),
        )
      : client.send(bytes);
  // A server may refuse before everything is sent; that is seen in the answers.
  await Promise.race([sending.catch(() => {}), client.peer.ending(ANSWER_MS).catch(() => {})]);
  if (halfCloses) client.peer.endSending();
  let isEarly = false;
  if (expect.verdict === "waits") {
    isEarly = !(await client.staysQuiet(SETTLE_MS));
    if (!isEarly && expect.rest !== undefined) await client.send(expect.rest);
  }
  if (expect.verdict !== "waits" || expect.rest !== undefined) {
    await client.peer
      .until(() => hasFinal(client, method) || client.peer.state !== "open", "an answer", ANSWER_MS)
      .catch(() => {});
  }
  await settle(client);
  return { answers: answersIn(client, method), isClosed: client.peer.state !== "open", isEarly };
}

function seenOf(answer: ResponseMessage): Seen | null {
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch {
    return null;
  }
}

function judgeServed(finals: readonly ResponseMessage[], expect: Expectation, isHead: boolean): string[] {
  const faults: string[] = [];
  const answers = expect.answers ?? 1;
  if (finals.length !== answers) faults.push(`${finals.length} answers, not ${answers}`);
  if (!finals.every(({ isComplete }) => isComplete)) faults.push("an answer is cut short");
  const seen = finals.map(seenOf);
  const first = seen[0];
  if (expect.saw === undefined || isHead) return faults;
  if (first === null || first === undefined) return [...faults, "the service did not answer itself"];
  const { header, paths, ...plain } = expect.saw;
  const actual: Record<string, unknown> = { ...first, host: first.host?.replace(/:\d+$/, "") };
  for (const [key, wanted] of Object.entries(plain)) {
    if (actual[key] !== wanted)
      faults.push(`the service saw ${key} ${JSON.stringify(actual[key])}, not ${JSON.stringify(wanted)}`);
  }
  if (header !== undefined && first.headers[header[0]] !== header[1])
    faults.push(`the service saw ${header[0]}: ${first.headers[header[0]]}`);
  const all = seen.map((one) => one?.path);
  if (paths !== undefined && all.join() !== paths.join()) faults.push(`the service saw the paths ${all.join()}`);
  return faults;
}

function judgeRefused(finals: readonly ResponseMessage[], { isClosed }: Verdict, expect: Expectation): string[] {
  const faults: string[] = [];
  const [first] = finals;
  const statuses = "statuses" in expect ? expect.statuses : undefined;
  if (first === undefined && !expect.mayLoseAnswer) faults.push("closed without an answer");
  if (first !== undefined && statuses && !statuses.includes(first.status))
    faults.push(`refused with ${first.status}, not ${statuses.join(" or ")}`);
  if (expect.closes && !isClosed) faults.push("the connection was left open");
  if (finals.length > 1) faults.push("more answers after a refusal");
  return faults;
}

function judgeSilence(verdict: Verdict, finals: readonly ResponseMessage[], expect: Expectation): string[] {
  if (verdict.isEarly) {
    const mayRefuse = "statuses" in expect && finals[0] !== undefined && expect.statuses?.includes(finals[0].status);
    return mayRefuse ? judgeRefused(finals, verdict, expect) : ["answered before the request was whole"];
  }
  return expect.verdict === "waits" && expect.rest !== undefined ? judgeServed(finals, expect, false) : [];
}

/** Everything that is wrong with what came of a row; empty when it is as it must be. */
export function judge({ bytes, expect }: Row, verdict: Verdict): readonly string[] {
  const finals = verdict.answers.filter(({ status }) => status >= 200);
  const faults: string[] = [];
  if (verdict.answers.some(({ status }) => status === expect.not)) faults.push(`answered ${expect.not}`);
  const served = finals.filter(({ status }) => status < 400);
  const isReached = served.some((answer) => seenOf(answer)?.path === "/smuggled");
  if (expect.hides && (isReached || served.length > 1)) faults.push("the hidden request was served");
  if (expect.verdict === "waits") return [...faults, ...judgeSilence(verdict, finals, expect)];
  const isServed = served.length > 0 && served[0] === finals[0];
  const isRefused = !isServed && (finals.length > 0 || verdict.isClosed);
  if (!isServed && !isRefused) return [...faults, "neither an answer nor a close"];
  if (isServed && expect.verdict === "refused") return [...faults, "it was served"];
  if (isRefused && expect.verdict === "served")
    return [...faults, `it was refused with ${finals[0]?.status ?? "a close"}`];
  if (isServed) return [...faults, ...judgeServed(finals, expect, bytes.startsWith("HEAD "))];
  return [...faults, ...judgeRefused(finals, verdict, expect)];
}
