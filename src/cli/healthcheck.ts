import { parseArgs } from "node:util";
import { checkPart } from "../config/check.ts";
import { gatewaySchema } from "../config/gateway-schema.ts";
import { type ConfigPlace, readOwnFile, topValue } from "./config-part.ts";
import { sideOrigin } from "./origin.ts";

/** A container's health check gives up after some seconds anyway: this answers before it is ended. */
const TIMEOUT_MS = 2500;

/** The `status` part of a configuration alone: a fault elsewhere is no matter of a health check. */
function statusOf(place: ConfigPlace): { readonly address: string; readonly port: number } {
  const document = readOwnFile(place);
  const checked = checkPart(gatewaySchema.shape.status, topValue(document, "status"), { document, path: ["status"] });
  if (checked.isValid) return checked.data;
  throw new Error(`${document.file} status: ${checked.faults[0]?.message ?? "is not valid"}`);
}

async function ask(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.status === 200 ? null : `${url} answered ${response.status}`;
  } catch (error) {
    return `${url} did not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * `torii healthcheck [--config torii.yaml]`: asks the gateway on this machine whether it is ready, at the address
 * that `status` gives. Resolves with the exit status: 0 ready, 1 not ready or not there, 2 misuse.
 */
export async function healthcheck(args: readonly string[], env: ConfigPlace["env"]): Promise<number> {
  let file: string | null;
  try {
    file = parseArgs({ args: [...args], options: { config: { type: "string" } } }).values.config ?? null;
  } catch (error) {
    console.error(`torii healthcheck: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  try {
    const { address, port } = statusOf({ file, cwd: process.cwd(), env });
    const fault = await ask(`${sideOrigin(address, port)}/readyz`);
    if (fault !== null) console.error(`torii healthcheck: ${fault}`);
    return fault === null ? 0 : 1;
  } catch (error) {
    console.error(`torii healthcheck: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}
