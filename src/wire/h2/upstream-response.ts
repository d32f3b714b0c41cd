import { STATUS_CODES } from "node:http";
import type { ResponseHead } from "../exchange.ts";
import { parseLength } from "../fields.ts";
import type { FieldSection, RegularFields } from "./stream-fields.ts";

/** The response's head as HTTP/1.1 would say it. */
export function responseHead({ status, regular }: FieldSection): ResponseHead {
  return { status, reason: STATUS_CODES[status] ?? "", headers: regular.list() };
}

/** The Content-Length that a head says: -1 for none, NaN when it says no number, or two different ones. */
export function announcedLength(fields: RegularFields): number {
  const known = LENGTHS.get(fields);
  if (known !== undefined) return known;
  const length = readLength(fields);
  LENGTHS.set(fields, length);
  return length;
}

// Equal heads share their fields.
const LENGTHS = new WeakMap<RegularFields, number>();

function readLength({ names, values }: RegularFields): number {
  let length = -1;
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== "content-length") continue;
    const told = parseLength(values[i] ?? "");
    if (told < 0 || (length >= 0 && told !== length)) return Number.NaN;
    length = told;
  }
  return length;
}
