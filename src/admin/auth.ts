import { createHash, timingSafeEqual } from "node:crypto";
import type { AdminToken } from "../config/types.ts";

/** Who asks, or why nobody is let in: `missing` without a token, `invalid` with one that is none of ours. */
export type Asker = { readonly name: string; readonly role: AdminToken["role"] } | "missing" | "invalid";

/** RFC 6750 2.1; the scheme's case does not matter (RFC 9110 11.1). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

interface Known {
  readonly name: string;
  readonly role: AdminToken["role"];
  readonly digest: Buffer;
}

/** Reads the Authorization field, null for none. How long that takes says nothing about the tokens. */
export function createAuth(tokens: readonly AdminToken[]): (authorization: string | null) => Asker {
  const known: readonly Known[] = tokens.map(({ name, role, hashedToken }) => ({
    name,
    role,
    digest: Buffer.from(hashedToken, "hex"),
  }));
  return (authorization) => {
    if (authorization === null) return "missing";
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return "invalid";
    const digest = createHash("sha256").update(token).digest();
    // All are compared, whichever it is.
    const [found] = known.filter((one) => timingSafeEqual(one.digest, digest));
    return found === undefined ? "invalid" : { name: found.name, role: found.role };
  };
}
