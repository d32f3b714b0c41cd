import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as z from "zod";
import { builtIns } from "../../plugins/index.ts";
import { schemaFiles } from "../../src/config/json-schema.ts";
import { definePlugin } from "../../src/plugin.ts";

const PUBLISHED = join(import.meta.dir, "../../schemas");

const BUILT_IN = builtIns.map(({ name }) => name);
const FILES = schemaFiles(builtIns);

function textOf(name: string): string {
  return FILES.find((file) => file.name === name)?.text ?? "false";
}

/** The same schema without conditions, which zod's reading of JSON Schema does not know. */
function unconditional(text: string) {
  return JSON.parse(text, (key, value) => (key === "allOf" ? undefined : value));
}

/** Says whether the published schema takes a value, by zod's own reading of JSON Schema. */
function takes(name: string, value: unknown): boolean {
  return z.fromJSONSchema(unconditional(textOf(name))).safeParse(value).success;
}

/** Says whether the published schema of a plugin's options takes a value. */
function takesOptions(plugin: string, value: unknown): boolean {
  const { $defs } = JSON.parse(textOf("routes.schema.json"));
  return z.fromJSONSchema($defs[plugin]).safeParse(value).success;
}

describe("the published schemas", () => {
  for (const { name, text } of FILES) {
    test(`${name} is current; \`bun run schema\` writes it`, async () => {
      expect(await Bun.file(join(PUBLISHED, name)).text()).toBe(text);
    });
  }

  test("take what the gateway takes, placeholders included", () => {
    const torii = {
      $schema: "./schemas/torii.schema.json",
      listeners: [{ name: "http", port: "${PORT}" }],
      redis: "${REDIS_URL:-}",
      limits: { headerBytes: "${SIZE:-16KiB}", bodyBytes: 1024, connections: 5 },
      defaults: { timeout: "5s" },
    };
    expect(takes("torii.schema.json", torii)).toBe(true);
    const routes = {
      $schema: "../schemas/routes.schema.json",
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
    expect(takes("routes.schema.json", { services: { a: { discover: "kubernetes" } } })).toBe(false);
  });

  test("have titles, and no format that validators do not know", () => {
    for (const { name } of FILES) {
      const { title } = JSON.parse(textOf(name));
      expect([name, title]).toEqual([name, expect.stringMatching(/\S/)]);
      expect(textOf(name)).not.toContain('"format"');
    }
  });

  test("describe the options of every built-in plugin", () => {
    for (const { name } of FILES) expect(Object.keys(JSON.parse(textOf(name)).$defs)).toEqual(BUILT_IN);
    expect(takesOptions("cors", { origins: ["HTTPS://shop.example.com", "${ORIGIN}"], maxAge: "10m" })).toBe(true);
    expect(takesOptions("cors", { origin: ["*"] })).toBe(false);
    expect(takesOptions("rewrite", { path: { regex: "^/a", replace: "/b" } })).toBe(true);
    expect(takesOptions("rewrite", { pathh: {} })).toBe(false);
    expect(takesOptions("respond", { status: "${STATUS}" })).toBe(true);
  });

  test("ask for options where a plugin is used that needs some", () => {
    const options = z.strictObject({ a: z.string() });
    const needy = definePlugin({ name: "needy", options, create: () => (_, next) => next() });
    const easy = definePlugin({ name: "easy", options: options.partial(), create: () => (_, next) => next() });
    const condition = (name: string, needed: object) => ({
      if: { properties: { use: { const: name } }, required: ["use"] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { with: { $ref: `#/$defs/${name}` } }, ...needed },
    });
    for (const { text } of schemaFiles([needy, easy])) {
      const found: unknown[] = [];
      JSON.parse(text, (key, value) => (key === "allOf" ? found.push(value) : value));
      expect(found).toContainEqual([condition("needy", { required: ["with"] }), condition("easy", {})]);
    }
  });
});
