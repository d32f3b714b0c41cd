import { exchange } from "../../test/support/client.ts";
import { type Actor, each, type Performance } from "./actor.ts";
import type { MixedEdge } from "./edge.ts";
import { expectSame, head, openTls } from "./http1.ts";

const CHANGE_TIMEOUT_MS = 15_000;
const DEAD_MS = 2000;

/** Asks until it is so; rejects with what it was last. */
async function becomes(what: string, read: () => Promise<string>, expected: string): Promise<void> {
  const deadlineAt = performance.now() + CHANGE_TIMEOUT_MS;
  for (let last = await read(); last !== expected; last = await read()) {
    if (performance.now() > deadlineAt) expectSame(what, last, expected);
    await Bun.sleep(50);
  }
}

function edits(edge: MixedEdge): Performance {
  let edit = 0;
  const live = async () => (await exchange({ port: edge.ports.http }, head("GET /edit"))).body.toString();
  return {
    async act() {
      await edge.edit(++edit);
      await becomes("the edit in force", live, String(edit));
    },
  };
}

async function newestSerial(edge: MixedEdge): Promise<string> {
  using client = await openTls(edge);
  return client.certificate.serialNumber;
}

function rotations(edge: MixedEdge): Performance {
  let rotation = 0;
  return {
    async act() {
      const serial = await edge.rotate(++rotation);
      await becomes("the certificate in force", () => newestSerial(edge), serial);
    },
  };
}

function deaths({ origins }: MixedEdge): Performance {
  return {
    async act() {
      await origins.mortal.die();
      await Bun.sleep(DEAD_MS);
      origins.mortal.live();
    },
    close: () => origins.mortal.live(),
  };
}

// What is refused or broken off here comes of the endpoint's death.
const OUTCOMES = new Set([200, 502, 503, 504]);

async function askMortal(edge: MixedEdge): Promise<void> {
  const { status, body } = await exchange({ port: edge.ports.http }, head("GET /mortal/text/alive"));
  if (!OUTCOMES.has(status)) expectSame("status", status, 200);
  if (status === 200) expectSame("body", body.toString(), "/mortal/text/alive");
}

/** What changes below the traffic. */
export const CHANGE_ACTORS: readonly Actor[] = [
  { name: "route file edited", everyMs: 4000, start: edits },
  { name: "certificates rotated", everyMs: 10_000, start: rotations },
  { name: "endpoint died and returned", everyMs: 8000, start: deaths },
  { name: "request to an endpoint that dies", everyMs: 50, performers: 2, start: each(askMortal) },
];
