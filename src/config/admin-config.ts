import { createHash } from "node:crypto";
import type { AdminDocument } from "./admin-schema.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { Gateway } from "./gateway-document.ts";
import type { AdminConfig } from "./types.ts";
import { quote } from "./wording.ts";

/** A token as it is kept: who reads memory or a shown configuration learns no token. */
export function hashedToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

interface Address {
  readonly address: string;
  readonly port: number;
}

const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Whether one socket is in the other's way: an address that stands for all takes the port of each. */
function isClash(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.address === other.address || ANY.has(one.address) || ANY.has(other.address);
}

function checkPort(admin: AdminDocument, gateway: Gateway, building: Pick<Building, "issues">): void {
  const { listeners, status } = gateway.document;
  const listener = listeners.find((one) => isClash(one, admin));
  const taken = listener !== undefined ? `of listener "${listener.name}"` : isClash(status, admin) ? "of status" : null;
  if (taken === null) return;
  addFault(
    building,
    below(gateway.spot, "admin", "port"),
    `${admin.port} is the port ${taken} already; choose another`,
  );
}

function checkTokens({ tokens }: AdminDocument, spot: Spot, building: Pick<Building, "issues">): void {
  for (const [index, { name, token }] of tokens.entries()) {
    const before = tokens.slice(0, index);
    const at = below(spot, "tokens", index);
    if (before.some((other) => other.name === name))
      addFault(building, below(at, "name"), `${quote(name)} is the name of another token already; choose another`);
    const same = before.find((other) => other.token === token);
    if (same !== undefined)
      addFault(building, below(at, "token"), `is the token of ${quote(same.name)} too; make another one`);
  }
}

/** The `admin` part; null where there is none, and then there is no admin API. */
export function adminConfig(gateway: Gateway, building: Pick<Building, "issues">): AdminConfig | null {
  const { admin } = gateway.document;
  if (admin === undefined) return null;
  checkPort(admin, gateway, building);
  checkTokens(admin, below(gateway.spot, "admin"), building);
  const { address, port, tokens } = admin;
  return {
    address,
    port,
    tokens: tokens.map(({ name, role, token }) => ({ name, role, hashedToken: hashedToken(token) })),
  };
}
