import type { ServiceRecord } from "./dns-client.ts";
import type { DnsSource } from "./dns-source.ts";
import type { EndpointSpec } from "./registry.ts";

/** One address that takes traffic. */
export interface DnsTarget {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

function authorityOf({ address, port }: DnsTarget): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Endpoints for targets, in a fixed order; the same address and port twice is one with both weights. */
export function endpointsOf(targets: readonly DnsTarget[], scheme: DnsSource["scheme"]): readonly EndpointSpec[] {
  const weights = new Map<string, number>();
  for (const target of targets) {
    const id = authorityOf(target);
    weights.set(id, (weights.get(id) ?? 0) + target.weight);
  }
  const specs = [...weights].map(([id, weight]) => Object.freeze({ id, url: `${scheme}://${id}`, weight }));
  return Object.freeze(specs.toSorted((one, other) => (one.id < other.id ? -1 : 1)));
}

/** RFC 2782: weights of 0 alone mean equal shares; beside others, a very small one. */
export function sharesOf(records: readonly ServiceRecord[]): readonly ServiceRecord[] {
  const hasZero = records.some(({ weight }) => weight === 0);
  if (!hasZero) return records;
  return records.map((record) => ({ ...record, weight: Math.max(record.weight * 10, 1) }));
}

/** Records in groups, the best priority (the lowest number) first. Those for "." say that there is no such service. */
export function byPriority(records: readonly ServiceRecord[]): readonly (readonly ServiceRecord[])[] {
  const groups = new Map<number, ServiceRecord[]>();
  for (const record of records) {
    if (record.name === "" || record.name === ".") continue;
    const group = groups.get(record.priority) ?? [];
    groups.set(record.priority, group);
    group.push(record);
  }
  return [...groups].toSorted(([one], [other]) => one - other).map(([, group]) => group);
}
