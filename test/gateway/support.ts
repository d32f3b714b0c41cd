import { closedPort } from "../support/unreachable.ts";
import type { TestGateway } from "../support.ts";

/** `torii.yaml` as the tests of the gateway write it, in block style: each listener's port stands in a line of its own. */
export interface ToriiFile {
  /** Names and ports; all on 127.0.0.1. */
  readonly listeners: readonly (readonly [name: string, port: number])[];
  /** Further lines at the top level. */
  readonly more?: readonly string[];
}

export function toriiFile({ listeners, more = [] }: ToriiFile): string {
  return [
    "status: { address: 127.0.0.1, port: 0 }",
    "telemetry: { accessLog: { enabled: false } }",
    ...(more.some((line) => line.startsWith("shutdown")) ? [] : ["shutdown: { delay: 0s, timeout: 1s }"]),
    ...more,
    "listeners:",
    ...listeners.flatMap(([name, port]) => [`  - name: ${name}`, "    address: 127.0.0.1", `    port: ${port}`]),
    "",
  ].join("\n");
}

/** A port that is free now, so that it can be named in a configuration. */
export const freePort = closedPort;

/** The value of a sample, 0 where there is none. `labels` must be those of the sample, in order. */
export async function metric(gateway: TestGateway, name: string, labels = ""): Promise<number> {
  const text = await gateway.gateway.metrics.render();
  const sample = labels === "" ? name : `${name}{${labels}}`;
  const line = text.split("\n").find((one) => one.startsWith(`${sample} `));
  return line === undefined ? 0 : Number(line.slice(sample.length + 1));
}
