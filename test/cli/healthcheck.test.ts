import { afterAll, expect, spyOn, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { healthcheck } from "../../src/cli/healthcheck.ts";

const folder = await mkdtemp(join(tmpdir(), "torii-health-"));
let status = 200;
const asked: string[] = [];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    asked.push(new URL(request.url).pathname);
    return new Response(null, { status });
  },
});
afterAll(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true, force: true });
});

async function check(yaml: string): Promise<{ readonly status: number; readonly said: string }> {
  const file = join(folder, "torii.yaml");
  await Bun.write(file, yaml);
  const output = spyOn(console, "error").mockImplementation(() => undefined);
  try {
    const code = await healthcheck(["--config", file], { STATUS_PORT: String(server.port) });
    return { status: code, said: output.mock.calls.flat().join("\n") };
  } finally {
    output.mockRestore();
  }
}

const READY = `status: { address: 127.0.0.1, port: ${server.port} }`;

test("a gateway that is ready is healthy, and is asked for nothing but that", async () => {
  status = 200;
  asked.length = 0;
  expect(await check(READY)).toEqual({ status: 0, said: "" });
  expect(asked).toEqual(["/readyz"]);
});

test("a gateway that is not ready is not healthy, and the answer is told", async () => {
  status = 503;
  expect(await check(READY)).toEqual({
    status: 1,
    said: `torii healthcheck: http://127.0.0.1:${server.port}/readyz answered 503`,
  });
});

test("the port may come from the environment, and faults elsewhere in the file do not matter", async () => {
  status = 200;
  expect(await check("unknown: 1\nstatus:\n  port: ${STATUS_PORT}")).toEqual({ status: 0, said: "" });
});

test("a file that cannot be read as YAML is told, with its place", async () => {
  const { status: code, said } = await check("status: { port: 1");
  expect([code, said]).toEqual([1, expect.stringContaining("torii.yaml:1:")]);
});

test("a status part that is wrong is told", async () => {
  const { status: code, said } = await check("status: { port: many }");
  expect(code).toBe(1);
  expect(said).toContain("status");
});

test("nobody at the port is not healthy", async () => {
  const closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = closed;
  closed.stop(true);
  const { status: code, said } = await check(`status: { port: ${port} }`);
  expect(code).toBe(1);
  expect(said).toContain("did not answer");
});

test("a file that is named and not there is told", async () => {
  const output = spyOn(console, "error").mockImplementation(() => undefined);
  const code = await healthcheck(["--config", join(folder, "none.yaml")], {});
  expect([code, output.mock.calls.flat().join("")]).toEqual([1, expect.stringContaining("none.yaml")]);
  output.mockRestore();
});

test("an unknown flag is misuse", async () => {
  const output = spyOn(console, "error").mockImplementation(() => undefined);
  expect(await healthcheck(["--what"], {})).toBe(2);
  output.mockRestore();
});
