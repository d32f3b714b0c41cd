import type { StatusCode } from "hono/utils/http-status";
import * as z from "zod";
import { definePlugin } from "../src/plugin.ts";
import { headerMap } from "./support/fields.ts";

const options = z
  .strictObject({
    status: z.int().min(200, { error: "is no final status; write 200 to 599" }).max(599),
    headers: headerMap.optional(),
    body: z.string().optional(),
    json: z.unknown().optional(),
  })
  .refine(({ body, json }) => body === undefined || json === undefined, {
    error: "has two bodies; write body or json",
  });

const BODILESS = new Set([204, 205, 304]);

function bodyOf({ body, json, status }: z.output<typeof options>): string | null {
  if (BODILESS.has(status)) return null;
  return json === undefined ? (body ?? null) : JSON.stringify(json);
}

function headersOf(given: z.output<typeof options>): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(given.headers ?? {})) {
    for (const value of [values].flat()) headers.append(name, value);
  }
  const type = given.json === undefined ? "text/plain; charset=UTF-8" : "application/json";
  if (!headers.has("content-type") && bodyOf(given) !== null) headers.set("content-type", type);
  return headers;
}

/** Answers by itself: a status, headers, and a text or JSON. */
export default definePlugin({
  name: "respond",
  options,
  create: (given) => {
    const body = bodyOf(given);
    // The schema lets nothing pass but final statuses; Hono's type lists the known ones.
    const init = { status: given.status as StatusCode, headers: headersOf(given) };
    return (c) => c.newResponse(body, init);
  },
});
