/** What a room may import of ours. */
export interface RoomRule {
  /** Rooms whose files may be imported in any way. */
  readonly values: readonly string[];
  /** Rooms of which only types may be imported. */
  readonly types?: readonly string[];
  /** Single files of other rooms that may be imported in any way, as patterns of paths without `src/`. */
  readonly files?: readonly RegExp[];
}

const BASE = ["errors"];
/** What services take to join the mesh: it stands alone, and is the one that writes into the registry. */
const MESH = "packages/mesh";
const PARTS = [
  MESH,
  "errors",
  "regex",
  "plugin",
  "wire",
  "route",
  "service",
  "registry",
  "store",
  "limit",
  "auth",
  "telemetry",
];
const WHOLE = [...PARTS, "traffic", "config", "torii", "plugins", "admin", "gateway"];

/**
 * The table of docs/architecture.md. A room is a folder of `src/`, a file that stands alone in `src/`,
 * the folder `plugins/`, or a package in `packages/`. A room may always import itself; npm packages are not its matter.
 */
export const ROOMS: Readonly<Record<string, RoomRule>> = {
  errors: { values: [] },
  regex: { values: [] },
  wire: { values: BASE },
  store: { values: BASE },
  [MESH]: { values: [] },
  registry: { values: [...BASE, MESH] },
  telemetry: { values: BASE },
  limit: { values: [...BASE, "store", "telemetry"] },
  auth: { values: [...BASE, "store", "telemetry"] },
  plugin: {
    values: [...BASE, "regex", "limit", "auth", "store"],
    types: ["wire"],
    files: [/^wire\/(?:address|named-value)\.ts$/],
  },
  route: { values: [...BASE, "regex"], types: ["plugin", "wire"], files: [/^wire\/fetch-[a-z-]+\.ts$/] },
  service: { values: [...BASE, "wire", "telemetry"], types: ["registry", "store"] },
  traffic: { values: BASE, types: ["wire", "route", "service"] },
  config: { values: [...BASE, "regex", "plugin", "route", "service", "traffic"], types: PARTS },
  torii: { values: [...BASE, "plugin", "config"] },
  plugins: { values: [...BASE, "plugin"] },
  gateway: { values: WHOLE },
  admin: { values: WHOLE },
  supervisor: { values: WHOLE },
  cli: { values: [...WHOLE, "supervisor"] },
  main: { values: [...WHOLE, "cli", "package.json"] },
};
