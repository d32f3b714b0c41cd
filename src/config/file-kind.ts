import { basename } from "node:path";
import { isMap, parseDocument } from "yaml";
import { gatewaySchema } from "./gateway-schema.ts";
import { readRegularFile } from "./regular-file.ts";
import { keyText } from "./tree.ts";

const GATEWAY_FILE = /^torii\.(?:ya?ml|json)$/;
// `routes` and `$schema` stand in route files too.
const GATEWAY_KEYS: ReadonlySet<string | null> = new Set(
  Object.keys(gatewaySchema.shape).filter((key) => key !== "routes" && key !== "$schema"),
);
const ROUTE_KEYS: ReadonlySet<string | null> = new Set(["services", "kind"]);

/** Keys at the top of the first document, as far as they can be read. */
function topKeys(text: string): readonly (string | null)[] {
  const { contents } = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  return isMap(contents) ? contents.items.map(keyText) : [];
}

/**
 * Says whether a file is the gateway's own configuration, by its name (`torii.yaml`) or by what stands at its top
 * (`listeners`), rather than a file of routes. False for what cannot be read.
 */
export async function isGatewayFile(path: string): Promise<boolean> {
  if (GATEWAY_FILE.test(basename(path))) return true;
  if (path.endsWith(".ts")) return false;
  try {
    const keys = topKeys((await readRegularFile(path)).toString("utf8"));
    return keys.some((key) => GATEWAY_KEYS.has(key)) && !keys.some((key) => ROUTE_KEYS.has(key));
  } catch {
    return false;
  }
}
