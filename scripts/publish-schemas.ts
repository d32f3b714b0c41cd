import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { builtIns } from "../plugins/index.ts";
import { schemaFiles } from "../src/config/json-schema.ts";

/** Writes the schema files into a folder, which is made when it is missing. */
export async function publishSchemas(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, text } of schemaFiles(builtIns)) await writeFile(join(folder, name), text);
}

if (import.meta.main) await publishSchemas(join(import.meta.dir, "../schemas"));
