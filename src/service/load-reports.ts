import type { EndpointLoad } from "../registry/registry.ts";
import type { Availability, Member } from "./availability.ts";
import type { MaxLoad } from "./options.ts";

/** An endpoint comes back when it reports no more than this part of each threshold: reports that waver change nothing. */
const BACK_AT = 0.9;

/** Told once for each change. */
export interface LoadChange {
  readonly service: string;
  readonly endpoint: string;
  readonly isOverloaded: boolean;
  /** Null: it reports none any more. */
  readonly load: EndpointLoad | null;
}

interface Reporter extends Member {
  readonly id: string;
  readonly load: EndpointLoad | null;
}

/** Takes endpoints out by what they report of their load. */
export interface LoadReports {
  /** Reads the registry's set, whose reports hold until it tells others. */
  update(endpoints: readonly Reporter[]): void;
}

export interface LoadReportsDeps {
  readonly service: string;
  readonly availability: Availability;
  readonly onChange: (change: LoadChange) => void;
}

/** Nobody is out at first. One without a report is in. */
export function createLoadReports(maxLoad: MaxLoad, { service, availability, onChange }: LoadReportsDeps): LoadReports {
  return {
    update(endpoints) {
      for (const endpoint of endpoints) {
        const wasOver = availability.isOut(endpoint, "overloaded");
        const isOverloaded = isOver(endpoint.load, maxLoad, wasOver ? BACK_AT : 1);
        if (isOverloaded === wasOver) continue;
        if (isOverloaded) availability.remove(endpoint, "overloaded");
        else availability.restore(endpoint, "overloaded");
        onChange({ service, endpoint: endpoint.id, isOverloaded, load: endpoint.load });
      }
    },
  };
}

function isOver(load: EndpointLoad | null, { cpu, memory }: MaxLoad, part: number): boolean {
  const reaches = (value: number | undefined, threshold: number | null) => {
    if (value === undefined || threshold === null) return false;
    return part < 1 ? value > threshold * part : value >= threshold;
  };
  return reaches(load?.cpu, cpu) || reaches(load?.memory, memory);
}
