import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { EDGE_NAMES, sharedEdge } from "../support/edge.ts";
import { request } from "../support/forward.ts";
import { runProgram } from "../support/program.ts";
import { connectTls } from "../support/tls-client.ts";

const shared = sharedEdge();

const GET = request("GET /", "Connection: close");

/** Asks for a page within `openssl s_client`, and returns all that it says; it ends when the gateway closes. */
async function ask(listener: string, ...args: readonly string[]): Promise<string> {
  const to = ["-connect", `127.0.0.1:${shared.edge.port(listener)}`, "-CAfile", shared.edge.caPath];
  const name = args.some((arg) => arg.endsWith("servername")) ? [] : ["-servername", EDGE_NAMES.shop];
  const command = ["openssl", "s_client", ...to, ...name, "-ign_eof", ...args];
  const { stdout, stderr } = await runProgram(command, { input: GET });
  return stdout + stderr;
}

/** Common name of the certificate that was shown. */
function subject(said: string): string | null {
  return /^subject=.*CN = ([^,\n]+)/m.exec(said)?.[1] ?? null;
}

/** The fatal alert that the gateway sent. */
function alert(said: string): string | null {
  return /alert ([a-z ]+?):|tlsv1 (unrecognized name)/.exec(said)?.slice(1).find(Boolean) ?? null;
}

/** The page came. Where it stands among the rest is chance: tickets of TLS 1.3 are told as they come. */
const isServed = (said: string) => said.includes("HTTP/1.1 200 OK");

describe("openssl s_client", () => {
  test.each([
    ["-tls1_2", "TLSv1.2"],
    ["-tls1_3", "TLSv1.3"],
  ])("with %s speaks %s and verifies the certificate", async (flag, version) => {
    const said = await ask("https", flag, "-verify_return_error", "-verify_hostname", EDGE_NAMES.shop);
    expect(said).toContain(`New, ${version}, Cipher is `);
    expect(said).toContain("Verify return code: 0 (ok)");
    expect(isServed(said)).toBe(true);
  });

  test("is refused with versions below the lowest, whatever ciphers it offers", async () => {
    const weak = ["-cipher", "ALL:@SECLEVEL=0"];
    const refused = [
      await ask("https", "-tls1", ...weak),
      await ask("https", "-tls1_1", ...weak),
      await ask("tls13", "-tls1_2"),
    ];
    expect(refused.map(alert)).toEqual(["protocol version", "protocol version", "protocol version"]);
    expect(isServed(await ask("tls13"))).toBe(true);
  });

  test("is shown the certificate of the name that it asks for, and the first where none fits", async () => {
    const shown: Record<string, string | null> = {};
    for (const name of ["shop.test", "a.wild.test", "a.b.wild.test", "rsa.test", "other.test"])
      shown[name] = subject(await ask("https", "-servername", name));
    expect(shown).toEqual({
      "shop.test": EDGE_NAMES.shop,
      "a.wild.test": EDGE_NAMES.wild,
      "a.b.wild.test": EDGE_NAMES.shop,
      "rsa.test": EDGE_NAMES.rsa,
      "other.test": EDGE_NAMES.shop,
    });
    expect(subject(await ask("https", "-noservername"))).toBe(EDGE_NAMES.shop);
  });

  test("is turned away with another name, or none, where names are strict", async () => {
    expect(isServed(await ask("strict", "-servername", "a.wild.test"))).toBe(true);
    expect(alert(await ask("strict", "-servername", "other.test"))).toBe("unrecognized name");
    expect(alert(await ask("strict", "-noservername"))).toBe("unrecognized name");
  });

  test("resumes sessions of TLS 1.2 when it connects again", async () => {
    const said = await ask("https", "-tls1_2", "-reconnect");
    expect(said.match(/^Reused, TLSv1\.2,/gm)).toHaveLength(5);
  });

  test("resumes a session of TLS 1.3, and sends nothing before the handshake is done", async () => {
    const session = join(shared.edge.gateway.folder, "session");
    const first = await ask("https", "-tls1_3", "-sess_out", session);
    expect(first).toContain("New, TLSv1.3,");
    expect(first).toContain("Max Early Data: 0");
    const second = await ask("https", "-tls1_3", "-sess_in", session);
    expect(second).toContain("Reused, TLSv1.3,");
    expect(isServed(second)).toBe(true);
  });

  test("cannot bring a session to a listener that asks for more", async () => {
    const session = join(shared.edge.gateway.folder, "other-session");
    await ask("https", "-tls1_3", "-sess_out", session);
    const said = await ask("mtls", "-tls1_3", "-sess_in", session);
    expect(isServed(said)).toBe(false);
    expect(alert(said)).toBe("certificate required");
  });

  test.each([
    ["-tls1_2", "handshake failure"],
    ["-tls1_3", "certificate required"],
  ])("with %s needs a certificate where one is required", async (flag, why) => {
    const { certPath, keyPath } = shared.edge.clientCertificate;
    const said = await ask("mtls", flag, "-cert", certPath, "-key", keyPath);
    expect(isServed(said)).toBe(true);
    expect(said).toContain("O = Torii, CN = Torii Test CA");
    const without = await ask("mtls", flag);
    expect(isServed(without)).toBe(false);
    expect(alert(without)).toBe(why);
  });

  test("agrees on what the gateway likes best of what it offers", async () => {
    const agreed = async (offer: string) => {
      const said = await ask("https", "-alpn", offer);
      return /ALPN protocol: (\S+)/.exec(said)?.[1] ?? alert(said);
    };
    expect([await agreed("http/1.1,h2"), await agreed("http/1.1"), await agreed("spdy/3")]).toEqual([
      "h2",
      "http/1.1",
      "no application protocol",
    ]);
    expect(await ask("https")).toContain("No ALPN negotiated");
  });

  test("cannot make the gateway negotiate anew", async () => {
    const command = ["openssl", "s_client", "-connect", `127.0.0.1:${shared.edge.port("https")}`, "-tls1_2"];
    const { stdout, stderr } = await runProgram(command, { input: "R\n" });
    expect(stdout).toContain("Secure Renegotiation IS supported");
    expect(stdout).toContain("Compression: NONE");
    expect(alert(stderr)).toBe("no renegotiation");
  });
});

test("a client that ends its side of TLS after a request gets the answer", async () => {
  using client = await connectTls({ port: shared.edge.port("https") }, { name: EDGE_NAMES.shop });
  await client.raw.send(request("GET /half"));
  client.raw.peer.endSending();
  // An interim response finds out that the client has not left.
  expect((await client.raw.responses()).at(-1)?.status).toBe(200);
  expect(await client.raw.peer.closing()).toBe("closed");
});
