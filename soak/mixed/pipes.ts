import { connect, type RawClient } from "../../test/support/client.ts";
import { connectTls } from "../../test/support/tls-client.ts";
import { type Actor, each, type Performance } from "./actor.ts";
import { type MixedEdge, ORIGIN_NAME } from "./edge.ts";
import { ask, expectSame, PATIENCE_MS } from "./http1.ts";
import { expectPattern, pattern } from "./pattern.ts";

async function echo(raw: RawClient, length: number): Promise<void> {
  await raw.send(pattern(length));
  expectPattern(await raw.peer.take(length, PATIENCE_MS), length);
}

async function halfClosed(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.pipe });
  await raw.send(pattern(200_000));
  raw.peer.endSending();
  expectPattern(await raw.peer.take(200_000, PATIENCE_MS), 200_000);
  expectSame("is a reset", (await raw.peer.ending(PATIENCE_MS)) === "reset", false);
}

async function reset(edge: MixedEdge): Promise<void> {
  using raw = await connect({ port: edge.ports.pipe });
  await echo(raw, 10_000);
  await raw.send(pattern(100_000));
}

async function kept(edge: MixedEdge): Promise<Performance> {
  const raw = await connect({ port: edge.ports.pipe });
  return { act: () => echo(raw, 2000), close: () => raw.close() };
}

/** TLS all the way to the service. */
async function named(edge: MixedEdge): Promise<void> {
  using client = await connectTls({ port: edge.ports.names }, { name: ORIGIN_NAME });
  expectSame("name in the certificate", client.certificate.subjectAltName, `DNS:${ORIGIN_NAME}`);
  await ask(client.raw, "/h1/text/through");
}

async function unknownName(edge: MixedEdge): Promise<void> {
  const outcome = await connectTls({ port: edge.ports.names }, { name: "nobody.test" }).then(
    (client) => {
      client[Symbol.dispose]();
      return "connected";
    },
    () => "refused",
  );
  expectSame("a name that nobody has", outcome, "refused");
}

/** What passes as bytes. */
export const PIPE_ACTORS: readonly Actor[] = [
  { name: "pipe that stays", everyMs: 100, performers: 4, start: kept },
  { name: "pipe half-closed", everyMs: 400, start: each(halfClosed) },
  { name: "pipe reset", everyMs: 400, start: each(reset) },
  { name: "TLS passed through", everyMs: 400, start: each(named) },
  { name: "TLS to a name that nobody has", everyMs: 1000, start: each(unknownName) },
];
