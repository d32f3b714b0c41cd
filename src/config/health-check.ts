import * as z from "zod";
import type { HealthCheckOptions } from "../service/health-options.ts";
import type { ServiceOptions } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import { count, durationMs, words } from "./scalars.ts";
import { hint } from "./wording.ts";

const pathHint = hint("the path of a health check", "for example /healthz");
const hostHint = hint("the host that a health check asks for", "for example catalog.internal or catalog.internal:8080");
const statusHint = hint("the statuses of a healthy endpoint", "for example 200, 200-299, or a list of such");
const grpcHint = hint("the name of a gRPC service", "for example shop.Catalog");

const statusRange = z.union(
  [
    z.int({ error: statusHint }).min(100, { error: statusHint }).max(599, { error: statusHint }),
    z
      .string({ error: statusHint })
      .regex(/^[1-5]\d\d(?:-[1-5]\d\d)?$/, { error: statusHint })
      .refine((text) => text.slice(0, 3) <= text.slice(-3), { error: statusHint }),
  ],
  { error: statusHint },
);

/** The `healthCheck` part of a service. */
export const healthCheck = z.strictObject({
  type: words(["http", "tcp", "grpc"], []).default("http"),
  path: z
    .string({ error: pathHint })
    .regex(/^\/[!-"$-~]{0,1023}$/, { error: pathHint })
    .optional(),
  host: z
    .string({ error: hostHint })
    .regex(/^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, { error: hostHint })
    .optional(),
  status: z.union([statusRange, z.array(statusRange).min(1, { error: statusHint })], { error: statusHint }).optional(),
  service: z
    .string({ error: grpcHint })
    .regex(/^[A-Za-z0-9._/-]{1,127}$/, { error: grpcHint })
    .optional(),
  interval: durationMs.default(5000),
  timeout: durationMs.default(1000),
  healthyAfter: count(2).default(2),
  unhealthyAfter: count(3).default(3),
});

type Written = z.output<typeof healthCheck>;

/** Keys that say something to one kind of check only. */
const KEYS = { path: ["http"], status: ["http"], host: ["http", "grpc"], service: ["grpc"] } as const;

/** Less would be a load of its own. */
const SHORTEST_MS = 100;

/** What `healthCheck` at `spot` says; null where it is not written. A key of another type is a fault. */
export function healthChecking(
  written: Written | undefined,
  { spot, protocol }: { readonly spot: Spot; readonly protocol: ServiceOptions["protocol"] },
  building: Pick<Building, "issues">,
): HealthCheckOptions | null {
  if (written === undefined) return null;
  checkKeys(written, spot, building);
  checkTimes(written, spot, building);
  if (written.type === "grpc" && protocol === "http1") {
    addFault(
      building,
      below(spot, "type"),
      '"grpc" needs HTTP/2; write protocol: h2 or h2c for the service, or type: tcp',
    );
  }
  return {
    type: written.type,
    path: written.path ?? "",
    host: written.host ?? null,
    statuses: [written.status ?? "200-299"].flat().map(rangeOf),
    grpcService: written.service ?? "",
    intervalMs: written.interval,
    timeoutMs: written.timeout,
    healthyAfter: written.healthyAfter,
    unhealthyAfter: written.unhealthyAfter,
  };
}

function rangeOf(written: number | string): readonly [number, number] {
  const [from = 0, to = from] = String(written).split("-").map(Number);
  return [from, to];
}

function checkKeys(written: Written, spot: Spot, building: Pick<Building, "issues">): void {
  const { type } = written;
  if (type === "http" && written.path === undefined) {
    addFault(building, spot, "needs path; write path: /healthz, or type: tcp");
  }
  for (const key of ["path", "status", "host", "service"] as const) {
    const types: readonly string[] = KEYS[key];
    if (written[key] === undefined || types.includes(type)) continue;
    addFault(building, below(spot, key), `stands beside type: ${type}; write type: ${types[0]} or remove it`);
  }
}

function checkTimes({ interval, timeout }: Written, spot: Spot, building: Pick<Building, "issues">): void {
  if (interval < SHORTEST_MS) addFault(building, below(spot, "interval"), `is shorter than ${SHORTEST_MS}ms; write 5s`);
  if (timeout === 0) addFault(building, below(spot, "timeout"), "is 0; write 1s");
}
