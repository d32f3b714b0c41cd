import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type KeyType = "ecdsa" | "rsa" | "ed25519";

/** A certificate and its key, in memory and in files. */
export interface TestCertificate {
  /** PEM, leaf first, with the intermediates it needs. */
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

export interface LeafSpec {
  /** DNS names; the first is the common name unless `commonName` is given. */
  readonly names?: readonly string[];
  /** As openssl writes subject alternative names: `URI:spiffe://a/b`, `IP:127.0.0.1`. */
  readonly otherNames?: readonly string[];
  readonly commonName?: string;
  readonly keyType?: KeyType;
  readonly usage?: "server" | "client" | "both";
  /** Days until it expires; negative: it expired so long ago. 30 unless given. */
  readonly days?: number;
}

/** A certificate authority of this test run. What it issues is made once for each spec. */
export interface TestAuthority extends TestCertificate {
  issue(spec: LeafSpec): TestCertificate;
  /** As `issue`, but made anew at each call, as a rotation does. */
  renew(spec: LeafSpec): TestCertificate;
  /** A list (PEM) of what it takes back, in a file of its own. */
  revoke(...certificates: readonly TestCertificate[]): { readonly pem: string; readonly path: string };
  intermediate(name: string): TestAuthority;
}

const DAY_MS = 86_400_000;

const KEY_OPTIONS: Readonly<Record<KeyType, readonly string[]>> = {
  ecdsa: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  rsa: ["-newkey", "rsa:2048"],
  ed25519: ["-newkey", "ed25519"],
};

const authorities = new Map<string, TestAuthority>();
let root: string | null = null;
let made = 0;

/** The authority of this name, made on first use. */
export function authority(name = "Torii Test CA"): TestAuthority {
  const known = authorities.get(name);
  if (known !== undefined) return known;
  const created = createAuthority(name, null);
  authorities.set(name, created);
  return created;
}

function folder(): string {
  if (root === null) {
    const path = mkdtempSync(join(tmpdir(), "torii-certificates-"));
    process.on("exit", () => rmSync(path, { recursive: true, force: true }));
    root = path;
  }
  return root;
}

function openssl(cwd: string, args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd, stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr.toString()}`);
}

/** As `openssl ca` reads times. */
function asn1Time(at: number): string {
  return `${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
}

const CA_CONFIG = `[ca]
default_ca = own
[own]
database = index.txt
rand_serial = yes
default_md = sha256
default_crl_days = 30
policy = any
email_in_dn = no
unique_subject = no
copy_extensions = none
[any]
commonName = optional
organizationName = optional
`;

function createAuthority(name: string, parent: Maker | null): TestAuthority {
  const home = join(folder(), `ca-${made++}`);
  mkdirSync(home);
  writeFileSync(join(home, "ca.cnf"), CA_CONFIG);
  writeFileSync(join(home, "index.txt"), "");
  const own = parent === null ? selfSigned(home, name) : parent(caRequest(name));
  const make: Maker = (request) => sign(home, { request, issuer: own, isChained: parent !== null });
  const issued = new Map<string, TestCertificate>();
  return {
    ...own,
    issue(spec) {
      const key = JSON.stringify(spec);
      const known = issued.get(key) ?? make(leafRequest(spec));
      issued.set(key, known);
      return known;
    },
    renew: (spec) => make(leafRequest(spec)),
    revoke: (...certificates) => revocationList(home, own, certificates),
    intermediate: (child) => createAuthority(child, make),
  };
}

type Maker = (request: Request) => TestCertificate;

interface Request {
  readonly commonName: string;
  readonly keyType: KeyType;
  readonly days: number;
  readonly extensions: readonly string[];
}

const CA_EXTENSIONS = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
const KEY_IDS = ["subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"];

function caRequest(commonName: string): Request {
  return { commonName, keyType: "ecdsa", days: 60, extensions: [...CA_EXTENSIONS, ...KEY_IDS] };
}

const USAGES = { server: "serverAuth", client: "clientAuth", both: "serverAuth,clientAuth" } as const;

function leafRequest({ names = [], otherNames = [], commonName, ...spec }: LeafSpec): Request {
  const alternative = [...names.map((name) => `DNS:${name}`), ...otherNames];
  return {
    commonName: commonName ?? names[0] ?? "leaf",
    keyType: spec.keyType ?? "ecdsa",
    days: spec.days ?? 30,
    extensions: [
      "basicConstraints=critical,CA:FALSE",
      "keyUsage=critical,digitalSignature",
      `extendedKeyUsage=${USAGES[spec.usage ?? "server"]}`,
      ...KEY_IDS,
      ...(alternative.length === 0 ? [] : [`subjectAltName=${alternative.join(",")}`]),
    ],
  };
}

function selfSigned(home: string, name: string): TestCertificate {
  const subject = ["-subj", `/O=Torii/CN=${name}`, "-days", "60"];
  const extensions = CA_EXTENSIONS.flatMap((text) => ["-addext", text]);
  const files = ["-nodes", "-keyout", "own.key", "-out", "own.crt"];
  openssl(home, ["req", "-x509", ...KEY_OPTIONS.ecdsa, ...files, ...subject, ...extensions]);
  return read(join(home, "own.crt"), join(home, "own.key"));
}

interface Signing {
  readonly request: Request;
  readonly issuer: TestCertificate;
  /** The issuer's own certificate belongs to the chain: it is no root. */
  readonly isChained: boolean;
}

function sign(home: string, { request, issuer, isChained }: Signing): TestCertificate {
  const base = `cert-${made++}`;
  const path = (suffix: string) => join(home, `${base}.${suffix}`);
  const subject = `/O=Torii/CN=${request.commonName.replaceAll(/[\\/+]/g, "\\$&")}`;
  const key = ["-nodes", "-keyout", path("key"), "-out", path("csr"), "-subj", subject];
  openssl(home, ["req", "-new", "-utf8", ...KEY_OPTIONS[request.keyType], ...key]);
  writeFileSync(path("ext"), request.extensions.join("\n"));
  const endAt = Date.now() + request.days * DAY_MS;
  const times = ["-startdate", asn1Time(Math.min(Date.now(), endAt) - DAY_MS), "-enddate", asn1Time(endAt)];
  const by = ["-config", "ca.cnf", "-cert", issuer.certPath, "-keyfile", issuer.keyPath, "-batch", "-notext"];
  const files = ["-in", path("csr"), "-out", path("crt"), "-outdir", home, "-extfile", path("ext")];
  openssl(home, ["ca", ...by, ...files, ...times]);
  if (isChained) writeFileSync(path("crt"), readFileSync(path("crt"), "utf8") + issuer.cert);
  return read(path("crt"), path("key"));
}

function revocationList(home: string, issuer: TestCertificate, certificates: readonly TestCertificate[]) {
  const by = ["-config", "ca.cnf", "-cert", issuer.certPath, "-keyfile", issuer.keyPath];
  // A list holds what was taken back, and nothing of an earlier call's.
  const index = readFileSync(join(home, "index.txt"), "utf8");
  for (const { certPath } of certificates) openssl(home, ["ca", ...by, "-revoke", certPath]);
  const path = join(home, `list-${made++}.pem`);
  openssl(home, ["ca", ...by, "-gencrl", "-out", path]);
  writeFileSync(join(home, "index.txt"), index);
  return { pem: readFileSync(path, "utf8"), path };
}

function read(certPath: string, keyPath: string): TestCertificate {
  return { cert: readFileSync(certPath, "utf8"), key: readFileSync(keyPath, "utf8"), certPath, keyPath };
}
