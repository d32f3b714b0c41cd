import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EDGE_NAMES, sharedEdge } from "../support/edge.ts";
import { digest, type OriginSaw } from "../support/origin.ts";
import { runProgram } from "../support/program.ts";

/** What curl tells of a transfer, under its own names. */
interface Transfer {
  readonly exitcode: number;
  readonly errormsg: string | null;
  readonly http_version: string;
  readonly response_code: number;
  readonly ssl_verify_result: number;
}

interface Curled {
  readonly transfer: Transfer;
  readonly stdout: string;
  /** What else it said, with `-v`. */
  readonly said: string;
}

const shared = sharedEdge();

interface Call {
  readonly listener: string;
  readonly path: string;
  readonly args?: readonly string[];
  readonly input?: Uint8Array;
}

async function curl({ listener, path, args = [], input }: Call): Promise<Curled> {
  const port = shared.edge.port(listener);
  const isPlain = listener === "http" || listener === "proxied";
  const name = EDGE_NAMES.shop;
  const trust = ["--cacert", shared.edge.caPath, "--resolve", `${name}:${port}:127.0.0.1`];
  const url = `${isPlain ? "http" : "https"}://${name}:${port}${path}`;
  const command = ["curl", "-s", "-w", "%{stderr}\n%{json}", "--noproxy", "*", ...trust, ...args, url];
  const { stdout, stderr } = await runProgram(command, input === undefined ? {} : { input });
  const at = stderr.lastIndexOf("\n");
  return { transfer: JSON.parse(stderr.slice(at)), stdout, said: stderr.slice(0, at) };
}

function seenIn({ stdout }: Curled): OriginSaw {
  return JSON.parse(stdout);
}

describe("curl", () => {
  test.each([
    ["http", "--http1.1", "1.1"],
    ["http", "--http2-prior-knowledge", "2"],
    // An Upgrade to h2c is not taken (RFC 9113 3.1 took it away); the answer is what HTTP/1.1 says.
    ["http", "--http2", "1.1"],
    ["https", "--http1.1", "1.1"],
    ["https", "--http2", "2"],
    ["https", "--http2-prior-knowledge", "2"],
  ])("over %s with %s gets HTTP/%s", async (listener, flag, version) => {
    const curled = await curl({ listener, path: "/page?a=1", args: [flag] });
    expect(curled.transfer).toMatchObject({ exitcode: 0, response_code: 200, http_version: version });
    expect(curled.transfer.ssl_verify_result).toBe(0);
    expect(seenIn(curled)).toMatchObject({ method: "GET", target: "/page?a=1" });
  });

  test.each([
    ["TLSv1.2", ["--tlsv1.2", "--tls-max", "1.2"]],
    ["TLSv1.3", ["--tlsv1.3"]],
  ])("speaks %s", async (version, args) => {
    const path = `/${version}`;
    expect((await curl({ listener: "https", path, args })).transfer.response_code).toBe(200);
    expect(await shared.edge.gateway.logged((line) => line["path"] === path)).toMatchObject({
      protocol: "HTTP/2.0",
      tls: { version, sni: EDGE_NAMES.shop, clientCertificate: null },
    });
  });

  test("is turned away with TLS 1.2 where the lowest version is 1.3", async () => {
    const { transfer } = await curl({ listener: "tls13", path: "/", args: ["--tls-max", "1.2"] });
    expect(transfer).toMatchObject({ exitcode: 35, errormsg: expect.stringContaining("alert protocol version") });
  });

  test("shows a client certificate, and the service hears whose", async () => {
    const { certPath, keyPath } = shared.edge.clientCertificate;
    const args = ["--cert", certPath, "--key", keyPath];
    const { headers } = seenIn(await curl({ listener: "mtls", path: "/", args }));
    expect(headers["x-forwarded-client-cert"]).toContain('Subject="O=Torii,CN=client"');
  });

  test("is not served without one where it is required", async () => {
    const before = shared.origin.requests.length;
    const { transfer } = await curl({ listener: "mtls", path: "/" });
    expect(transfer.response_code).toBe(0);
    expect(transfer.exitcode).not.toBe(0);
    expect(shared.origin.requests.length).toBe(before);
  });

  test.each(["--http1.1", "--http2-prior-knowledge"])("sends a PROXY protocol header with %s", async (flag) => {
    const curled = await curl({ listener: "proxied", path: "/", args: ["--haproxy-protocol", flag] });
    expect(curled.transfer).toMatchObject({ exitcode: 0, response_code: 200 });
    const { transfer } = await curl({ listener: "proxied", path: "/", args: [flag] });
    expect(transfer.response_code).toBe(0);
    expect(transfer.exitcode).not.toBe(0);
  });

  const upload = Buffer.alloc(10_000_000, "0123456789abcdef");
  test.each([
    ["--http2", "from a file, with its length"],
    ["--http2", "from a pipe, without one"],
    ["--http1.1", "from a file, with its length"],
    ["--http1.1", "from a pipe, without one"],
  ])("uploads 10 MB with %s %s, and waits to be asked for it", async (flag, source) => {
    const file = join(shared.edge.gateway.folder, "upload");
    const isPiped = source.startsWith("from a pipe");
    if (!isPiped) await writeFile(file, upload);
    const args = [flag, "-H", "Expect: 100-continue", "-T", isPiped ? "-" : file, "-v"];
    const call = { listener: "https", path: "/upload", args };
    const curled = await curl(isPiped ? { ...call, input: upload } : call);
    expect(curled.transfer).toMatchObject({ exitcode: 0, response_code: 200 });
    expect(curled.said).toMatch(/^< HTTP\/\S+ 100/m);
    const { headers, ...seen } = seenIn(curled);
    expect(seen).toMatchObject({ method: "PUT", bodyBytes: upload.length, digest: digest(upload) });
    expect(headers["content-length"]).toBe(isPiped ? undefined : String(upload.length));
  });

  test.each(["--http2", "--http1.1"])("shows trailers with %s", async (flag) => {
    const { stdout } = await curl({ listener: "https", path: "/trailers", args: [flag, "-i", "-H", "TE: trailers"] });
    expect(stdout).toMatch(/\r\n\r\nabc.*x-sum: three\r\n/is);
  });
});
