import * as z from "zod";
import { adminSchema } from "../config/admin-schema.ts";
import { checkPart } from "../config/check.ts";
import type { ConfigDocument } from "../config/document.ts";
import { pathKey } from "../config/path.ts";
import { type CommandContext, UsageError } from "./command.ts";
import { isRecord, readOwnFile, topValue } from "./config-part.ts";
import { sideOrigin } from "./origin.ts";

/** Where a gateway's admin API is, and what opens it. */
export interface AdminPlace {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** Where the token comes from, for messages. */
  readonly tokenFrom: string;
}

/** The arguments of every command that asks a running gateway. */
export const ADMIN_ARGUMENTS = {
  admin: { type: "string" },
  token: { type: "string" },
  config: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** How these arguments are shown. */
export const ADMIN_USAGE = "[--admin URL] [--token TOKEN] [--config torii.yaml] [--json]";

export interface AdminArguments {
  readonly admin?: string | undefined;
  readonly token?: string | undefined;
  readonly config?: string | undefined;
}

/** Where the admin API and its tokens stand in a file; what else is wrong there is no matter. */
const addressSchema = z.object({ address: adminSchema.shape.address, port: adminSchema.shape.port });

/** By the arguments, then by the environment, then by the gateway's own file. Throws when something is missing. */
export function adminPlace(given: AdminArguments, { cwd, env }: Pick<CommandContext, "cwd" | "env">): AdminPlace {
  const token = givenToken(given, env["TORII_ADMIN_TOKEN"]);
  if (given.admin !== undefined) return namedPlace(given.admin, token);
  const document = readOwnFile({ file: given.config ?? null, cwd, env });
  const admin = topValue(document, "admin");
  if (admin === undefined || admin === null)
    throw new Error(`${document.file} configures no admin API; add admin to it, or name a gateway with --admin URL`);
  const checked = checkPart(addressSchema, admin, { document, path: ["admin"] });
  if (!checked.isValid) throw new Error(`${document.file} admin: ${checked.faults[0]?.message ?? "is not valid"}`);
  const { address, port } = checked.data;
  return { url: sideOrigin(address, port), ...(token ?? fileToken(admin, document)) };
}

type Token = Pick<AdminPlace, "token" | "tokenFrom">;

function givenToken({ token }: AdminArguments, fromEnv: string | undefined): Token | null {
  if (token !== undefined) return { token, tokenFrom: "--token" };
  return fromEnv === undefined || fromEnv === "" ? null : { token: fromEnv, tokenFrom: "TORII_ADMIN_TOKEN" };
}

/** The file's tokens are for the file's gateway: no other one gets them. */
function namedPlace(text: string, token: Token | null): AdminPlace {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.pathname !== "/" || url.search !== "")
    throw new UsageError(`--admin ${JSON.stringify(text)} is no address; write one such as http://127.0.0.1:9901`);
  if (token === null) throw new UsageError("--admin needs a token; set TORII_ADMIN_TOKEN, or give --token");
  return { url: url.origin, ...token };
}

/** The first one that can be read here: each role may look. */
function fileToken(admin: unknown, { file, unfilled }: ConfigDocument): Token {
  const tokens = isRecord(admin) && Array.isArray(admin["tokens"]) ? admin["tokens"] : [];
  for (const [index, entry] of tokens.entries()) {
    const token: unknown = isRecord(entry) ? entry["token"] : undefined;
    if (typeof token === "string" && token !== "" && !unfilled.has(pathKey(["admin", "tokens", index, "token"])))
      return { token, tokenFrom: `admin.tokens[${index}] of ${file}` };
  }
  throw new Error(`${file} has no token of admin that can be read here; set TORII_ADMIN_TOKEN, or give --token`);
}
