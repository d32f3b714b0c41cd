import { expect, test } from "bun:test";
import { listenerLines, listenerNews } from "../../src/gateway/listener-lines.ts";
import { load } from "../config/folder.ts";
import { authority } from "../support/certificates.ts";

test("the line of a listener says how to reach it, and that HTTP/3 is there too where it is offered", async () => {
  const ca = authority();
  const { cert, key } = ca.issue({ names: ["a.test"] });
  const certificates = [{ cert, key }];
  const listeners = [
    { name: "plain", port: 80 },
    { name: "web", port: 443, http3: "experimental", tls: { certificates } },
    { name: "old", port: 444, tls: { certificates } },
    // HTTP/3 cannot ask for certificates here.
    {
      name: "mesh",
      port: 445,
      http3: "experimental",
      tls: { certificates, clientAuth: { ca: ca.cert, mode: "require" } },
    },
  ];
  const { config } = await load({ "torii.yaml": JSON.stringify({ listeners }) });
  const addresses = new Map(listeners.map(({ name, port }) => [name, { address: "0.0.0.0", port }]));
  expect(listenerLines(addresses, config.listeners)).toEqual([
    "plain listens on http://127.0.0.1:80",
    "web listens on https://127.0.0.1:443, and HTTP/3 at the same port over UDP",
    "old listens on https://127.0.0.1:444",
    "mesh listens on https://127.0.0.1:445",
  ]);
});

test("a reload tells which listeners it opened, moved and closed, and nothing of the others", async () => {
  const listeners = [
    { name: "stays", port: 80 },
    { name: "moves", port: 82 },
    { name: "new", protocol: "tcp", port: 90 },
  ];
  const { config } = await load({ "torii.yaml": JSON.stringify({ listeners }) });
  const at = (ports: Readonly<Record<string, number>>) =>
    new Map(Object.entries(ports).map(([name, port]) => [name, { address: "0.0.0.0", port }]));
  const before = at({ stays: 80, moves: 81, gone: 83 });
  const after = at({ stays: 80, moves: 82, new: 90 });
  expect(listenerNews({ before, after, listeners: config.listeners })).toEqual([
    "moves listens no more on 0.0.0.0:81",
    "gone listens no more on 0.0.0.0:83",
    "moves listens on http://127.0.0.1:82",
    "new listens on tcp://127.0.0.1:90",
  ]);
});
