import { resolve } from "node:path";
import * as z from "zod";
import { hint } from "./wording.ts";

const stateHint = hint("a folder for what is kept over restarts", "the path of a folder, or null to keep nothing");

/** The folder of what is kept over restarts; null for none. */
export const stateSchema = z
  .union([z.null(), z.string({ error: stateHint }).min(1, { error: stateHint })], {
    error: stateHint,
  })
  .optional();

const OWN_FOLDER = ".torii";

/**
 * The folder that is written, relative to `folder`; unless it is, the first of `STATE_DIRECTORY`, which systemd sets,
 * and `.torii` without that. Null: nothing is kept.
 */
export function stateFolder(
  written: z.output<typeof stateSchema>,
  at: { readonly folder: string; readonly env: Readonly<Record<string, string | undefined>> },
): string | null {
  if (written === null) return null;
  const [given = ""] = (at.env["STATE_DIRECTORY"] ?? "").split(":");
  return resolve(at.folder, written ?? (given === "" ? OWN_FOLDER : given));
}
