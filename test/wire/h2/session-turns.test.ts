import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { FrameWriter } from "../../../src/wire/h2/frame-writer.ts";
import { H2Session } from "../../../src/wire/h2/session.ts";
import { SessionBudget } from "../../../src/wire/h2/session-budget.ts";
import { SessionTurns } from "../../../src/wire/h2/session-turns.ts";
import { H2Stream } from "../../../src/wire/h2/stream.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { connect, type RawClient } from "../../support/client.ts";

/** A stream that does in its turns what it is told. */
class ScriptedStream extends H2Stream {
  onReady = (): void => {};

  headCame(): void {}
  dataCame(): void {}
  endCame(): void {}
  broken(): void {}
  sendEnded(): void {}
  sendWaits(): void {}
  override fire(): void {}

  sendReady(): void {
    this.onReady();
  }
}

interface Turns extends Disposable {
  readonly turns: SessionTurns;
  readonly client: RawClient;
  stream(id: number): ScriptedStream;
}

/** Turns of streams on a real connection. */
async function startTurns(): Promise<Turns> {
  const accepted = Promise.withResolvers<Socket<undefined>>();
  const server = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => accepted.resolve(socket), data() {} },
  });
  const client = await connect(server);
  const owner = { accept: () => stream(0), settingsCame() {}, going() {}, streamClosed() {}, closed() {} };
  const limits = { headerListBytes: 1000, maxStreams: 10, headMs: 0, idleMs: 0 };
  const session = new H2Session(await accepted.promise, { role: "server", owner, limits, wheel: new TimerWheel() });
  const stream = (id: number) => Object.assign(new ScriptedStream(session), { id });
  const turns = new SessionTurns({
    outlet: session.outlet,
    writer: new FrameWriter(session.outlet),
    budget: new SessionBudget(),
    sentAll() {},
    sendTrailers() {},
  });
  const close = () => {
    client.close();
    server.stop(true);
  };
  return { turns, client, stream, [Symbol.dispose]: close };
}

describe("the turns of a connection's streams", () => {
  test("go on after a stream that threw in its own", async () => {
    using connection = await startTurns();
    const { turns, client } = connection;
    const [bad, good] = [connection.stream(1), connection.stream(3)];
    bad.onReady = () => {
      throw new Error("its source is broken");
    };
    // Both wait for their windows, and have their turns when these open.
    for (const stream of [bad, good]) expect(turns.send(stream, Buffer.from("bytes"), false)).toBe(false);
    for (const stream of [bad, good]) turns.widenStream(stream, 100);
    expect(() => turns.run()).toThrow("its source is broken");
    turns.run();
    await client.peer.until(() => client.peer.receivedBytes === 2 * (9 + 5), "both frames");
    expect([bad, good].map(({ queue }) => queue.length)).toEqual([0, 0]);
  });
});
