import { describe, expect, test } from "bun:test";
import { stringify } from "yaml";
import { showConfig } from "../../src/config/show.ts";
import { faults, load } from "./folder.ts";

/** What a plugin's option becomes. */
async function option(text: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const route = {
    name: "a",
    plugins: [
      { use: "request-headers", with: { value: text } },
      { use: "respond", with: { status: 200 } },
    ],
  };
  const { config } = await load({ "routes/a.yaml": stringify({ routes: [route] }), "secret.txt": "s3cr3t\n" }, { env });
  return config.routes[0]?.plugins[0]?.options;
}

describe("a placeholder", () => {
  for (const [text, value, what] of [
    ["${NAME}", "me", "is filled from the environment"],
    ["a-${NAME}-${NAME}-b", "a-me-me-b", "may stand within a text, several times"],
    ["${NONE:-fallback}", "fallback", "falls back to its default"],
    ["${EMPTY:-fallback}", "fallback", "takes an empty variable for a missing one when it has a default"],
    ["${EMPTY}", "", "may be empty"],
    ["${NONE:-}", "", "may have an empty default"],
    ["${NONE:-a:-b $ c}", "a:-b $ c", "keeps every character of its default"],
    ["$${NAME} costs 5$$", "${NAME} costs 5$", "is escaped by doubling the $"],
    ["$NAME and $ alone", "$NAME and $ alone", "needs braces"],
    ["${DOLLAR}", "${NAME}", "is not looked for in what was filled in"],
    ["${DIGITS}", "0123", "gives a text of digits where a text is right"],
    ["${file:secret.txt}", "s3cr3t", "reads a file beside torii.yaml, without its last line end"],
  ] as const) {
    test(what, async () => {
      const env = { NAME: "me", EMPTY: "", DOLLAR: "${NAME}", DIGITS: "0123" };
      expect(await option(text, env)).toEqual({ value });
    });
  }

  test("gives a number and a boolean where one is right, quoted or not, in YAML and JSON", async () => {
    const { config } = await load(
      {
        "torii.yaml":
          'listeners:\n  - name: http\n    port: ${PORT}\n  - { name: b, port: "${OTHER}" }\ntelemetry: { accessLog: { enabled: "${LOG}" } }\n',
        "routes/a.json": '{ "services": { "a": { "maxConnections": "${MAX:-7}" } } }',
        "routes/b.yaml": 'routes: [{ name: a, plugins: [{ use: respond, with: { status: "${STATUS}" } }] }]',
      },
      { env: { PORT: "81", OTHER: "82", LOG: "false", STATUS: "204" } },
    );
    expect(config.listeners.map(({ port }) => port)).toEqual([81, 82]);
    expect(config.accessLog.isEnabled).toBe(false);
    expect(config.services[0]?.options.maxConnections).toBe(7);
    expect(config.routes[0]?.plugins[0]?.options).toEqual({ status: 204 });
  });

  test("may leave redis empty", async () => {
    expect((await load({ "torii.yaml": "redis: ${REDIS_URL:-}" })).config.listeners).toHaveLength(1);
  });

  test("is not looked for in keys, comments and TypeScript", async () => {
    const { config } = await load({
      "routes/a.yaml":
        "# ${NONE}\nroutes:\n  - name: a\n    plugins: [{ use: request-headers, with: { '${NONE}': x } }, { use: respond, with: { status: 200 } }]\n",
      "routes/b.ts":
        'export default { services: { a: { discover: "static", endpoints: [] } }, routes: [{ name: "b", plugins: [{ use: "request-headers", with: { a: "${NONE}" } }, { use: "respond", with: { status: 200 } }] }] };',
    });
    expect(config.routes.map(({ plugins }) => plugins[0]?.options)).toEqual([{ "${NONE}": "x" }, { a: "${NONE}" }]);
  });
});

describe("a secret", () => {
  const files = {
    "secret.txt": "a-secret-from-a-file\n",
    "short.txt": "abc\n",
    "routes/a.yaml": `services:
  abc:
routes:
  - name: a
    plugins:
      - use: request-headers
        with:
          set: { authorization: Bearer plain-token, x-other: "before \${file:secret.txt} after" }
          apiKey: "\${KEY}"
          pin: "x \${file:short.txt} y"
          alone: "\${file:short.txt}"
          copy: 12345678
          open: nothing to hide
    backends: [{ service: abc }]
`,
  };

  test("is shown as *** wherever it stands, and nothing else is", async () => {
    const shown = showConfig(await load(files, { env: { KEY: "12345678" } }));
    for (const secret of ["a-secret-from-a-file", "plain-token", "12345678", "x abc y"])
      expect(shown).not.toContain(secret);
    expect(shown).toContain('authorization: "***"');
    expect(shown).toContain("x-other: before *** after");
    expect(shown).toContain('apiKey: "***"');
    expect(shown).toContain('pin: "***"');
    expect(shown).toContain("open: nothing to hide");
    expect(shown).toContain("source: routes/a.yaml:4");
  });

  test("does not stand in a fault, whole, in part or cut", async () => {
    const long = "v".repeat(30) + "0123456789".repeat(10);
    const found = await faults(
      {
        ...files,
        "torii.yaml": 'limits: { headerBytes: "x${file:long.txt}", uriBytes: "${file:secret.txt}" }',
        "long.txt": long,
      },
      { env: { KEY: "12345678" } },
    );
    expect(found).toHaveLength(2);
    expect(found.join("\n")).not.toMatch(/v{5}|01234|a-secret/);
  });

  test("file is among what is watched", async () => {
    const { watched } = await load(files, { env: { KEY: "12345678" } });
    expect(watched.filter((path) => path.endsWith(".txt"))).toHaveLength(2);
  });
});
