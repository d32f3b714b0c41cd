import type { HeaderList } from "../header-list.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";

/** Fields that no message of HTTP/2 may have (RFC 9113 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
]);

/** Adds a list's fields to the block under way, in their order, but for those of these names. */
export function encodeList(encoder: HpackEncoder, list: HeaderList, dropped = OF_CONNECTION): void {
  const { names } = list;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? "";
    if (!dropped.has(name)) encoder.field(name, list.valueAt(i));
  }
}
