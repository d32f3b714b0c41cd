import { describe, expect, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { answer } from "../support/forward.ts";
import { startAnswering } from "../support/upstream.ts";
import { catchAll, startGateway, type TestGateway } from "../support.ts";

const HEADER = "strict-transport-security";

function startSecure(url: string, hsts: unknown): Promise<TestGateway> {
  const { certPath: cert, keyPath: key } = authority().issue({ names: ["gw.test"] });
  const listener = { name: "https", address: "127.0.0.1", port: 0, tls: { certificates: [{ cert, key }] }, hsts };
  return startGateway({
    torii: {
      listeners: [listener],
      status: { address: "127.0.0.1", port: 0 },
      telemetry: { accessLog: { enabled: false } },
    },
    routes: catchAll(url, { route: { matches: [{ path: "/r" }] } }),
  });
}

/** Status and the values of the field that a response has, as curl sees them. */
async function seen({ port }: TestGateway, version: string, path: string): Promise<readonly (string | number)[]> {
  const url = `https://gw.test:${port}${path}`;
  const options = ["-sSk", version, "--resolve", `gw.test:${port}:127.0.0.1`, "-D", "-", "-o", "/dev/null"];
  const head = (await Bun.$`curl ${options} ${url}`.text()).split("\r\n");
  const values = head.filter((line) => line.toLowerCase().startsWith(`${HEADER}:`));
  return [Number(head[0]?.split(" ")[1]), ...values.map((line) => line.slice(HEADER.length + 2))];
}

describe("Strict-Transport-Security", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{}, "max-age=31536000"],
    [{ maxAge: "2d", includeSubDomains: true }, "max-age=172800; includeSubDomains"],
    [{ includeSubDomains: true, preload: true }, "max-age=31536000; includeSubDomains; preload"],
  ];

  test.each(cases)("%p stands in every response over TLS once, in the place of a service's", async (hsts, value) => {
    await using upstream = startAnswering(() => answer("200 OK", [`${HEADER}: max-age=0`, "Content-Length: 0"]));
    await using gateway = await startSecure(upstream.url, hsts);
    for (const version of ["--http1.1", "--http2"]) {
      expect(await seen(gateway, version, "/r")).toEqual([200, value]);
      expect(await seen(gateway, version, "/elsewhere")).toEqual([404, value]);
      expect(await seen(gateway, version, `/${"a".repeat(9000)}`)).toEqual([414, value]);
    }
  });

  test("is the service's own where none is configured", async () => {
    await using upstream = startAnswering(() => answer("200 OK", [`${HEADER}: max-age=7`, "Content-Length: 0"]));
    await using gateway = await startSecure(upstream.url, undefined);
    expect(await seen(gateway, "--http2", "/r")).toEqual([200, "max-age=7"]);
    expect(await seen(gateway, "--http1.1", "/elsewhere")).toEqual([404]);
  });
});
