import { isIP } from "node:net";
import * as z from "zod";
import { compileRegex } from "../regex.ts";
import { parseHostname } from "../route/hostname.ts";
import { hint, NOT_BUILT, quote } from "./wording.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
// A timer cannot wait longer than 2^31 - 1 ms.
const LONGEST_MS = 24 * 24 * 3_600_000;

const durationHint = hint("a duration", "for example 250ms, 5s, 1m");
const sizeHint = hint("a size", "for example 16KiB, 10MiB, or a number of bytes");

function millisecondsOf(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) total += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  return total;
}

function bytesOf(text: string): number {
  const parts = /^(\d+)(\D*)$/.exec(text);
  return Number(parts?.[1]) * (UNIT_BYTES[parts?.[2] ?? ""] ?? 1);
}

/** `250ms`, `5s`, `1m`, `24h`, or several in a row (`1m30s`, GEP-2257), as milliseconds. */
export const durationMs = z
  .string({ error: durationHint })
  .regex(/^(\d{1,9}(ms|s|m|h)){1,4}$/, { error: durationHint })
  .transform(millisecondsOf)
  .refine((ms) => ms <= LONGEST_MS, { error: "is longer than 24 days; write a shorter duration" });

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LONGEST_AGE_SECONDS = 10 * 366 * 86_400;
const ageHint = hint("an age", "for example 365d or 24h");

function secondsOf(text: string): number {
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(s|m|h|d)/g))
    total += Number(count) * (UNIT_SECONDS[unit ?? ""] ?? 0);
  return total;
}

/** `365d`, `24h`, or several in a row, as seconds: for what others remember, so no timer bounds it. */
export const ageSeconds = z
  .string({ error: ageHint })
  .regex(/^(\d{1,9}(s|m|h|d)){1,4}$/, { error: ageHint })
  .transform(secondsOf)
  .refine((seconds) => seconds <= LONGEST_AGE_SECONDS, { error: "is longer than ten years; write a shorter age" });

/** `16KiB`, `10MiB`, or a whole number, as bytes. */
export const sizeBytes = z
  .union(
    [
      z.int({ error: sizeHint }).min(0, { error: sizeHint }),
      z
        .string({ error: sizeHint })
        .regex(/^\d{1,12}(B|KiB|MiB|GiB)?$/, { error: sizeHint })
        .transform(bytesOf),
    ],
    { error: sizeHint },
  )
  .refine((bytes) => Number.isSafeInteger(bytes), { error: "is too great; write a smaller size" });

const percentHint = hint("a share", "for example 50%, from 0% to 100%");

/** `50%` as 50; 0 to 100. */
export const percent = z
  .string({ error: percentHint })
  .regex(/^(?:100|\d{1,2})%$/, { error: percentHint })
  .transform((text) => Number(text.slice(0, -1)));

/** A whole number of things, at least one. */
export function count(example: number): z.ZodInt {
  const error = hint("a whole number from 1", `for example ${example}`);
  return z.int({ error }).min(1, { error }).max(1_000_000_000, { error });
}

const portHint = hint("a port", "a whole number from 1 to 65535, or 0 for any free port");
export const port = z.int({ error: portHint }).min(0, { error: portHint }).max(65535, { error: portHint });

/** A port that one connects or redirects to: 0 makes no sense there. */
const targetPortHint = hint("a port", "a whole number from 1 to 65535");
export const targetPort = z
  .int({ error: targetPortHint })
  .min(1, { error: targetPortHint })
  .max(65535, { error: targetPortHint });

/** A name of a listener, a service or an endpoint. */
export function nameText(what: string, example: string): z.ZodString {
  const error = hint(`a name of ${what}`, `letters, digits, ".", "_" and "-", for example ${example}`);
  return z.string({ error }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, { error });
}

const routeHint = hint("a name of a route", 'letters, digits, ".", "_", "-" and "/", for example catalog');
export const routeName = z
  .string({ error: routeHint })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/, { error: routeHint });

/** Refuses what a parser throws at, in the parser's own words. */
export function accepted<Value>(parse: (value: Value) => unknown): (context: z.core.ParsePayload<Value>) => void {
  return (context) => {
    try {
      parse(context.value);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.issues.push({ code: "custom", input: context.value, message });
    }
  };
}

const hostHint = hint("a hostname", "for example shop.example.com or *.example.com, without a port");

/** An exact host or `*.suffix`, in lower case. */
export const hostname = z
  .string({ error: hostHint })
  .check(accepted(parseHostname))
  .transform((text) => text.toLowerCase());

const addressHint = hint("an address to listen on", "an IP address such as 0.0.0.0 or ::1");
export const address = z
  .string({ error: addressHint })
  .refine((text) => isIP(text) !== 0 || text === "localhost", { error: addressHint });

function isBlock(text: string): boolean {
  const [base = "", bits, ...more] = text.split("/");
  const family = isIP(base);
  if (family === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

const blockHint = hint("an address block", "for example 10.0.0.0/8, 192.0.2.7 or fd00::/8");
export const addressBlock = z.string({ error: blockHint }).refine(isBlock, { error: blockHint });

const pathHint = hint("a path", "the path of a file or folder");
export const filePath = z.string({ error: pathHint }).min(1, { error: pathHint });

/** What is given as the path of a PEM file, or as the PEM text itself. */
export function pemSource(what: string): z.ZodString {
  const error = hint(what, "the path of a PEM file, or the PEM text itself");
  return z.string({ error }).regex(/\S/, { error });
}

const headerHint = hint("a header name", "for example x-beta");
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
export const headerName = z.string({ error: headerHint }).regex(TOKEN, { error: headerHint });

const methodHint = hint("a method", "it in upper case, such as GET");
export const method = z.string({ error: methodHint }).regex(/^[A-Z][A-Z0-9_-]{0,31}$/, { error: methodHint });

/** The source of a regular expression in RE2's syntax. */
export const regexSource = z.string().check(accepted(compileRegex));

const HEADER_REGEX_HINT = "holds more than ASCII, which a header carries as several bytes; write an exact text instead";

/** Throws a SyntaxError for what is no regular expression, or could not match a header's bytes as it reads. */
export function checkHeaderRegex(source: string): void {
  compileRegex(source);
  if (/[^\0-\x7f]/.test(source)) throw new SyntaxError(`${quote(source)} ${HEADER_REGEX_HINT}`);
}

/** A header's value as the wire carries it: the UTF-8 bytes of the text, one character each. */
export function wireText(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** At the top of a file: where an editor finds its JSON Schema. Means nothing to the gateway. */
export const schemaAddress = z.string().optional();

/** A key that the documentation knows and this version does not. */
export const later = z.never({ error: NOT_BUILT }).optional().meta({ description: NOT_BUILT });

/** One of the built words; a known word of a later version is told apart from an unknown one. */
export function words<const Built extends readonly [string, ...string[]]>(
  built: Built,
  future: readonly string[],
): z.ZodEnum<{ [Word in Built[number]]: Word }> {
  const known = built.join(" or ");
  const error = (issue: { readonly input?: unknown }) =>
    typeof issue.input === "string" && future.includes(issue.input)
      ? `${quote(issue.input)} ${NOT_BUILT}; write ${known}`
      : hint("known here", known)(issue);
  return z.enum(built, { error });
}
