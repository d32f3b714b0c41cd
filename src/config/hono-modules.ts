/**
 * Hono's own middleware, by module name. Written out, so that the single executable carries them; they are loaded
 * when a configuration names them.
 */
export const HONO_MODULES: Readonly<Record<string, () => Promise<object>>> = {
  "hono/basic-auth": () => import("hono/basic-auth"),
  "hono/bearer-auth": () => import("hono/bearer-auth"),
  "hono/body-limit": () => import("hono/body-limit"),
  "hono/compress": () => import("hono/compress"),
  "hono/context-storage": () => import("hono/context-storage"),
  "hono/cors": () => import("hono/cors"),
  "hono/csrf": () => import("hono/csrf"),
  "hono/etag": () => import("hono/etag"),
  "hono/ip-restriction": () => import("hono/ip-restriction"),
  "hono/jwk": () => import("hono/jwk"),
  "hono/jwt": () => import("hono/jwt"),
  "hono/powered-by": () => import("hono/powered-by"),
  "hono/pretty-json": () => import("hono/pretty-json"),
  "hono/request-id": () => import("hono/request-id"),
  "hono/secure-headers": () => import("hono/secure-headers"),
  "hono/timeout": () => import("hono/timeout"),
  "hono/timing": () => import("hono/timing"),
};
