import type { ConfigIssue } from "../errors.ts";
import type { Catalog } from "./catalog.ts";
import { placeOf, type Spot } from "./check.ts";
import type { ListenerProtocol, PluginUse } from "./types.ts";

/** What is known while routes are built. Null means that it could not be read, so nothing is checked against it. */
export interface Building {
  readonly issues: ConfigIssue[];
  readonly catalog: Catalog | null;
  readonly services: ReadonlySet<string> | null;
  /** By name. */
  readonly listeners: ReadonlyMap<string, ListenerProtocol> | null;
  readonly defaults: { readonly timeoutMs: number; readonly plugins: readonly PluginUse[] };
}

/** Adds a fault at a part of a document. */
export function addFault(building: Pick<Building, "issues">, spot: Spot, message: string): void {
  building.issues.push({ ...placeOf(spot), message });
}
