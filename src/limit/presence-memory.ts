import type { ScriptCall, ScriptReply, ScriptState } from "../store/store.ts";
import { CHANGES_KEPT, PRESENCE_KEPT_MS } from "./presence-lua.ts";
import { LIFE_MS, MICRO, VIEW_MS, WITHHELD_MS } from "./units.ts";

const LIFE = LIFE_MS * 1000;
const VIEW = VIEW_MS * 1000;
const WITHHELD = WITHHELD_MS * 1000;

type Change = [when: number, part: number];

interface Gateway {
  seen: number;
  share: number;
  gone: number;
  run: string;
}

interface Presence {
  base: number;
  fraction: number;
  readonly changes: Change[];
  readonly gateways: Map<string, Gateway>;
}

interface Ask {
  readonly action: string;
  readonly id: string;
  readonly run: string;
  readonly believed: number;
  readonly latest: number;
  readonly peers: readonly string[];
}

function read(hash: ReadonlyMap<string, string>): Presence {
  const [first = `0:${MICRO}`, ...rest] = (hash.get("h") ?? `0:${MICRO}`).split(";");
  const [base = 0, fraction = 0] = first.split(":").map(Number);
  const changes = rest.map((part): Change => {
    const [when = 0, change = 0] = part.split(":").map(Number);
    return [when, change];
  });
  const gateways = new Map<string, Gateway>();
  for (const [name, value] of hash) {
    if (name === "h") continue;
    const [seen, share, gone, run = ""] = value.split(":");
    gateways.set(name, { seen: Number(seen), share: Number(share), gone: Number(gone), run });
  }
  return { base, fraction, changes, gateways };
}

function change(presence: Presence, added: Change): void {
  let i = presence.changes.length;
  while (i > 0 && (presence.changes[i - 1]?.[0] ?? 0) > added[0]) i--;
  presence.changes.splice(i, 0, added);
}

/** Who does not know of it yet only lends less; but never before it is withheld. */
function giveBack(presence: Presence, { seen, share }: Gateway, now: number): void {
  change(presence, [Math.max(now, seen + LIFE + VIEW), share]);
}

function sorted({ gateways }: Presence): [string, Gateway][] {
  return [...gateways].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What is dated later than anything could be is of a clock that went back: shares would be withheld until then. */
function bringBack(presence: Presence, now: number): void {
  presence.base = Math.min(presence.base, now);
  for (const one of presence.changes) one[0] = Math.min(one[0], now + 2 * LIFE + VIEW);
}

/** Notices who has vanished, and forgets who was withheld for long enough. */
function notice(presence: Presence, now: number): void {
  for (const [name, gateway] of sorted(presence)) {
    gateway.gone = Math.min(gateway.gone, now);
    if (gateway.seen > now + LIFE) gateway.seen = now;
    if (gateway.gone === 0 && gateway.seen + LIFE <= now) {
      gateway.gone = now;
      change(presence, [gateway.seen + LIFE + VIEW, 0 - gateway.share]);
    } else if (gateway.gone > 0 && now >= gateway.gone + WITHHELD) {
      presence.gateways.delete(name);
      giveBack(presence, gateway, now);
    }
  }
}

function leave(presence: Presence, { id, run }: Ask, now: number): void {
  const me = presence.gateways.get(id);
  if (me === undefined || (run !== "" && me.run !== run)) return;
  if (me.gone > 0) giveBack(presence, me, now);
  presence.gateways.delete(id);
}

function rememberPeers(presence: Presence, { id, peers }: Ask, now: number): void {
  for (let i = 0; i < peers.length; i += 2) {
    const [name = "", share = 0] = [peers[i], Number(peers[i + 1])];
    if (name === id || presence.gateways.has(name) || share <= 0) continue;
    presence.gateways.set(name, { seen: now - LIFE - VIEW, share, gone: now, run: "" });
    change(presence, [now, 0 - share]);
  }
}

/** Returns the share that the caller may believe to have had. */
function join(presence: Presence, ask: Ask, now: number): number {
  rememberPeers(presence, ask, now);
  let me = presence.gateways.get(ask.id);
  if (me !== undefined && me.gone > 0) {
    giveBack(presence, me, now);
    me = undefined;
  }
  const believed = me?.run === ask.run ? ask.believed : 0;
  presence.gateways.set(ask.id, { seen: now, share: me?.share ?? 0, gone: 0, run: ask.run });
  return believed;
}

interface Acted {
  readonly status: number;
  readonly believed: number;
}

function act(presence: Presence, ask: Ask, now: number): Acted {
  const { believed } = ask;
  if (ask.latest > 0 && now > ask.latest) return { status: 2, believed };
  if (ask.action === "bye") leave(presence, ask, now);
  if (ask.action === "bye") return { status: 1, believed };
  if (ask.action === "join") return { status: 1, believed: join(presence, ask, now) };
  const me = presence.gateways.get(ask.id);
  if (ask.action !== "beat" || me === undefined || me.run !== ask.run || me.gone > 0) return { status: 0, believed };
  me.seen = now;
  return { status: 1, believed };
}

function shareOut({ gateways }: Presence, id: string, believed: number): number {
  const me = gateways.get(id);
  if (me === undefined) return believed;
  let sum = 0;
  for (const [name, { share }] of gateways) if (name !== id) sum += share;
  const told = Math.max(0, Math.min(Math.floor(MICRO / gateways.size), MICRO - sum));
  me.share = Math.max(Math.min(believed, me.share), told);
  return told;
}

function fold(presence: Presence): void {
  while (presence.changes.length > CHANGES_KEPT) {
    const [when, part] = presence.changes.shift() ?? [0, 0];
    presence.base = when;
    presence.fraction += part;
  }
}

function write(hash: Map<string, string>, presence: Presence): void {
  hash.clear();
  const { base, fraction, changes, gateways } = presence;
  hash.set("h", [`${base}:${fraction}`, ...changes.map((one) => one.join(":"))].join(";"));
  for (const [name, { seen, share, gone, run }] of gateways) hash.set(name, [seen, share, gone, run].join(":"));
}

/** The step of `PRESENCE_LUA` over a memory store. */
export function presenceInMemory(state: ScriptState, { keys, args }: ScriptCall): ScriptReply {
  const now = state.nowMicros;
  const [action = "", id = "", run = "", believed, latest, ...peers] = args;
  const ask: Ask = {
    action,
    id,
    run,
    believed: Number(believed),
    latest: Number(latest),
    peers,
  };
  const hash = state.hash(keys[0] ?? "");
  const presence = read(hash);
  bringBack(presence, now);
  notice(presence, now);
  const acted = act(presence, ask, now);
  const isMember = acted.status === 1 && action !== "bye";
  const told = isMember ? shareOut(presence, id, acted.believed) : acted.believed;
  fold(presence);
  write(hash, presence);
  state.expire(keys[0] ?? "", PRESENCE_KEPT_MS);
  const names = sorted(presence)
    .map(([name, { share }]) => `${name}=${share},`)
    .join("");
  const vanished = [...presence.gateways.values()].filter(({ gone }) => gone > 0).length;
  const counts = [acted.status, now, told, presence.gateways.size, vanished];
  return [names, ...counts, presence.base, presence.fraction, ...presence.changes.flat()];
}
