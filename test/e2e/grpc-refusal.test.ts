import { describe, expect, test } from "bun:test";
import { request } from "../support/forward.ts";
import { header } from "../support/message.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway, startProxy } from "../support.ts";

function call(path: string, type = "application/grpc"): string {
  return request(`POST ${path}`, `Content-Type: ${type}`, "TE: trailers", "Content-Length: 0");
}

describe("a gRPC call that the gateway refuses", () => {
  test("gets a status in the head and no body, whatever refused it", async () => {
    await using gateway = await startProxy(`http://127.0.0.1:${closedPort()}`, {
      route: { matches: [{ path: "/pkg.Service/*" }] },
    });
    const unknown = await gateway.exchange(call("/other.Service/Method"));
    expect([unknown.status, header(unknown, "content-type"), header(unknown, "grpc-status")]).toEqual([
      200,
      "application/grpc",
      "12",
    ]);
    expect([header(unknown, "grpc-message"), unknown.body.length]).toEqual(["No route takes this request.", 0]);
    const away = await gateway.exchange(call("/pkg.Service/Method", "application/grpc+proto"));
    expect([away.status, header(away, "grpc-status")]).toEqual([200, "14"]);
    expect(await gateway.logged((line) => line["path"] === "/pkg.Service/Method")).toMatchObject({
      status: 200,
      flags: ["upstream_connect"],
    });
  });

  test("is told apart from gRPC-Web, which gets a problem", async () => {
    await using gateway = await startProxy("http://127.0.0.1:1", { route: { matches: [{ path: "/pkg.Service/*" }] } });
    expect((await gateway.exchange(call("/other", "application/grpc-web+proto"))).status).toBe(404);
  });

  test("gets a status for what a plugin throws too, which tells nothing of the reason", async () => {
    const file =
      "export default { routes: [{ name: 'all', plugins: [{ use: () => { throw new Error('secret reason'); } }] }] };\n";
    await using gateway = await startGateway({ files: { "routes/main.ts": file } });
    const response = await gateway.exchange(call("/pkg.Service/Method"));
    expect([response.status, header(response, "grpc-status"), response.body.length]).toEqual([200, "13", 0]);
    expect(header(response, "grpc-message")).not.toContain("secret");
  });
});
