import type { Plugin } from "../plugin.ts";
import { addFault, type Building } from "./building.ts";
import { below, checkPart, locatedFaults, placeOf, type Spot } from "./check.ts";
import { suggestion } from "./near.ts";
import type { ReadableUses } from "./readable-route.ts";
import type { PluginUseDocument } from "./route-schema.ts";
import type { PluginUse } from "./types.ts";
import { quote } from "./wording.ts";

// These change a request or a response and leave the answer to somebody else.
const PASSING = new Set([
  "rewrite",
  "request-headers",
  "response-headers",
  "cors",
  "rate-limit",
  "quota",
  "concurrency-limit",
]);

const SHADOWLESS =
  "is for plugins that can report what they would do, such as rate-limit, and this is none; leave it out";

/** The names that uses ask the catalog for; functions have none, nor has what could not be read. */
export function usedNames(uses: ReadableUses): readonly string[] {
  return uses.flatMap((written) => (typeof written?.use === "string" ? [written.use] : []));
}

/** Says whether one of the plugins may answer on its own: all but those that are known to pass on. */
export function hasAnswer(uses: readonly PluginUse[]): boolean {
  return uses.some((use) => use.middleware !== null || !(PASSING.has(use.name) || use.name.startsWith("hono/")));
}

interface OptionsSpot {
  readonly spot: Spot;
  readonly building: Building;
}

/** The options as the schema takes them; they stay as written when they have faults. */
function checkedOptions(plugin: Plugin, options: unknown, { spot, building }: OptionsSpot): unknown {
  try {
    const checked = checkPart(plugin.options, options, spot);
    if (checked.isValid) return checked.input;
    building.issues.push(...locatedFaults(checked.faults, spot));
  } catch (error) {
    // A user's schema may throw, or ask for an asynchronous check, for which there is no time here.
    const reason = error instanceof Error ? error.message : String(error);
    addFault(building, spot, `cannot be checked by the plugin's schema: ${reason}`);
  }
  return options;
}

function pluginUse(written: PluginUseDocument, spot: Spot, building: Building): PluginUse {
  const source = placeOf(spot);
  if (typeof written.use === "function") {
    // An arrow function has the name of the key that it was given to, which says nothing.
    const { name } = written.use;
    if (written.shadow === true) addFault(building, below(spot, "shadow"), SHADOWLESS);
    const shown = name === "" || name === "use" ? "middleware" : name;
    return { name: shown, options: {}, middleware: written.use, isShadow: false, source };
  }
  const isShadow = written.shadow === true;
  const given = { name: written.use, options: written.with ?? {}, middleware: null, isShadow, source };
  if (building.catalog === null) return given;
  const plugin = building.catalog.get(written.use);
  if (plugin === undefined) {
    const help = suggestion(written.use, building.catalog.names());
    addFault(building, below(spot, "use"), `${quote(written.use)} is not a plugin${help}`);
    return given;
  }
  if (isShadow && plugin.knowsShadow !== true) addFault(building, below(spot, "shadow"), SHADOWLESS);
  return { ...given, options: checkedOptions(plugin, given.options, { spot: below(spot, "with"), building }) };
}

/** The uses of a list at `spot`; unknown names and wrong options become faults. */
export function pluginUses(
  written: readonly PluginUseDocument[],
  spot: Spot,
  building: Building,
): readonly PluginUse[] {
  return written.map((use, index) => pluginUse(use, below(spot, index), building));
}

/** Checks what can be read of a list at `spot`: unknown names and wrong options become faults. */
export function checkUses(written: ReadableUses, spot: Spot, building: Building): void {
  for (const [index, use] of written.entries()) {
    if (use !== null) pluginUse(use, below(spot, index), building);
  }
}

/**
 * What a route runs: the defaults first, then its own. A plugin that the route names itself replaces the default
 * of that name; an empty list says that nothing runs, and no list that only the defaults do.
 */
export function withDefaults(
  own: readonly PluginUse[] | undefined,
  defaults: readonly PluginUse[],
): readonly PluginUse[] {
  if (own === undefined) return defaults;
  if (own.length === 0) return [];
  const names = new Set(own.filter((use) => use.middleware === null).map((use) => use.name));
  return [...defaults.filter((use) => use.middleware !== null || !names.has(use.name)), ...own];
}
