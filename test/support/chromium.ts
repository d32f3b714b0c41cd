import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestCertificate } from "./certificates.ts";

export interface ChromiumOptions {
  /** Every host is this machine. */
  readonly url: string;
  /** Certificates that are accepted besides those of the system's authorities. */
  readonly accepts: readonly TestCertificate[];
}

export interface Chromium extends AsyncDisposable {
  /** What it complained of so far. */
  readonly output: () => string;
}

/** As `--ignore-certificate-errors-spki-list` has a certificate's key. */
function keyDigest({ cert }: TestCertificate): string {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

/** Opens a page in a browser without a window, with a profile of its own, until it is disposed of. Needs no sandbox. */
export async function openChromium({ url, accepts }: ChromiumOptions): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), "torii-chromium-"));
  const flags = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * 127.0.0.1",
    `--ignore-certificate-errors-spki-list=${accepts.map(keyDigest).join(",")}`,
    `--user-data-dir=${profile}`,
  ];
  const child = Bun.spawn(["chromium", ...flags, url], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  let text = "";
  const reading = (async () => {
    for await (const bytes of child.stderr) text += Buffer.from(bytes).toString();
  })();
  return {
    output: () => text,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
      await reading;
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
