import { type ClientHttp2Session, connect } from "node:http2";
import type { PoliteLoad } from "./support.ts";

/** A connection, until the other side tells to go. */
async function openSession(port: number): Promise<{ readonly session: ClientHttp2Session; isAway: boolean }> {
  const session = connect(`http://127.0.0.1:${port}`);
  const state = { session, isAway: false };
  const opened = Promise.withResolvers<void>();
  const leave = (): void => {
    state.isAway = true;
    opened.resolve();
  };
  session.on("goaway", leave).on("close", leave).on("error", leave).on("connect", opened.resolve);
  await opened.promise;
  return state;
}

function ask(session: ClientHttp2Session): Promise<void> {
  const answered = Promise.withResolvers<void>();
  const stream = session.request({ ":path": "/", ":authority": "a" });
  let status = 0;
  stream.on("response", (headers) => {
    status = headers[":status"] ?? 0;
  });
  stream.on("data", () => {});
  stream.on("end", () => (status === 200 ? answered.resolve() : answered.reject(new Error(`status ${status}`))));
  stream.on("error", answered.reject);
  stream.end();
  return answered.promise;
}

/** Clients over HTTP/2 in the clear, which ask one thing after the other and leave when they are told to. */
export function startHttp2Load(port: number, clients: number): PoliteLoad {
  const failures: string[] = [];
  let answered = 0;
  let isStopped = false;

  async function run(): Promise<void> {
    const state = await openSession(port);
    while (!isStopped && !state.isAway) {
      await ask(state.session);
      answered++;
    }
    state.session.close();
  }

  async function runUntilStopped(): Promise<void> {
    while (!isStopped) await run().catch((error) => void failures.push(String(error)));
  }

  const running = Array.from({ length: clients }, runUntilStopped);
  return {
    answered: () => answered,
    failures,
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
}
