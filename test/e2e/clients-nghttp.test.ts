import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sharedEdge } from "../support/edge.ts";
import { digest } from "../support/origin.ts";
import { runProgram } from "../support/program.ts";

const shared = sharedEdge();

const url = (scheme: string, path: string) =>
  `${scheme}://127.0.0.1:${shared.edge.port(scheme === "http" ? "http" : "https")}${path}`;

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram([program, ...args]);
  if (status !== 0) throw new Error(`${program} ended with ${status}:\n${stderr.slice(-2000)}`);
  return stdout;
}

/** A file of bytes that do not repeat themselves at a frame's length. */
async function body(bytes: number): Promise<{ readonly path: string; readonly digest: string }> {
  const content = Buffer.alloc(bytes, "0123456789abc");
  const path = join(shared.edge.gateway.folder, `body-${bytes}`);
  await writeFile(path, content);
  return { path, digest: digest(content) };
}

describe.each(["http", "https"])("nghttp over %s", (scheme) => {
  test("has 100 streams answered on one connection", async () => {
    const before = shared.origin.requests.length;
    const said = await run("nghttp", "--no-verify-peer", "-ns", "-m", "100", url(scheme, "/many"));
    expect(said.match(/ 200 +\d+ \/many$/gm)).toHaveLength(100);
    expect(shared.origin.requests.length - before).toBe(100);
  });

  test("uploads with a length, or without one and with trailers", async () => {
    const { path, digest } = await body(2_000_000);
    const plain = ["--no-verify-peer", "-H", ":method: PUT", "-d", path];
    const withTrailers = ["--no-content-length", "--trailer", "x-sum: three"];
    for (const more of [[], withTrailers]) {
      const said = await run("nghttp", ...plain, ...more, url(scheme, "/upload"));
      expect(JSON.parse(said)).toMatchObject({ method: "PUT", bodyBytes: 2_000_000, digest });
    }
    expect(shared.origin.requests.at(-1)?.trailers).toContainEqual(["x-sum", "three"]);
  });

  test("waits with its upload until it is asked for it", async () => {
    const { path } = await body(100_000);
    const args = ["--no-verify-peer", "-v", "--expect-continue", "-d", path];
    const said = await run("nghttp", ...args, url(scheme, "/expect"));
    const order = ["recv (stream_id=13) :status: 100", "send DATA frame", "recv (stream_id=13) :status: 200"];
    const places = order.map((text) => said.indexOf(text));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test("gets trailers as a last frame of header fields", async () => {
    const said = await run("nghttp", "--no-verify-peer", "-v", url(scheme, "/trailers"));
    expect(said).toMatch(/recv \(stream_id=13\) x-sum: three\n.*recv HEADERS frame.*\n.*END_STREAM/);
  });

  test("is told the limits that hold", async () => {
    const said = await run("nghttp", "--no-verify-peer", "-nv", url(scheme, "/"));
    for (const setting of ["MAX_CONCURRENT_STREAMS", "MAX_HEADER_LIST_SIZE", "ENABLE_CONNECT_PROTOCOL"])
      expect(said).toContain(`[SETTINGS_${setting}(`);
    expect(said).not.toContain("recv RST_STREAM");
    expect(said).not.toContain("recv GOAWAY");
  });
});

describe("h2load", () => {
  const counts = (said: string) => /^status codes: .*$/m.exec(said)?.[0];
  const all = (count: number) => `status codes: ${count} 2xx, 0 3xx, 0 4xx, 0 5xx`;

  test.each(["http", "https"])(
    "has 2,000 requests answered over %s, 32 at a time on each connection",
    async (scheme) => {
      const said = await run("h2load", "-n", "2000", "-c", "4", "-m", "32", url(scheme, "/load"));
      expect(counts(said)).toBe(all(2000));
      expect(said).toContain("2000 succeeded, 0 failed, 0 errored, 0 timeout");
      // What is said of every response is said in a few bytes from the second on.
      expect(Number(/\(space savings ([\d.]+)%\)/.exec(said)?.[1])).toBeGreaterThan(75);
    },
  );

  test("has bodies taken and answered on shared connections", async () => {
    const { path } = await body(50_000);
    const said = await run("h2load", "-n", "200", "-c", "2", "-m", "16", "-d", path, url("https", "/load"));
    expect(counts(said)).toBe(all(200));
  });

  test("gets the version of HTTP that it asks for", async () => {
    const agreed = async (...args: readonly string[]) => {
      const said = await run("h2load", "-n", "40", "-c", "2", ...args, url("https", "/load"));
      expect(counts(said)).toBe(all(40));
      return /^Application protocol: (.*)$/m.exec(said)?.[1];
    };
    expect([await agreed(), await agreed("--npn-list=http/1.1"), await agreed("--npn-list=http/1.1,h2")]).toEqual([
      "h2",
      "http/1.1",
      "h2",
    ]);
  });
});
