import { expect, test } from "bun:test";
import { listenerLines } from "../../src/cli/origin.ts";
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
