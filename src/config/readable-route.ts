import type * as z from "zod";
import { type PluginUseDocument, pluginUse, routeSchema } from "./route-schema.ts";

/** An entry of a list that cannot be read is null, so that the others keep their places. */
export type ReadableUses = readonly (PluginUseDocument | null)[];

/** What can be read of a route that has faults: the names in it that are well formed, for checks of their own. */
export interface ReadableRoute {
  readonly name: string | null;
  readonly listeners: readonly (string | null)[];
  readonly plugins: ReadableUses;
  readonly backends: readonly { readonly service: string | null; readonly plugins: ReadableUses }[];
}

const { shape } = routeSchema;
const LISTENER = shape.listeners.unwrap().element;
const SERVICE = shape.backends.unwrap().element.shape.service;

function keysOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function readable<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | null {
  const checked = schema.safeParse(value);
  return checked.success ? checked.data : null;
}

function readableUses(value: unknown): ReadableUses {
  return itemsOf(value).map((item) => {
    const written = keysOf(item);
    const use = readable(pluginUse.shape.use, written["use"]);
    return use === null ? null : { use, with: written["with"] };
  });
}

/** Reads what it can of one entry of `routes`; of what is no map, nothing. */
export function readableRoute(value: unknown): ReadableRoute {
  const route = keysOf(value);
  return {
    name: readable(shape.name, route["name"]),
    listeners: itemsOf(route["listeners"]).map((name) => readable(LISTENER, name)),
    plugins: readableUses(route["plugins"]),
    backends: itemsOf(route["backends"]).map((item) => {
      const backend = keysOf(item);
      return { service: readable(SERVICE, backend["service"]), plugins: readableUses(backend["plugins"]) };
    }),
  };
}
