import { describe, expect, test } from "bun:test";
import { type Command, type CommandContext, EXIT, runCommand, UsageError } from "../../src/cli/command.ts";
import { table } from "../../src/cli/table.ts";
import { ConfigError } from "../../src/errors.ts";
import { closedPort } from "../support/unreachable.ts";
import { SHOP, torii } from "./support.ts";

describe("torii routes", () => {
  test("lists the routes in words, as a table", async () => {
    const { code, out } = await torii(["routes", "--files"], SHOP);
    const [head, ...rows] = out.split("\n").map((line) => line.split(/ {2,}/));
    expect([code, head]).toEqual([0, ["ROUTE", "HOSTS", "LISTENERS", "MATCHES", "PLUGINS", "BACKENDS"]]);
    expect(rows.map(([name]) => name)).toEqual(["users", "beta", "inner", "all"]);
    expect(rows[0]).toEqual(["users", "shop.test", "*", "GET /users/:id", "request-headers", "shop (95), next (5)"]);
    expect(rows[1]?.[3]).toMatch(/^\/users\/\* header x-beta \(.*1.*\) query lang \(.*en\|fr.*\)$/);
    expect(rows[2]).toEqual(["inner", "*", "inner", "/inner", "respond", "-"]);
    expect(rows[3]).toEqual(["all", "shop.test", "*", "/*", "-", "shop"]);
  });

  test("lists them as JSON with file and line", async () => {
    const { code, out } = await torii(["routes", "--files", "--json"], SHOP);
    const rows: readonly Readonly<Record<string, unknown>>[] = JSON.parse(out).routes;
    expect([code, rows.map((row) => row["name"])]).toEqual([0, ["users", "beta", "inner", "all"]]);
    expect(rows[0]).toEqual({
      name: "users",
      hostnames: ["shop.test"],
      listeners: null,
      isPassthrough: false,
      priority: "normal",
      matches: [{ path: "/users/:id", methods: ["GET"], headers: [], query: [] }],
      plugins: ["request-headers"],
      backends: [
        { service: "shop", weight: 95, isValid: true, plugins: [] },
        { service: "next", weight: 5, isValid: true, plugins: ["response-headers"] },
      ],
      timeoutMs: 5000,
      source: "routes/shop.yaml:6",
    });
  });

  test("lists none where there are none", async () => {
    expect((await torii(["routes", "--files"])).out).toBe("ROUTE  HOSTS  LISTENERS  MATCHES  PLUGINS  BACKENDS");
    expect(JSON.parse((await torii(["routes", "--files", "--json"])).out)).toEqual({ routes: [] });
  });

  test("takes another configuration file", async () => {
    const files = { ...SHOP, "other/torii.yaml": "routes: empty/\n", "other/empty/none.yaml": "" };
    const { out } = await torii(["routes", "--files", "--json", "--config", "other/torii.yaml"], files);
    expect(JSON.parse(out)).toEqual({ routes: [] });
  });

  test("takes no further argument", async () => {
    expect(await torii(["routes", "extra"], SHOP)).toMatchObject({ code: 2, out: "" });
  });
});

