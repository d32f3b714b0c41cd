import { expect, setDefaultTimeout, test } from "bun:test";
import { authority } from "../support/certificates.ts";
import { eventually } from "../support/load.ts";
import { joinShop, leaveShop } from "../support/mesh.ts";
import { startOrigin } from "../support/origin.ts";
import { startRedis } from "../support/redis.ts";
import { startGateway } from "../support.ts";

setDefaultTimeout(60_000);

/** The line of docs/mesh.md. */
async function documentedUser(): Promise<readonly string[]> {
  const text = await Bun.file(`${import.meta.dir}/../../docs/mesh.md`).text();
  const line = /^user torii .*$/m.exec(text)?.[0] ?? "";
  return line.split(" ").slice(1);
}

test("a user with the rights of docs/mesh.md is all that a gateway needs, over TLS too", async () => {
  const ca = authority();
  const server = ca.issue({ names: ["redis.test"], otherNames: ["IP:127.0.0.1"], usage: "both" });
  const tls = { certPath: server.certPath, keyPath: server.keyPath, caPath: ca.certPath };
  await using redis = await startRedis({
    tls,
    user: { username: "default", password: "all" },
    args: ["--requirepass", "all"],
  });
  await redis.cli("ACL", "SETUSER", ...(await documentedUser()));
  await using origin = startOrigin();
  await joinShop(redis, "one", origin.port);
  const url = redis.url.replace("//", "//torii:secret@");
  const { cert, key } = ca.issue({ names: ["torii.test"], usage: "client" });
  await using gateway = await startGateway({
    torii: {
      redis: { url, tls: { ca: "redis-ca.pem", cert, key: "own.key", serverName: "redis.test" } },
      telemetry: { accessLog: { enabled: false } },
    },
    routes: { services: { shop: {} }, routes: [{ name: "shop", backends: [{ service: "shop" }] }] },
    files: { "redis-ca.pem": ca.cert, "own.key": key },
  });
  const idsOf = () => gateway.gateway.services.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
  await eventually(() => Bun.deepEquals(idsOf(), ["one"]), "the endpoint");
  expect((await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status).toBe(200);
  await joinShop(redis, "two", origin.port + 1, { leaseMs: 500 });
  await eventually(() => idsOf().length === 2, "a change to be heard of", 1000);
  await redis.cli("ZADD", "torii:mesh:{shop}:leases", String(Date.now() - 11_000), "two");
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
  const isSwept = async () => (await redis.cli("HEXISTS", "torii:mesh:{shop}:endpoints", "two")) === "0";
  await eventually(isSwept, "the sweep");
  await leaveShop(redis, "one");
  await eventually(() => idsOf().length === 0, "the last to leave", 1000);
  const warnings = gateway.log.filter(({ level, field }) => Number(level) >= 40 && field === undefined);
  expect(warnings).toEqual([]);
  expect(await redis.cli("ACL", "LOG")).toBe("");
});
