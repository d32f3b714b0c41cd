import { existsSync, readFileSync } from "node:fs";
import { cpus, release } from "node:os";

/** Which core runs the proxy under test, and which one the load generator and the backend. */
export interface Cores {
  readonly proxy: number;
  readonly load: number;
}

/** Full path of a program, or null when it is not installed. Also looks where Debian puts daemons. */
export function locateProgram(name: string): string | null {
  const path = [process.env["PATH"] ?? "", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(":");
  return Bun.which(name, { PATH: path });
}

/** The first two cores that this process may use; throws when there is only one. */
export function chooseCores(): Cores {
  const [proxy, load] = allowedCores();
  if (proxy === undefined || load === undefined) {
    throw new Error("the benchmark needs two cores: one for the proxy, one for the load and the backend");
  }
  return { proxy, load };
}

function allowedCores(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap(expandRange);
}

function expandRange(range: string): readonly number[] {
  const [first = 0, last = first] = range.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Loopback TCP ports that were free a moment ago, all different. */
export function takeFreePorts(count: number): readonly number[] {
  const listeners = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } }),
  );
  const ports = listeners.map((listener) => listener.port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}

/** How many files this process may have open; Bun raises the soft limit to the hard one when it starts. */
export function openFileLimit(): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}

/** What a reader of the figures must know about the machine. */
export function describeMachine(): string {
  const model = cpus()[0]?.model ?? "unknown processor";
  return `${cpus().length} × ${model}, Linux ${release()}, Bun ${Bun.version}`;
}

/** True when the repository holds a gateway to start. */
export function hasGateway(mainFile: string): boolean {
  return existsSync(mainFile);
}
