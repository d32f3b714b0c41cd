import type { Endpoint } from "./endpoint.ts";
import type { ServiceOptions } from "./options.ts";
import type { Subset } from "./subset.ts";
import type { Decided } from "./verdicts.ts";

interface ChoiceContext {
  readonly subset: Pick<Subset, "name">;
  readonly options: Pick<ServiceOptions, "zone">;
}

/** Tells of a first choice what cannot be seen from the endpoint alone: its subset, and that it stands in another zone. */
export function noteChoice(notes: Decided, endpoint: Endpoint, { subset, options: { zone } }: ChoiceContext): void {
  if (subset.name !== "") notes.decided("subset", "chosen", subset.name);
  noteZone(notes, endpoint, zone);
}

/** Tells of any choice that its endpoint stands in another zone than the gateway's; null: zones count for nothing. */
export function noteZone(notes: Decided, endpoint: Endpoint, zone: string | null): void {
  if (zone !== null && endpoint.zone !== zone) notes.decided("zone", "left", endpoint.zone);
}
