import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as z from "zod";
import { schemaFiles } from "../../src/config/json-schema.ts";

const PUBLISHED = join(import.meta.dir, "../../schemas");

/** Says whether the published schema takes a value, by zod's own reading of JSON Schema. */
function takes(name: string, value: unknown): boolean {
  const text = schemaFiles().find((file) => file.name === name)?.text ?? "false";
  return z.fromJSONSchema(JSON.parse(text)).safeParse(value).success;
}

describe("the published schemas", () => {
  for (const { name, text } of schemaFiles()) {
    test(`${name} is current; \`bun src/config/publish.ts\` writes it`, async () => {
      expect(await Bun.file(join(PUBLISHED, name)).text()).toBe(text);
    });
  }

  test("take what the gateway takes, placeholders included", () => {
    const torii = {
      listeners: [{ name: "http", port: "${PORT}" }],
      redis: "${REDIS_URL:-}",
      limits: { headerBytes: "${SIZE:-16KiB}", bodyBytes: 1024, connections: 5 },
      defaults: { timeout: "5s" },
    };
    expect(takes("torii.schema.json", torii)).toBe(true);
    const routes = {
      services: {
        catalog: null,
        cart: { discover: "static", endpoints: [{ url: "http://127.0.0.1:1", weight: "${W}" }] },
      },
      routes: [
        { name: "a", matches: [{ path: { prefix: "/a" } }], plugins: [{ use: "cors", with: { origins: ["*"] } }] },
      ],
    };
    expect(takes("routes.schema.json", routes)).toBe(true);
  });

  test("refuse what the gateway refuses", () => {
    expect(takes("torii.schema.json", { listners: [] })).toBe(false);
    expect(takes("torii.schema.json", { defaults: { timeout: "5 sec" } })).toBe(false);
    expect(takes("routes.schema.json", { routes: [{ name: "a", tineout: "5s" }] })).toBe(false);
    expect(takes("routes.schema.json", { services: { a: { discover: "redis" } } })).toBe(false);
  });
});
