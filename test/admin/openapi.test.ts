import { describe, expect, test } from "bun:test";
import * as z from "zod";
import { openApi } from "../../src/admin/openapi.ts";
import { RESOURCES } from "../../src/admin/resources.ts";
import { endpointView, serviceView, sourceOf } from "./support.ts";

const document = openApi(RESOURCES, "1.2.3");

const shape = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.object({ get: z.object({ operationId: z.string(), responses: z.looseObject({}) }) })),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
});

function refsOf(value: unknown): readonly string[] {
  return [...JSON.stringify(value).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref]) => ref ?? "");
}

describe("the OpenAPI document", () => {
  test("has every resource, each with an id of its own", () => {
    const { paths } = shape.parse(document);
    expect(Object.keys(paths)).toEqual([
      "/v1/status",
      "/v1/routes",
      "/v1/services",
      "/v1/services/{name}",
      "/v1/limits",
      "/v1/openapi.json",
      "/v1/limits/{name}/keys/{key}",
    ]);
    const ids = Object.values(paths).map(({ get }) => get.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("refers to nothing that it does not hold", () => {
    const { components } = shape.parse(document);
    const known = Object.keys(components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(new Set(refsOf(document))).toEqual(new Set(known));
  });

  test.each(RESOURCES.map((resource) => [resource.path, resource] as const))(
    "describes what %s answers",
    async (_, { schema, read }) => {
      const views = [serviceView({ endpoints: [endpointView({ tags: ["x"], zone: "z" })] })];
      const found = await read(sourceOf([{ worker: 1, services: views }]), "shop");
      expect(schema.safeParse(found).error).toBeUndefined();
      expect(schema.safeParse({ ...z.looseObject({}).parse(found), more: 1 }).success).toBe(false);
    },
  );
});
