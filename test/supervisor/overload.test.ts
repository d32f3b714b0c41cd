import { expect, setDefaultTimeout, test } from "bun:test";
import { connect, exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { startReady } from "./support.ts";

// Memory has to be short for seconds before a worker counts as overloaded.
setDefaultTimeout(60_000);

/** Answers with the process id; at `/fill` it keeps memory. */
const FILLING = `const kept = [];
export default { routes: [{ name: "fill", matches: [{ path: "/*" }], priority: "high", plugins: [
  { use: (c) => {
    if (c.req.path === "/fill") kept.push(new Uint8Array(400 * 1024 ** 2).fill(1));
    return c.text(String(process.pid));
  } },
] }] };
`;

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

test("new connections keep away from a worker that takes none for memory; with no other, the gateway is unready", async () => {
  const torii = { overload: { memory: "384MiB" } };
  await using workers = await startReady({ torii, files: { "routes/main.ts": FILLING } });
  const { port, statusPort } = workers;
  const reasons = async () => (await fetch(`http://127.0.0.1:${statusPort}/readyz`)).text();
  const full = Number((await exchange({ port }, get("/fill"))).body.toString());
  await eventually(() => workers.torii.output().includes("new connections have to wait"), "accepting to rest");
  // One that comes to the full worker waits in the kernel's queue.
  const answersAtOnce = async () => {
    using client = await connect({ port });
    await client.send(get("/"));
    return await client.response("GET", 1000).then(
      () => true,
      () => false,
    );
  };
  const manyAnswer = async () => {
    for (let at = 0; at < 10; at++) if (!(await answersAtOnce())) return false;
    return true;
  };
  await eventually(manyAnswer, "new connections to go to the other worker", 30_000);
  expect(await workers.isReady()).toBe(true);
  const other = Number((await exchange({ port }, get("/fill"))).body.toString());
  expect(other).not.toBe(full);
  await eventually(async () => (await reasons()).includes('"overloaded"'), "the gateway to be unready", 30_000);
});
