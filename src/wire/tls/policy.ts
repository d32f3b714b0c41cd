import { createHash } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ClientHello } from "./client-hello.ts";
import { allowedCiphers, type KeyType, takesKey } from "./key-choice.ts";

/** A certificate with its key, known to belong together. */
export interface CertificateFacts {
  /** Lower case, wildcards as `*.example.com`. */
  readonly names: readonly string[];
  /** Leaf first. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly keyType: KeyType;
}

export interface ClientAuthFacts {
  readonly mode: "require" | "request";
  readonly caPem: string;
  readonly crlPem: string | null;
}

export interface TlsFacts {
  /** The first is the default. Never empty. */
  readonly certificates: readonly CertificateFacts[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names, for TLS 1.2; null: those that Mozilla recommends ("intermediate"), without DHE. */
  readonly ciphers: string | null;
  readonly isStrictSni: boolean;
  readonly clientAuth: ClientAuthFacts | null;
}

export interface TlsPolicyOptions {
  /** HTTP/2 is offered besides HTTP/1.1. */
  readonly hasHttp2: boolean;
  /** The policy before a reload: what stays the same is taken over, so that its session tickets stay valid. */
  readonly previous?: TlsPolicy | null;
}

/** How handshakes of one listener are done. */
export interface TlsPolicy {
  readonly isStrictSni: boolean;
  readonly clientAuth: ClientAuthFacts["mode"] | null;
  /** Equal for policies that let the same clients in: a connection may not outlive a change. */
  readonly admissionKey: string;
  /** On offer, as it stands in the handshake: each name behind its length. */
  readonly ALPNProtocols: Buffer;
  /** The runtime's own objects, by what they are made of. */
  readonly contexts: ReadonlyMap<string, object>;
  /** The runtime's object for this client; null when it is turned away for the name that it asks for, or for none. */
  choose(hello: ClientHello): object | null;
}

/** Mozilla's intermediate list for TLS 1.2: forward secrecy and authenticated encryption only. */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

const HTTP1 = Buffer.from("\x08http/1.1");
const HTTP2_AND_1 = Buffer.from("\x02h2\x08http/1.1");

interface Choice {
  readonly names: readonly string[];
  readonly keyType: KeyType;
  readonly context: object;
}

/** Throws the runtime's error for a PEM, a key or a cipher list that it does not take. Nothing is to be closed. */
export function createTlsPolicy(facts: TlsFacts, { hasHttp2, previous = null }: TlsPolicyOptions): TlsPolicy {
  const { choices, contexts } = choicesOf(facts, previous);
  const find = byName(choices, facts.isStrictSni);
  const allowed = allowedCiphers(facts.ciphers ?? CIPHERS);
  return {
    isStrictSni: facts.isStrictSni,
    clientAuth: facts.clientAuth?.mode ?? null,
    admissionKey: facts.clientAuth === null ? "" : contentKey([facts.clientAuth]),
    ALPNProtocols: hasHttp2 ? HTTP2_AND_1 : HTTP1,
    contexts,
    choose(hello) {
      const fitting = find(hello.sni);
      return (fitting.find(({ keyType }) => takesKey(hello, keyType, allowed)) ?? fitting[0])?.context ?? null;
    },
  };
}

/** Apart from `createTlsPolicy`: what its functions see they keep, and each policy would keep all those before it. */
function choicesOf(facts: TlsFacts, previous: TlsPolicy | null) {
  const { minVersion, ciphers, clientAuth } = facts;
  const contexts = new Map<string, object>();
  const choices = facts.certificates.map((certificate): Choice => {
    const key = contentKey([certificate.certPem, certificate.keyPem, minVersion, ciphers, clientAuth]);
    const context = previous?.contexts.get(key) ?? contexts.get(key) ?? createContext(certificate, facts);
    contexts.set(key, context);
    return { names: certificate.names, keyType: certificate.keyType, context };
  });
  return { choices, contexts };
}

function contentKey(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Each has ticket keys of its own: a session cannot be resumed where another certificate or policy holds. */
function createContext({ certPem, keyPem }: CertificateFacts, { ciphers, minVersion, clientAuth }: TlsFacts): object {
  const { context } = createSecureContext({
    cert: certPem,
    key: keyPem,
    minVersion,
    ciphers: ciphers ?? CIPHERS,
    honorCipherOrder: true,
    ...(clientAuth === null ? {} : clientAuthOptions(clientAuth)),
  });
  return context;
}

function clientAuthOptions({ mode, caPem, crlPem }: ClientAuthFacts) {
  return {
    ca: caPem,
    requestCert: true,
    rejectUnauthorized: mode === "require",
    ...(crlPem === null ? {} : { crl: listsOf(crlPem) }),
  };
}

/** Of several lists in one text the runtime takes the first only. */
function listsOf(crlPem: string): string[] {
  return crlPem.split(/(?<=-----END X509 CRL-----)\s*(?=-----BEGIN)/);
}

/** Certificates by the name that is asked for: exact, then a wildcard of one label, then the default's. */
function byName(choices: readonly Choice[], isStrictSni: boolean): (sni: string | null) => readonly Choice[] {
  const names = new Map<string, Choice[]>();
  for (const choice of choices) {
    for (const name of choice.names) names.set(name, [...(names.get(name) ?? []), choice]);
  }
  const fallback = isStrictSni ? [] : preferred(alike(choices));
  for (const [name, list] of names) names.set(name, preferred(list));
  return (sni) => {
    if (sni === null) return fallback;
    return names.get(sni) ?? names.get(`*${sni.slice(Math.max(sni.indexOf("."), 0))}`) ?? fallback;
  };
}

/** The smallest and quickest keys first. */
function preferred(choices: readonly Choice[]): Choice[] {
  const rank = { ecdsa: 0, ed25519: 1, rsa: 2 } as const;
  return choices.toSorted((a, b) => rank[a.keyType] - rank[b.keyType]);
}

/** The first and those for the same names, such as one with another kind of key. */
function alike(choices: readonly Choice[]): readonly Choice[] {
  const key = ({ names }: Choice) => [...names].sort().join();
  return choices.filter((choice, at) => at === 0 || (choices[0] !== undefined && key(choice) === key(choices[0])));
}
