import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { ListenerDocument } from "./listener-schema.ts";
import type { ListenerProtocol } from "./types.ts";

type Key = "tls" | "http2" | "http3" | "hsts" | "redirectToHttps" | "hostnames";

const FITS: Readonly<Record<Key, readonly ListenerProtocol[]>> = {
  tls: ["https"],
  http2: ["http", "https"],
  http3: ["https"],
  hsts: ["https"],
  redirectToHttps: ["http"],
  hostnames: ["http", "https", "tls_passthrough"],
};
const KEYS = ["tls", "http2", "http3", "hsts", "redirectToHttps", "hostnames"] as const satisfies readonly Key[];

const REASONS: Readonly<Record<ListenerProtocol, string>> = {
  http: "speaks HTTP without TLS",
  https: "speaks HTTPS already",
  tcp: "passes bytes unread",
  tls_passthrough: "passes TLS on unopened",
};

/** What a listener speaks: `https` where TLS is set up, unless it says so itself. */
export function protocolOf({ protocol, tls }: ListenerDocument): ListenerProtocol {
  return protocol ?? (tls === undefined ? "http" : "https");
}

function isGiven(value: ListenerDocument[Key]): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
}

/** Adds a fault for each part of a listener that means nothing for its protocol. */
export function checkFit(written: ListenerDocument, spot: Spot, building: Pick<Building, "issues">): void {
  const protocol = protocolOf(written);
  for (const key of KEYS) {
    if (!isGiven(written[key]) || FITS[key].includes(protocol)) continue;
    const right = `remove it, or write protocol: ${FITS[key].join(" or ")}`;
    addFault(
      building,
      below(spot, key),
      `means nothing here, as a listener of ${protocol} ${REASONS[protocol]}; ${right}`,
    );
  }
  if (protocol === "https" && written.tls === undefined) {
    const message = '"https" needs tls; write tls: { certificates: [{ cert, key }] }';
    addFault(building, below(spot, "protocol"), message);
  }
}
