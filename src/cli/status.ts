import { parseArgs } from "node:util";
import { type StatusView, statusView } from "../admin/schemas.ts";
import { askAdmin } from "./admin-client.ts";
import { ADMIN_ARGUMENTS, ADMIN_USAGE, adminPlace } from "./admin-place.ts";
import { type Command, EXIT } from "./command.ts";
import { counted, printable, table } from "./table.ts";

export const status: Command = {
  name: "status",
  usage: `torii status ${ADMIN_USAGE}`,
  summary: "tells how the running gateway is: versions, readiness, listeners, workers, store",
  async run(args, context) {
    const { values } = parseArgs({ args: [...args], options: ADMIN_ARGUMENTS });
    const answer = await askAdmin(adminPlace(values, context), { path: "/v1/status", schema: statusView });
    context.out(values.json ? JSON.stringify(answer.json, null, 2) : statusText(answer.view()));
    return EXIT.done;
  },
};

function statusText(view: StatusView): string {
  const { config, listeners, workers } = view;
  return [
    readiness(view),
    `version ${view.version}, up for ${durationText(view.uptimeSeconds)}${view.zone === null ? "" : `, in zone ${printable(view.zone)}`}`,
    `configuration ${config.version}, read at ${config.loadedAt}: ${counted(config.routes, "route")}, ${counted(config.services, "service")}`,
    `store ${view.store.kind}: ${view.store.state}`,
    ...view.registries.map(registryText),
    "",
    table(
      ["LISTENER", "PROTOCOL", "ADDRESS", "HOSTS"],
      listeners.map((one) => [one.name, one.protocol, addressText(one), one.hostnames.join(", ") || "*"]),
    ),
    "",
    table(
      ["WORKER", "PID", "STATE"],
      workers.map(({ worker, pid, state }) => [String(worker), pid === null ? "-" : String(pid), state]),
    ),
  ].join("\n");
}

function readiness({ isReady, reasons }: StatusView): string {
  if (isReady) return "ready";
  return ["not ready", ...reasons.map(({ code, detail }) => `  ${code}: ${detail}`)].join("\n");
}

function registryText({ source, isUp, recalled }: StatusView["registries"][number]): string {
  const copy = recalled === 0 ? "" : `, endpoints of ${counted(recalled, "service")} come from the last good copy`;
  return `registry ${source}: ${isUp ? "up" : "away"}${copy}`;
}

function addressText({ address, port }: StatusView["listeners"][number]): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** The two greatest units, such as `2 h 5 min`. */
export function durationText(seconds: number): string {
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  const parts: string[] = [];
  for (const [unit, size] of first < 0 ? [] : UNITS.slice(first, first + 2)) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return parts.join(" ") || "0 s";
}