describe("torii validate", () => {
  test("says what is there when all is well", async () => {
    expect(await torii(["validate"], SHOP)).toEqual({ code: 0, out: "valid: 4 routes, 2 services", err: "" });
  });

  test("counts one route as one", async () => {
    const files = { "routes/a.yaml": "routes: [{ name: a, plugins: [{ use: respond, with: { status: 204 } }] }]" };
    expect((await torii(["validate"], files)).out).toBe("valid: 1 route, 0 services");
  });

  test("prints a warning as one, and ends with 0 all the same: a store that is away keeps nobody from checking", async () => {
    const port = closedPort();
    const { code, out } = await torii(["validate"], {
      "torii.yaml": `redis: redis://127.0.0.1:${port}\nlisteners:\n  - { name: a, port: 1, tls: { certificates: [{ store: shop }] } }\n`,
    });
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual([
      `warning: torii.yaml:3:56 listeners[0].tls.certificates[0].store: store shop was not looked at: Redis is away: connect ECONNREFUSED 127.0.0.1:${port}`,
      "valid: 0 routes, 0 services",
    ]);
  });

  test("prints every fault at its place, counts them, and ends with 1", async () => {
    const { code, out, err } = await torii(["validate"], {
      "torii.yaml": "listenrs: []\n",
      "routes/a.yaml": "routes:\n  - name: a\n    backends: [{ service: nobody }]\n",
      "routes/b.yaml": "routes:\n  - nam: b\n",
    });
    expect([code, err]).toEqual([1, `${out.split("\n").length} faults`]);
    const places = out.split("\n").map((line) => /^[^ ]+/.exec(line)?.[0]);
    for (const place of ["torii.yaml:1:1", "routes/a.yaml:3:27", "routes/b.yaml:2:5"]) expect(places).toContain(place);
  });

  test("counts one fault as one", async () => {
    expect(await torii(["validate"], { "torii.yaml": "nonsense: 1\n" })).toMatchObject({ code: 1, err: "1 fault" });
  });

  test("checks only the route files that are named", async () => {
    const files = { ...SHOP, "routes/broken.yaml": "routes: 7\n", "elsewhere/one.yaml": "routes: 8\n" };
    expect((await torii(["validate"], files)).code).toBe(1);
    expect(await torii(["validate", "routes/shop.yaml"], files)).toMatchObject({ code: 0 });
    const { code, out } = await torii(["validate", "elsewhere/one.yaml"], files);
    expect([code, out]).toEqual([1, expect.stringMatching(/^elsewhere\/one\.yaml:1:\d+ routes/)]);
  });

  test.each([
    ["by its name", "sub/torii.yaml", "routes: there/\n"],
    ["by its keys", "sub/gateway.yaml", "listeners: [{ name: http, port: 1 }]\nroutes: there/\n"],
    ["by its keys, in JSON", "sub/gateway.json", '{ "status": { "port": 1 }, "routes": "there/" }'],
  ])("knows the gateway's own file %s, and checks all that it names", async (_, path, text) => {
    const files = { [path]: text, "sub/there/a.yaml": "routes: 7\n", "sub/b.yaml": "routes: 8\n" };
    expect((await torii(["validate", path], files)).out).toMatch(/^sub\/there\/a\.yaml:1:9 routes: /);
    expect((await torii(["validate", path, "sub/b.yaml"], files)).out).toMatch(/^sub\/b\.yaml:1:9 routes: /);
  });

  test("checks one gateway's file at a time", async () => {
    const files = { "torii.yaml": "", "b/torii.yaml": "" };
    for (const args of [
      ["torii.yaml", "b/torii.yaml"],
      ["--config", "torii.yaml", "b/torii.yaml"],
    ]) {
      const { code, err } = await torii(["validate", ...args], files);
      expect([code, err]).toEqual([2, expect.stringContaining("torii.yaml and b/torii.yaml are both")]);
    }
  });

  test("takes a route file with a stray key for a route file", async () => {
    const text = "listeners: [http]\nservices: {}\n";
    expect((await torii(["validate", "a.yaml"], { "a.yaml": text })).out).toMatch(/^a\.yaml:1:1 listeners: is not/);
  });

  test("says which file is missing", async () => {
    const named = await torii(["validate", "--config", "nowhere.yaml"]);
    expect([named.code, named.out]).toEqual([1, expect.stringContaining("nowhere.yaml")]);
    const routes = await torii(["validate", "nowhere/a.yaml"]);
    expect([routes.code, routes.out]).toEqual([1, expect.stringContaining("nowhere/a.yaml")]);
  });

  test("fills variables in from the environment", async () => {
    const files = { "torii.yaml": "listeners: [{ name: http, port: '${PORT}' }]\n" };
    expect(await torii(["validate"], files, { PORT: "8080" })).toMatchObject({ code: 0 });
    expect((await torii(["validate"], files)).out).toContain("PORT");
  });
});

