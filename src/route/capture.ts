import type { Segment } from "./path-match.ts";

/** The first `count` segments of a raw path, as the client wrote them; "" for none. */
export function firstSegments(raw: string, count: number): string {
  let end = 0;
  for (let i = 0; i < count; i++) {
    const slash = raw.indexOf("/", end + 1);
    if (slash < 0) return raw;
    end = slash;
  }
  return raw.slice(0, end);
}

function decoded(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    // A route may allow malformed escapes; then the value is what the client sent.
    return segment;
  }
}

/** The decoded values of a pattern's parameters in a canonical path that it takes. */
export function paramsOf(segments: readonly Segment[], path: string): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  let start = 1;
  for (const segment of segments) {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    if ("param" in segment) params[segment.param] = decoded(path.slice(start, end));
    start = end + 1;
  }
  return params;
}

/** The number of segments in a canonical prefix. */
export function segmentCount(prefix: string): number {
  return prefix.split("/").length - 1;
}
