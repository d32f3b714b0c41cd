import type { ListenerContext, ServerConnection } from "./listener-context.ts";
import { nameTable } from "./name-table.ts";
import type { OwnFields } from "./own-fields.ts";
import type { TlsPolicy } from "./tls/policy.ts";

/** One of the listeners that share a socket. */
export interface ListenerEntry {
  readonly name: string;
  readonly protocol: "http" | "https" | "tcp" | "tls_passthrough";
  /** As `nameTable` takes them. Where clients ask for a name (SNI), it decides between the entries of a socket. */
  readonly hostnames: readonly string[];
  /** Given for `https`, null otherwise. */
  readonly tls: TlsPolicy | null;
  readonly hasHttp2: boolean;
  /** Connections begin with a header of the PROXY protocol; one entry that expects it speaks for its socket. */
  readonly expectsProxyProtocol: boolean;
  /** Fields that stand in every response; null for none. */
  readonly own: OwnFields | null;
}

/** An entry with what its connections know of it. */
export interface OpenEntry extends ListenerEntry {
  readonly context: ListenerContext<ServerConnection>;
}

/** The entries of one socket. */
export interface EntryTable {
  readonly all: readonly OpenEntry[];
  /** Speaks for the socket before a connection's own entry is known. */
  readonly first: OpenEntry;
  /** What is read first: `tls` for a ClientHello, `http` for a request, `tcp` for nothing. */
  readonly speech: "http" | "tls" | "tcp";
  readonly expectsProxyProtocol: boolean;
  /** Who serves a client that asks for this name (lower case), or for none; null for nobody. */
  find(sni: string | null): OpenEntry | null;
}

/** Throws a TypeError for no entries. */
export function entryTable(all: readonly OpenEntry[]): EntryTable {
  const [first] = all;
  if (first === undefined) throw new TypeError("a socket serves one listener or more");
  const byName = nameTable(all);
  const nameless = byName("") ?? all.find(isOpenToNameless) ?? null;
  return {
    all,
    first,
    speech: first.protocol === "http" || first.protocol === "tcp" ? first.protocol : "tls",
    expectsProxyProtocol: all.some((entry) => entry.expectsProxyProtocol),
    find: (sni) => (sni === null ? nameless : byName(sni)),
  };
}

function isOpenToNameless({ tls }: ListenerEntry): boolean {
  return tls !== null && !tls.isStrictSni;
}
