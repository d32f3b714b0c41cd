import { join } from "node:path";

/** The project's folder. */
export const PROJECT = join(import.meta.dir, "../..");

/** A text file of the project, its path relative to the project's folder. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Files that git knows or would add, in order; a file deleted from the tree but not yet from the index is left out. */
export async function projectFiles(...folders: readonly string[]): Promise<readonly SourceFile[]> {
  const command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ...folders];
  const listing = await Bun.$`${command}`.cwd(PROJECT).text();
  const paths = [...new Set(listing.split("\0").filter((path) => path !== ""))].sort();
  const files = await Promise.all(paths.map(readIfPresent));
  return files.filter((file) => file !== null);
}

async function readIfPresent(path: string): Promise<SourceFile | null> {
  const file = Bun.file(join(PROJECT, path));
  return (await file.exists()) ? { path, text: await file.text() } : null;
}

/** The TypeScript among some files. */
export function typescriptOf(files: readonly SourceFile[]): readonly SourceFile[] {
  return files.filter(({ path }) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
}
