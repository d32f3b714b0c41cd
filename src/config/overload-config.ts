import { addFault } from "./building.ts";
import type { Vetting } from "./certificate-pair.ts";
import { below, placeOf, type Spot } from "./check.ts";
import type { GatewayDocument } from "./gateway-schema.ts";
import type { OverloadConfig } from "./types.ts";
import { quote } from "./wording.ts";

const MIB = 1024 ** 2;
/** A gateway without any connection takes more than this. */
const LEAST_BYTES = 64 * MIB;
/** With some routes and connections it takes about 100 MiB; requests are shed from four fifths of the bound on. */
const ROOMY_BYTES = 160 * MIB;

const RIGHT = "write 160MiB or more, or 0 for no bound";

function sizeText(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB}MiB` : `${bytes}B`;
}

function checkMemory(bytes: number, spot: Spot, vetting: Vetting): void {
  const text = quote(sizeText(bytes));
  if (bytes < LEAST_BYTES)
    addFault(vetting, spot, `${text} is less than the gateway takes at rest, so that it would serve nobody; ${RIGHT}`);
  else if (bytes < ROOMY_BYTES) {
    const message = `${text} leaves little beside the 100MiB or so that the gateway takes; ${RIGHT}`;
    vetting.warnings.push({ ...placeOf(spot), message });
  }
}

/** 0 is no limit, as with every other one. */
function limitOf(value: number | undefined): number | null {
  return value === undefined || value === 0 ? null : value;
}

/** The `overload` part at `spot`. A bound on memory that the gateway cannot keep is a fault, a tight one a warning. */
export function overloadConfig(written: GatewayDocument["overload"], spot: Spot, vetting: Vetting): OverloadConfig {
  const memoryBytes = limitOf(written.memory);
  if (memoryBytes !== null) checkMemory(memoryBytes, below(spot, "memory"), vetting);
  return { memoryBytes, lagMs: limitOf(written.lag) };
}
