/** A problem by RFC 9457; `code` becomes the last part of its type. What is beyond is added as it is. */
export interface Problem {
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly [more: string]: unknown;
}

/** What no cache may keep, as it is of this moment. */
export const NO_STORE = { "cache-control": "no-store" } as const;

/** The response that tells a problem. */
export function problem({ code, ...facts }: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify({ type: `urn:torii:problem:${code}`, ...facts })}\n`, {
    status: facts.status,
    headers: { "content-type": "application/problem+json", ...NO_STORE, ...headers },
  });
}
