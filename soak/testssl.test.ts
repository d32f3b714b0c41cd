import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { bring } from "../scripts/prerequisites.ts";
import { authority } from "../test/support/certificates.ts";
import { runProgram } from "../test/support/program.ts";
import { closedPort } from "../test/support/unreachable.ts";
import { startEcho } from "../test/support/upstream.ts";
import { catchAll } from "../test/support.ts";
import { type SoakGateway, startSoakGateway } from "./gateway.ts";

/** One line of testssl's report. */
interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** What no configuration of the gateway could mend: the tests' authority takes nothing back, and pages have headers of their own. */
const NOT_OURS = /^(?:cert_revocation\b|security_headers$)/;
const NAME = "shop.test";

const root = authority("Torii Root");
const issuer = root.intermediate("Torii Issuer");
const certificates = (["ecdsa", "rsa"] as const).map((keyType) => {
  const { certPath, keyPath } = issuer.issue({ names: [NAME], keyType, days: 85 });
  return { cert: certPath, key: keyPath };
});
const echo = startEcho();
const ports = { default: closedPort(), lowest13: closedPort() } as const;
let gateway: SoakGateway;

beforeAll(async () => {
  await bring([{ program: "testssl", debianPackage: "testssl.sh" }]);
  const common = { address: "127.0.0.1", hsts: { maxAge: "365d", includeSubDomains: true } };
  gateway = await startSoakGateway(catchAll(echo.url), {
    listeners: [
      { ...common, name: "default", port: ports.default, tls: { certificates } },
      { ...common, name: "lowest13", port: ports.lowest13, tls: { certificates, minVersion: "TLSv1.3" } },
    ],
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await echo.close();
});

async function judge(port: number): Promise<readonly Finding[]> {
  const report = join(process.env["TMPDIR"] ?? "/tmp", `torii-testssl-${process.pid}-${port}.json`);
  const where = ["--nodns", "none", "--ip", "127.0.0.1", "--add-ca", root.certPath];
  const how = ["--quiet", "--color", "0", "--warnings", "off", "--severity", "LOW", "--jsonfile", report];
  const command = ["testssl", ...how, ...where, `${NAME}:${port}`];
  const { stdout } = await runProgram(command, { timeoutMs: 900_000 });
  // The whole of it is worth reading, not only what is severe.
  console.log(stdout);
  expect(stdout).toContain("Testing vulnerabilities");
  const findings: readonly Finding[] = await Bun.file(report).json();
  await Bun.file(report).delete();
  return findings.filter(({ id }) => !NOT_OURS.test(id));
}

test("testssl finds nothing to mend in the default settings", async () => {
  expect(await judge(ports.default)).toEqual([]);
}, 1_000_000);

test("testssl finds nothing to mend where TLS 1.3 is the lowest version", async () => {
  expect(await judge(ports.lowest13)).toEqual([]);
}, 1_000_000);
