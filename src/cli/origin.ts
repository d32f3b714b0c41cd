import type { AdminConfig } from "../config/types.ts";
import { origin } from "../gateway/listener-lines.ts";

/** Says where the admin API is; nothing where there is none. */
export function adminLines(admin: AdminConfig | null, port: number | null): readonly string[] {
  return admin === null || port === null ? [] : [`the admin API is on ${origin(admin.address, port)}/v1/status`];
}

/** How this machine asks a server beside the listeners: one on all IPv6 addresses may have no IPv4 one. */
export function sideOrigin(address: string, port: number): string {
  return origin(address === "::" ? "::1" : address, port);
}
