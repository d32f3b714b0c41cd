import type { ConfigIssue } from "../errors.ts";
import { type Checked, checkPart, locatedFaults, type Spot, without } from "./check.ts";
import { type ConfigDocument, emptyDocument } from "./document.ts";
import { type GatewayDocument, gatewaySchema } from "./gateway-schema.ts";
import { pathKey } from "./path.ts";

/** `torii.yaml` as far as it can be told: a key with faults is as if it were not written. */
export interface Gateway {
  readonly document: GatewayDocument;
  readonly spot: Spot;
  /** Says whether a key's value, or its absence, is what the user meant. */
  knows(key: keyof GatewayDocument): boolean;
}

/** A gateway of defaults only, for a file that is not there, or (`isMeant` false) that could not be read. */
export function defaultGateway(file: string, isMeant: boolean): Gateway {
  const spot = { document: emptyDocument(file), path: [] };
  return { document: gatewaySchema.parse({}), spot, knows: () => isMeant };
}

/** Without the defaults of keys that were written wrong: they would clash with what was written right. */
function bare(document: GatewayDocument, faulty: ReadonlySet<unknown>): GatewayDocument {
  return {
    ...document,
    listeners: faulty.has("listeners") ? [] : document.listeners,
    status: faulty.has("status") ? { ...document.status, port: 0 } : document.status,
  };
}

function partly(checked: Extract<Checked<unknown>, { isValid: false }>, spot: Spot): Gateway {
  const { value, file, unfilled } = spot.document;
  const faulty = new Set<unknown>(checked.faults.map(({ path }) => path[0]));
  const rest = checkPart(gatewaySchema, without(value, faulty), spot);
  if (faulty.has(undefined) || !rest.isValid) return { ...defaultGateway(file, false), spot };
  const knows = (key: string) => !faulty.has(key) && !unfilled.has(pathKey([key]));
  return { document: bare(rest.data, faulty), spot, knows };
}

/** Checks a gateway's document. With faults in some of its keys the others are still known, and checked further. */
export function readGatewayDocument(document: ConfigDocument): {
  readonly gateway: Gateway;
  readonly issues: readonly ConfigIssue[];
} {
  const spot = { document, path: [] };
  const checked = checkPart(gatewaySchema, document.value, spot);
  if (!checked.isValid) return { gateway: partly(checked, spot), issues: locatedFaults(checked.faults, spot) };
  const knows = (key: string) => !document.unfilled.has(pathKey([key]));
  return { gateway: { document: checked.data, spot, knows }, issues: [] };
}
