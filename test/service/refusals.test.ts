import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import { createRefusals } from "../../src/service/refusals.ts";
import { createService } from "../../src/service/service.ts";
import { authority } from "../support/certificates.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { forward, serviceDeps, serviceOptions, spec, type Warnings } from "./support.ts";

function refusals() {
  const warnings: string[] = [];
  let at = 0;
  const told = createRefusals({
    service: "shop",
    onWarning: (_, { endpoint, reason }) => void warnings.push(`${endpoint}: ${reason}`),
    now: () => at,
  });
  const pass = (ms: number) => {
    at += ms;
  };
  return { told, pass, warnings };
}

const refused = (code: string) =>
  new GatewayError("upstream_connect", "It cannot be reached.", { cause: Object.assign(new Error("why"), { code }) });

describe("an endpoint that cannot be connected to", () => {
  test("is told with the reason, which clients do not see", () => {
    const { told, warnings } = refusals();
    told("one", refused("ECONNREFUSED"));
    told("two", new GatewayError("upstream_connect", "In time it was not."));
    expect(warnings).toEqual(["one: It cannot be reached. ECONNREFUSED: why", "two: In time it was not."]);
  });

  test("is told again when the reason is another, or after a minute", () => {
    const { told, pass, warnings } = refusals();
    for (let i = 0; i < 5; i++) told("one", refused("A"));
    expect(warnings).toHaveLength(1);
    told("one", refused("B"));
    pass(59_000);
    told("one", refused("B"));
    expect(warnings).toHaveLength(2);
    pass(1000);
    told("one", refused("B"));
    expect(warnings).toHaveLength(3);
  });

  test("is none that failed otherwise", () => {
    const { told, warnings } = refusals();
    told("one", new GatewayError("upstream_reset", "It broke."));
    expect(warnings).toEqual([]);
  });

  test("has the certificate's fault told", async () => {
    const { cert, key } = authority("Another CA").issue({ otherNames: ["IP:127.0.0.1"] });
    await using upstream = startAnswering(() => ok(), { tls: { cert, key } });
    const warnings: Warnings = [];
    const registry = createStaticRegistry({ shop: [spec("one", upstream.url)] });
    const service = createService("shop", serviceOptions(), serviceDeps(registry, warnings));
    await service.ready;
    await forward(service);
    await forward(service);
    expect(warnings).toEqual([expect.stringMatching(/not accepted\. [A-Z_]+: .*/)]);
    service.close();
  });
});