describe("the command line", () => {
  const COMMANDS = ["run", "validate", "explain", "status", "routes", "services", "healthcheck", "version"];

  test.each([[["help"]], [["--help"]], [["-h"]]])("%j lists the commands", async (args) => {
    const { code, out } = await torii(args);
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^${name}\\b.*\\S`, "m"));
  });

  test("without a command lists them too, and ends with 2", async () => {
    const { out: help } = await torii(["help"]);
    expect(await torii([])).toEqual({ code: 2, out: "", err: help });
  });

  test.each(COMMANDS)("help %s says the same as %s --help", async (name) => {
    expect(await torii(["help", name])).toEqual(await torii([name, "--help"]));
  });

  test.each(COMMANDS)("%s --help says how it is used", async (name) => {
    const { code, out } = await torii([name, "--help"]);
    expect([code, out]).toEqual([0, expect.stringMatching(new RegExp(`^usage: torii ${name}\\b`))]);
  });

  test.each([[["version"]], [["--version"]]])("%j prints versions", async (args) => {
    const { code, out } = await torii(args);
    expect([code, out]).toEqual([0, expect.stringContaining(`torii 1.2.3 (bun ${Bun.version}`)]);
  });

  test("does not know other commands, and says which there are", async () => {
    const { code, out, err } = await torii(["rout"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toStartWith("torii: rout is no command\n\nusage: torii COMMAND");
  });

  test.each(["diff", "apply", "rollback", "agent", "drain"])("says that %s is not built yet", async (name) => {
    const { code, err } = await torii([name]);
    expect([code, err]).toEqual([2, expect.stringContaining(`${name} is not built yet`)]);
  });
});

describe("what a command throws", () => {
  const issue = { file: "a.yaml", line: 3, column: 7, field: "b", message: "is wrong" };
  const rows: readonly (readonly [what: string, thrown: unknown, code: number, err: string])[] = [
    [
      "faults of a configuration",
      new ConfigError([issue, { ...issue, line: null }]),
      1,
      "a.yaml:3:7 b: is wrong\na.yaml b: is wrong",
    ],
    ["misuse", new UsageError("give a name"), 2, "torii odd: give a name\nusage: torii odd NAME"],
    ["another error", new Error("no luck"), 1, "torii odd: no luck"],
    ["what is no error", "no luck", 1, "torii odd: no luck"],
  ];
  test.each(rows)("becomes an exit code and a message: %s", async (_, thrown, code, err) => {
    const odd: Command = { name: "odd", usage: "torii odd NAME", summary: "", run: () => Promise.reject(thrown) };
    const said: string[] = [];
    const context: CommandContext = {
      env: {},
      cwd: "/",
      version: "",
      openCatalog: () => Promise.reject(new Error("unused")),
      out: () => {},
      err: (text) => void said.push(text),
    };
    expect([await runCommand(odd, [], context), said.join("\n")]).toEqual([code, err]);
  });

  test("exit codes are those that are promised", () => {
    expect(EXIT).toEqual({ done: 0, failed: 1, misuse: 2 });
  });
});

describe("a table", () => {
  test("is as wide as its widest cells, without white space at line ends", () => {
    expect(
      table(
        ["A", "LONG", "C"],
        [
          ["aaa", "b", ""],
          ["a", "", "ccc"],
        ],
      ),
    ).toBe("A    LONG  C\naaa  b\na          ccc");
  });

  test("of no rows is its head", () => {
    expect(table(["A", "B"], [])).toBe("A  B");
  });

  test("lets no text move the cursor, begin a line or turn one around", () => {
    expect(table(["A"], [["\u001b[2Jx\ny\u009b\u202ez\u2028"], ["größe-東"]])).toBe(
      "A\n\ufffd[2Jx\ufffdy\ufffd\ufffdz\ufffd\ngröße-東",
    );
  });
});

test.each([
  ["validate --conf x", '--conf is no option; did you mean "--config"?'],
  ["run --confg x", '--confg is no option; did you mean "--config"?'],
  ["run --colour", "--colour is no option; known here: --config, --demo"],
  ["run -c x", "-c is no option; known here: --config, --demo"],
])("torii %s says which options there are", async (line, said) => {
  const [name = ""] = line.split(" ");
  const { code, err } = await torii(line.split(" "));
  expect([code, err.split("\n")[0]]).toEqual([2, `torii ${name}: ${said}`]);
});
