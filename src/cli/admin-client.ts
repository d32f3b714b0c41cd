import type * as z from "zod";
import { problemView } from "../admin/schemas.ts";
import type { AdminPlace } from "./admin-place.ts";
import { printable } from "./table.ts";

/** Workers that are silent are waited for by the gateway itself, for less than that. */
const TIMEOUT_MS = 10_000;

/** What an admin API answered. */
export interface AdminAnswer<View> {
  /** As it came. */
  readonly json: unknown;
  /** The same as this version reads it. Throws an Error when it cannot. */
  view(): View;
}

export interface AdminQuestion<View> {
  readonly path: string;
  readonly schema: z.ZodType<View>;
  /** What a 404 means, in words; without it the gateway's own. */
  readonly absent?: string;
}

/** Asks an admin API. Rejects with an Error that says in words what is wrong. */
export async function askAdmin<View>(
  place: AdminPlace,
  { path, schema, absent }: AdminQuestion<View>,
): Promise<AdminAnswer<View>> {
  const response = await fetched(place, path);
  if (response.status !== 200) throw new Error(await refusal(response, place, absent));
  const json = await jsonOf(response);
  if (json === undefined)
    throw new Error(`${place.url} is no admin API: it answered ${path} with something else than JSON`);
  return {
    json,
    view() {
      const read = schema.safeParse(json);
      if (read.success) return read.data;
      throw new Error(`${place.url} answers as another version does; --json shows it as it is`);
    },
  };
}

async function fetched({ url, token }: AdminPlace, path: string): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      // A token must not follow to wherever somebody points.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`no gateway answers at ${url}: is it running, with admin configured? (${why})`, { cause: error });
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

async function refusal(response: Response, { url, tokenFrom }: AdminPlace, absent?: string): Promise<string> {
  const problem = problemView.safeParse(await jsonOf(response)).data;
  if (problem === undefined) return `${url} is no admin API: it answered ${response.status}`;
  const detail = printable(problem.detail);
  if (response.status === 401) return `${url} does not take the token from ${tokenFrom}: ${detail}`;
  if (response.status === 404 && absent !== undefined) return absent;
  return `${url} answered ${response.status}: ${detail}`;
}
