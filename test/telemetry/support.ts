import type { AccessEntry } from "../../src/telemetry/access-line.ts";

const ENTRY: AccessEntry = {
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  id: "0123456789abcdef0123456789abcdef",
  traceId: null,
  tls: null,
  client: "192.0.2.7",
  method: "GET",
  host: "shop.example.com",
  target: "/catalog/items?page=2",
  protocol: "HTTP/1.1",
  route: "catalog",
  service: "catalog",
  endpoint: "127.0.0.1:9001",
  status: 200,
  bytesReceived: 0,
  bytesSent: 1234,
  durationMs: 12.3,
  upstreamMs: 11,
  attempts: 1,
  error: null,
  decisions: null,
};

/** An ordinary request's entry, with what a test wants different. */
export function accessEntry(changes: Partial<AccessEntry> = {}): AccessEntry {
  return { ...ENTRY, ...changes };
}
