import * as z from "zod";
import { address, nameText, port, words } from "./scalars.ts";
import { hint } from "./wording.ts";

/** What a token allows: `viewer` to look, `editor` to change things too. */
export const ROLES = ["viewer", "editor"] as const;

const LEAST_CHARACTERS = 20;
/** Fewer than that, and it is a repeated or a counted-up text. */
const LEAST_DIFFERENT = 8;

const MADE = "make one with `openssl rand -hex 32`";

/** Why a text is no token, and what would be right; null for one that is. Never quotes the text. */
function tokenFault(token: string): string | null {
  // RFC 6750 2.1: what can stand in the Authorization field.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return `has characters other than letters, digits and -._~+/; ${MADE}`;
  if (token.length < LEAST_CHARACTERS) return `is shorter than ${LEAST_CHARACTERS} characters; ${MADE}`;
  if (new Set(token).size < LEAST_DIFFERENT) return `can be guessed: it has few different characters; ${MADE}`;
  return null;
}

const secret = z.string({ error: `is no text; ${MADE}` }).superRefine((token, context) => {
  const message = tokenFault(token);
  if (message !== null) context.addIssue({ code: "custom", message });
});

const token = z.strictObject({
  name: nameText("a token", "ops"),
  token: secret,
  role: words(ROLES, []),
});

const tokensHint = hint("a list of tokens", "at least one { name, token, role }, as nobody is let in without");

/** The `admin` part of `torii.yaml`. Without tokens nobody could be let in, so there is at least one. */
export const adminSchema = z.strictObject({
  address: address.default("127.0.0.1"),
  port: port.default(9901),
  tokens: z.array(token, { error: tokensHint }).min(1, { error: tokensHint }),
});

/** What `adminSchema` gives. */
export type AdminDocument = z.output<typeof adminSchema>;
