import { createAlarm } from "./alarm.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { KnownSet, LastGood } from "./last-good.ts";
import type { Missing } from "./mesh-missing.ts";
import type { MeshTrust } from "./mesh-trust.ts";
import type { EndpointSpec } from "./registry.ts";

/** The endpoints of one service that are in use: what was read, what is missing and stays, or what is remembered. */
export interface MeshSet {
  readonly feed: Feed<readonly EndpointSpec[]>;
  /** True while they are those that are remembered, as nothing was read yet. */
  readonly isFromCopy: boolean;
  /** Takes what was read: the endpoints that can be used, the ids of all that stand there, and the mark beside them. */
  take(used: readonly EndpointSpec[], ids: readonly string[], mark: string): void;
  /** Takes what is remembered, unless something was read before. */
  recall(): void;
  /** Judges no more. */
  close(): void;
}

export interface MeshSetOptions {
  readonly service: string;
  readonly trust: Pick<MeshTrust, "isUp" | "doubt">;
  readonly missing: Missing;
  readonly lastGood: LastGood;
  readonly onRecalled: (service: string, known: KnownSet) => void;
}

/** So often endpoints that are missing are judged. */
const JUDGED_EVERY_MS = 500;

function byId(a: EndpointSpec, b: EndpointSpec): number {
  return a.id < b.id ? -1 : 1;
}

/** No endpoints yet. */
export function createMeshSet({ service, trust, missing, lastGood, onRecalled }: MeshSetOptions): MeshSet {
  const feed = createFeed<readonly EndpointSpec[]>(Object.freeze([]));
  const judging = createAlarm(judge);
  /** What Redis held at the last reading; null before the first. */
  let read: readonly EndpointSpec[] | null = null;
  let mark = "";
  /** The mark that belongs to what is remembered: an older one while endpoints are missing. */
  let trustedMark = "";
  let isFromCopy = false;
  let text = "[]";

  function publish(next: readonly EndpointSpec[]): void {
    const nextText = JSON.stringify(next);
    if (nextText !== text) feed.set(Object.freeze([...next]));
    text = nextText;
  }

  function use(used: readonly EndpointSpec[], known: readonly EndpointSpec[]): void {
    const staying = missing.stay(used, known);
    publish(staying.length === 0 ? used : [...used, ...staying].toSorted(byId));
    if (staying.length === 0) trustedMark = mark;
    lastGood.remember(service, { endpoints: feed.value, mark: trustedMark });
    if (staying.length === 0) judging.clear();
    else judging.set(JUDGED_EVERY_MS);
  }

  /** Judges anew those that are missing. While Redis is away all stay as they are. */
  function judge(): void {
    if (read === null) return;
    const isFewer = trust.isUp && read.length + missing.stay(read, feed.value).length < feed.value.length;
    if (isFewer) use(read, feed.value);
    else judging.set(JUDGED_EVERY_MS);
  }

  return {
    feed,
    get isFromCopy() {
      return isFromCopy;
    },
    take: (used, ids, standing) => {
      // Redis may have been emptied before this gateway began: then what it remembers counts, too.
      const remembered = read === null ? lastGood.recall(service) : null;
      const before = read === null ? (remembered?.mark ?? "") : mark;
      if (before !== "" && before !== standing) trust.doubt();
      if (read === null) trustedMark = before;
      mark = standing;
      const known = isFromCopy ? feed.value : (remembered?.endpoints ?? feed.value);
      isFromCopy = false;
      read = used;
      missing.seen(ids);
      use(used, known);
    },
    recall: () => {
      if (read !== null || isFromCopy) return;
      const known = lastGood.recall(service);
      if (known === null) return;
      isFromCopy = true;
      publish(known.endpoints);
      onRecalled(service, known);
    },
    close: judging.clear,
  };
}
