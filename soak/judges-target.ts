import { startEcho } from "../test/support/upstream.ts";
import { startWebSocketEcho } from "../test/support/websocket.ts";
import { catchAll } from "../test/support.ts";
import { startSoakGateway } from "./gateway.ts";

/**
 * Starts a gateway in front of an echo service and a WebSocket echo service and waits, so that outside judges can be
 * pointed at it. Prints their addresses; ends with Ctrl-C.
 */
async function main(): Promise<void> {
  const echo = startEcho();
  const sockets = startWebSocketEcho();
  const { services, routes } = catchAll(echo.url, { route: { paths: { encodedSlash: "allow" } } });
  const gateway = await startSoakGateway(
    {
      services: { ...Object(services), sockets: { discover: "static", endpoints: [{ url: sockets.url }] } },
      routes: [
        { name: "sockets", matches: [{ path: "/chat" }], backends: [{ service: "sockets" }] },
        ...[routes].flat(),
      ],
    },
    { limits: { headerTimeout: "10s", idleTimeout: "60s" } },
  );
  process.on("SIGINT", () => void gateway[Symbol.asyncDispose]().then(() => process.exit(0)));
  process.on("SIGTERM", () => void gateway[Symbol.asyncDispose]().then(() => process.exit(0)));
  console.log(`gateway     127.0.0.1:${gateway.port}  ws://127.0.0.1:${gateway.port}/chat  pid ${gateway.process.pid}`);
  console.log(`straight    127.0.0.1:${echo.port}  ws://127.0.0.1:${sockets.port}/chat`);
}

if (import.meta.main) await main();
