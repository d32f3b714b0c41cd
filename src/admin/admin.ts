import type { AdminConfig } from "../config/types.ts";
import { type AdminAppOptions, adminApp, BODY_BYTES, internal } from "./app.ts";
import { listen, type SideServer } from "./listen.ts";

export interface AdminServerOptions extends AdminConfig, Omit<AdminAppOptions, "address" | "tokens"> {}

/** The server of the admin API, for those who have a token. */
export type AdminServer = SideServer;

/** Starts the admin server. Throws an Error that names address and port when it cannot listen there. */
export function createAdminServer({ address, port, ...options }: AdminServerOptions): AdminServer {
  const app = adminApp({ address, ...options });
  return listen({
    what: "admin API",
    address,
    port,
    // The runtime's own refusal is no problem document: it is for those who lie about the length alone.
    bodyBytes: 16 * BODY_BYTES,
    fetch: (request) => app.fetch(request),
    error: internal,
  });
}
