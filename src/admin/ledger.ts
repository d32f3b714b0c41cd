import type { Context } from "hono";
import { type LedgerAnswer, type LedgerAsk, type LedgerView, ledgerAdd, ledgerSet } from "./ledger-schema.ts";
import { NO_STORE, type Problem, problem } from "./problem.ts";

/** Where the counts of a quota's key are. */
export const LEDGER_PATH = "/v1/limits/:name/keys/:key";

/** No number of units takes more. */
const MOST_CHARACTERS = 1024;

const RAW = /^\/v1\/limits\/([^/]+)\/keys\/([^/]+)$/;

/** A correction that was made, for the audit log. */
export interface LedgerChange {
  /** The name of the token that made it. */
  readonly token: string;
  readonly name: string;
  readonly key: string;
  readonly before: number;
  readonly after: number;
}

export interface LedgerDeps {
  readonly ledger: (ask: LedgerAsk) => Promise<LedgerAnswer>;
  readonly onChange: (change: LedgerChange) => void;
}

/** The parts of the path as they came: a `+` between parts of a key is not one inside of them. */
function target(context: Context): Pick<LedgerAsk, "name" | "key" | "texts"> | null {
  const [, name = "", key = ""] = RAW.exec(new URL(context.req.url).pathname) ?? [];
  try {
    return {
      name: decodeURIComponent(name),
      key: decodeURIComponent(key),
      texts: key.split("+").map(decodeURIComponent),
    };
  } catch {
    return null;
  }
}

const PROBLEMS = {
  no_quota: { code: "not_found", title: "Not found", status: 404, detail: "No quota has that name." },
  other_limit: {
    code: "conflict",
    title: "Conflict",
    status: 409,
    detail: "That name is of a limit of another kind; what quotas count can be read and corrected.",
  },
  no_key: {
    code: "bad_request",
    title: "Bad request",
    status: 400,
    detail: "The quota has no such keys: write a value for each part of its by, with + between them.",
  },
  store_away: {
    code: "store_away",
    title: "Store away",
    status: 503,
    detail: "The store could not be asked; a change may have been made or not.",
  },
  silent: {
    code: "no_worker",
    title: "No worker answered",
    status: 503,
    detail: "No worker answered in time; a change may have been made or not.",
  },
} satisfies Record<string, Problem>;

/** What is used is what a change depends on. */
function tagOf({ used }: LedgerView): string {
  return `"${used}"`;
}

function shown(view: LedgerView, status: number): Response {
  const headers = { ...NO_STORE, "content-type": "application/json", "x-content-type-options": "nosniff" };
  return new Response(`${JSON.stringify(view)}\n`, { status, headers: { ...headers, etag: tagOf(view) } });
}

function answered(answer: LedgerAnswer): Response {
  if (answer.outcome === "found") return shown(answer.found, 200);
  if (answer.outcome === "changed") return shown(answer.after, 200);
  if (answer.outcome === "differs") return failed(answer.after);
  const facts = PROBLEMS[answer.outcome];
  return problem(facts, facts.status === 503 ? { "retry-after": "1" } : {});
}

function failed(now: LedgerView): Response {
  const detail = `What is used is no longer what If-Match says: it is ${now.used} now.`;
  const facts = { code: "precondition_failed", title: "Precondition failed", status: 412, detail, used: now.used };
  return problem(facts, { etag: tagOf(now) });
}

function bad(detail: string): Response {
  return problem({ code: "bad_request", title: "Bad request", status: 400, detail });
}

/** What must be used; null: whatever is. `absent` without the field, `other`: a tag that is none of ours. */
function expectedOf(context: Context): number | null | "absent" | "other" {
  const field = context.req.header("if-match");
  if (field === undefined) return "absent";
  if (field.trim() === "*") return null;
  const [, text] = /^"(\d{1,10}(?:\.\d{1,6})?)"$/.exec(field.trim()) ?? [];
  return text === undefined ? "other" : Number(text);
}

async function bodyOf(context: Context): Promise<unknown> {
  const text = await context.req.text();
  if (text.length > MOST_CHARACTERS) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function required(): Response {
  const detail = "To set what is used takes If-Match, with the ETag of what was read; or * whatever it is now.";
  return problem({ code: "precondition_required", title: "Precondition required", status: 428, detail });
}

/** Answers GET. */
export async function readLedger(context: Context, { ledger }: LedgerDeps): Promise<Response> {
  const of = target(context);
  if (of === null) return bad("The path holds an escape that is none.");
  return answered(await ledger({ ...of, change: null, expected: null }));
}

/** Answers PUT, which sets what is used, and PATCH, which adds to it. */
export async function changeLedger(context: Context, deps: LedgerDeps, token: string): Promise<Response> {
  const isSet = context.req.method === "PUT";
  const of = target(context);
  if (of === null) return bad("The path holds an escape that is none.");
  const change = (isSet ? ledgerSet : ledgerAdd).safeParse(await bodyOf(context)).data;
  if (change === undefined) return bad(`The body is none; write ${isSet ? '{ "used": 100 }' : '{ "add": -100 }'}.`);
  const expected = expectedOf(context);
  if (expected === "absent" && isSet) return required();
  if (expected === "other") return await mismatch(of, deps);
  const answer = await deps.ledger({ ...of, change, expected: expected === "absent" ? null : expected });
  if (answer.outcome === "changed") {
    const { before, after } = answer;
    deps.onChange({ token, name: of.name, key: of.key, before: before.used, after: after.used });
  }
  return answered(answer);
}

async function mismatch(of: Pick<LedgerAsk, "name" | "key" | "texts">, { ledger }: LedgerDeps): Promise<Response> {
  const answer = await ledger({ ...of, change: null, expected: null });
  return answer.outcome === "found" ? failed(answer.found) : answered(answer);
}
