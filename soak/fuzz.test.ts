import { describe, expect, test } from "bun:test";
import { type Address, connect, type RawClient } from "../test/support/client.ts";
import { get } from "../test/support/forward.ts";
import { parseResponse, type ResponseMessage } from "../test/support/message.ts";
import { type Seen, startEcho, startUpstream } from "../test/support/upstream.ts";
import { catchAll, startProxy } from "../test/support.ts";
import { startSoakGateway } from "./gateway.ts";
import { cuts, mutate, seeded } from "./random.ts";

const SEED = Number(process.env["SOAK_SEED"] ?? 1);
const CASES = Number(process.env["SOAK_CASES"] ?? 20_000);
const AT_ONCE = 24;

const REQUESTS = [
  "GET /a/b?c=d HTTP/1.1\r\nHost: gw.test\r\nX-A: 1\r\nAccept: */*\r\n\r\n",
  "POST /p HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 5\r\n\r\nhello",
  "POST /c HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;e=f\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
  "GET /1 HTTP/1.1\r\nHost: gw.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: gw.test\r\n\r\n",
  "GET http://gw.test/x HTTP/1.0\r\nConnection: keep-alive, X-H\r\nX-H: 1\r\n\r\n",
  "GET /ws HTTP/1.1\r\nHost: gw.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
] as const;

const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nuntil close",
] as const;

/** What a client could tell of an answer; fields that differ from request to request are left out. */
function told(answer: ResponseMessage): string {
  if (answer.headers.some(([, value]) => value === "application/json")) {
    const { method, path, host, body, headers }: Seen = JSON.parse(answer.body.toString());
    const { "x-request-id": _, ...fields } = headers;
    return JSON.stringify([answer.status, method, path, host, body, fields]);
  }
  return answer.status >= 400
    ? String(answer.status)
    : `${answer.status} ${answer.isComplete} ${answer.body.toString("latin1")}`;
}

/** Waits until the connection has been silent for so long, or has ended. */
async function silence(client: RawClient, quietMs: number): Promise<void> {
  while (client.peer.state === "open" && !(await client.staysQuiet(quietMs))) {}
}

interface Attempt {
  readonly to: Address;
  readonly bytes: string;
  readonly offsets: readonly number[];
  readonly method: string;
}

/** Sends the bytes in these pieces and tells everything that was answered before silence. */
async function outcome({ to, bytes, offsets, method }: Attempt, quietMs: number): Promise<string> {
  using client = await connect(to);
  await client.peer.sendSplit(bytes, offsets);
  await silence(client, quietMs);
  const answers: string[] = [];
  for (let rest = client.peer.received; rest.length > 0; ) {
    const isFirst = answers.length === 0;
    const answer = parseResponse(rest, { method: isFirst ? method : "GET", hasEnded: client.peer.state !== "reset" });
    if (answer === null)
      return [...answers, `part of a head ${JSON.stringify(rest.toString("latin1").slice(0, 80))}`].join("\n");
    // Whether a 100 comes depends on how much of the body came with the head.
    if (answer.status !== 100) answers.push(told(answer));
    rest = rest.subarray(answer.length);
  }
  return answers.join("\n");
}

const QUIET_MS = [60, 500] as const;

/** Both outcomes of the same bytes, whole and cut; asked again with more patience when they differ. */
async function bothWays(whole: Attempt, cut: Attempt): Promise<readonly [string, string]> {
  let both: readonly [string, string] = ["", ""];
  for (const quietMs of QUIET_MS) {
    both = await Promise.all([outcome(whole, quietMs), outcome(cut, quietMs)]);
    if (both[0] === both[1]) break;
  }
  return both;
}

async function inParallel(run: (at: number) => Promise<string | null>): Promise<readonly string[]> {
  const faults: string[] = [];
  let next = 0;
  const worker = async () => {
    while (next < CASES && faults.length < 20) {
      const at = next++;
      const fault = await run(at).catch((error: unknown) => String(error));
      if (fault !== null) faults.push(`case ${at} of seed ${SEED}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return faults;
}

function methodOf(bytes: string): string {
  return bytes.trimStart().split(" ", 1)[0] ?? "";
}

describe(`random faults, seed ${SEED}`, () => {
  test("in requests give the same outcome however the bytes are cut into packets, and never a fault of the gateway", async () => {
    await using echo = startEcho();
    await using gateway = await startSoakGateway(catchAll(echo.url), {
      limits: { headerTimeout: "3s", idleTimeout: "3s" },
    });
    const faults = await inParallel(async (at) => {
      const random = seeded(SEED * 1_000_003 + at);
      const bytes = mutate(random.pick(REQUESTS), random);
      const offsets = cuts(bytes.length, random);
      const attempt = { to: gateway, bytes, method: methodOf(bytes) };
      const [whole, cut] = await bothWays({ ...attempt, offsets: [] }, { ...attempt, offsets });
      if (whole !== cut) return `${JSON.stringify(bytes)}\n whole: ${whole}\n cut at ${offsets}: ${cut}`;
      return /^50[0-4]/m.test(whole) && !/^501/m.test(whole) ? `${JSON.stringify(bytes)}: ${whole}` : null;
    });
    expect(faults).toEqual([]);
    // A script of the echo service that saw a malformed request rejects here.
    await echo.close();
  });

  test("in responses are passed on well formed, refused with 502 or broken off", async () => {
    const answers = new Map<string, { readonly bytes: string; readonly offsets: readonly number[] }>();
    await using upstream = startUpstream(async (connection) => {
      const { target } = await connection.request(600_000);
      const answer = answers.get(target);
      await connection.peer.sendSplit(answer?.bytes ?? "", answer?.offsets ?? []);
      connection.peer.endSending();
    });
    await using gateway = await startProxy(upstream.url, { service: { timeouts: { response: "3s", idle: "3s" } } });
    const faults = await inParallel(async (at) => {
      const random = seeded(SEED * 7_000_003 + at);
      const bytes = mutate(random.pick(RESPONSES), random);
      const offsets = cuts(bytes.length, random);
      answers.set(`/w${at}`, { bytes, offsets: [] }).set(`/c${at}`, { bytes, offsets });
      const ask = (target: string) => ({ to: gateway, bytes: get().replace("/r", target), offsets: [], method: "GET" });
      const [whole, cut] = await bothWays(ask(`/w${at}`), ask(`/c${at}`));
      answers.delete(`/w${at}`);
      answers.delete(`/c${at}`);
      const isSame =
        whole === cut || (/false/.test(whole) && /false|502/.test(cut)) || (/502/.test(whole) && /false/.test(cut));
      return isSame ? null : `${JSON.stringify(bytes)}\n whole: ${whole}\n cut at ${offsets}: ${cut}`;
    });
    expect(faults).toEqual([]);
  });
});
