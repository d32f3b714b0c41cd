import { isBuiltin } from "node:module";
import type { Context, MiddlewareHandler } from "hono";
import * as z from "zod";
import type { Plugin } from "../plugin.ts";
import { HONO_MODULES } from "./hono-modules.ts";
import { importWithin } from "./module-import.ts";
import { nearest } from "./near.ts";

type Factory = (...args: readonly unknown[]) => unknown;

/** Factories whose first argument no file can give. */
const ARGUMENTS: Readonly<Record<string, (options: unknown) => readonly unknown[]>> = {
  "hono/ip-restriction": (options) => [connectionInfo, options],
};

/** Modules that would do harm here, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  // It prints to the standard output, where the access log goes, and shows queries with their secrets.
  "hono/logger": "hono/logger cannot be used, as it writes into the access log; see telemetry.accessLog instead",
};

function connectionInfo(context: Context): unknown {
  const { address } = context.env.client;
  return { remote: { address, addressType: address.includes(":") ? "IPv6" : "IPv4" } };
}

/** Says whether a name can only mean a module: `hono/cors`, `@scope/name`. */
function isModuleName(name: string): boolean {
  return /^(?:@[\w.-]+\/)?[\w.-]+(?:\/[\w.-]+)*$/.test(name) && name.includes("/");
}

/** Where modules are looked for, and how long their top level may take. */
export interface ModulesFrom {
  readonly folder: string;
  readonly timeoutMs: number;
}

/**
 * A plugin made of a Hono middleware module; `with` is what its function gets, nothing when it is empty.
 * A module that cannot be used gives a plugin whose options are at fault and say why, so that the fault is located.
 * Undefined when there is no module of that name and the name may mean something else.
 */
export async function modulePlugin(name: string, from: ModulesFrom): Promise<Plugin | undefined> {
  const loaded = await loadModule(name, from);
  if (loaded instanceof ModuleFault) {
    return loaded.isFound || isModuleName(name) ? broken(name, loaded.message) : undefined;
  }
  const factory = factoryOf(name, loaded);
  return typeof factory === "string" ? broken(name, factory) : working(name, factory);
}

class ModuleFault extends Error {
  override readonly name = "ModuleFault";
  /** There is a module of that name, so nothing else can be meant. */
  readonly isFound: boolean;

  constructor(message: string, isFound: boolean) {
    super(message);
    this.isFound = isFound;
  }
}

async function loadModule(name: string, { folder, timeoutMs }: ModulesFrom): Promise<object | ModuleFault> {
  const refusal = REFUSED[name];
  if (refusal !== undefined) return new ModuleFault(refusal, true);
  const known = HONO_MODULES[name];
  if (known !== undefined) return known();
  if (isBuiltin(name) || name.startsWith(".") || name.startsWith("/"))
    return new ModuleFault(`${name} is no middleware module`, false);
  try {
    return Object(await importWithin(Bun.resolveSync(name, folder), timeoutMs));
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const isAbsent = /Cannot find (?:module|package)/.test(message);
    if (isAbsent) return new ModuleFault(`there is no module ${name}; ${cureOf(name)}`, false);
    return new ModuleFault(`${name} cannot be loaded: ${message}`, true);
  }
}

function cureOf(name: string): string {
  const install = "install it where the configuration stands";
  const near = nearest(name, Object.keys(HONO_MODULES));
  return near === undefined ? install : `did you mean "${near}"? Otherwise ${install}`;
}

/** The function to call, or what is wrong. */
function factoryOf(name: string, loaded: object): Factory | string {
  const functions = Object.entries(loaded).filter(
    (entry): entry is [string, Factory] => typeof entry[1] === "function",
  );
  const wanted = (name.split("/").at(-1) ?? "").replaceAll("-", "").toLowerCase();
  const named = functions.find(([key]) => key.toLowerCase() === wanted) ?? functions.find(([key]) => key === "default");
  if (named !== undefined) return named[1];
  const [only, ...more] = functions;
  if (only === undefined) return `${name} exports no function; name a module that makes Hono middleware`;
  if (more.length === 0) return only[1];
  const names = functions.map(([key]) => key).join(", ");
  return `${name} exports several functions (${names}); write a plugin of your own that calls the one you mean`;
}

function isEmpty(options: unknown): boolean {
  return (
    options === undefined || (typeof options === "object" && options !== null && Object.keys(options).length === 0)
  );
}

function working(name: string, factory: Factory): Plugin {
  return {
    name,
    options: z.unknown(),
    provision: (options) => {
      // Some middleware writes into its options; each use has its own.
      const own: unknown = structuredClone(options);
      const args = ARGUMENTS[name]?.(own) ?? (isEmpty(own) ? [] : [own]);
      const middleware: unknown = factory(...args);
      if (typeof middleware !== "function") throw new Error(`${name} makes no Hono middleware`);
      // By its contract a Hono middleware module's function returns this.
      return middleware as MiddlewareHandler;
    },
  };
}

function broken(name: string, message: string): Plugin {
  return {
    name,
    options: z.unknown().superRefine((_, context) => context.addIssue({ code: "custom", message })),
    provision: () => {
      throw new Error(message);
    },
  };
}
