import { builtIns } from "../../plugins/index.ts";
import { main } from "../../src/cli/main.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { type Files, inFolder } from "../config/folder.ts";

/** What a command said and how it ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `torii` with these arguments, in this process, in a folder of these files. */
export function torii(
  args: readonly string[],
  files: Files = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return inFolder(files, async (cwd) => {
    const out: string[] = [];
    const err: string[] = [];
    const code = await main(args, {
      env,
      cwd,
      version: "1.2.3",
      openCatalog: createCatalogs(builtIns),
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
    });
    return { code, out: out.join("\n"), err: err.join("\n") };
  });
}

/** A shop: an exact path, a pattern with a plugin and a split, a host of its own, and the rest. */
export const SHOP: Files = {
  "torii.yaml": "listeners: [{ name: http, port: 8080 }, { name: inner, port: 8081 }]\n",
  "routes/shop.yaml": `
services:
  shop: { discover: static, endpoints: [{ url: "http://127.0.0.1:9001" }, { url: "http://127.0.0.1:9002" }] }
  next: { discover: memory }
routes:
  - name: users
    hostnames: [shop.test]
    matches: [{ path: "/users/:id", methods: [GET] }]
    plugins: [{ use: request-headers, with: { set: { x-a: "1" } } }]
    timeout: 5s
    backends:
      - { service: shop, weight: 95 }
      - { service: next, weight: 5, plugins: [{ use: response-headers, with: { set: { x-b: "2" } } }] }
  - name: beta
    hostnames: [shop.test]
    matches: [{ path: /users/*, headers: { x-beta: "1" }, query: { lang: { regex: "en|fr" } } }]
    backends: [{ service: next }]
  - name: inner
    listeners: [inner]
    matches: [{ path: /inner }]
    plugins: [{ use: respond, with: { status: 204 } }]
  - name: all
    hostnames: [shop.test]
    backends: [{ service: shop }]
`,
};
