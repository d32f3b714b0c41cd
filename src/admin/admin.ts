import type { AdminConfig } from "../config/types.ts";
import { adminApp, BODY_BYTES, internal } from "./app.ts";
import { listen, type SideServer } from "./listen.ts";
import type { AdminSource } from "./source.ts";

export interface AdminServerOptions extends AdminConfig {
  readonly source: AdminSource;
  /** Of Torii. */
  readonly version: string;
}

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
