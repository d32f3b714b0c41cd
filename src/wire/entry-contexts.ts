import type { Connections } from "./connections.ts";
import type { ListenerContext, ListenerHooks, ServerConnection, WireLimits } from "./listener-context.ts";
import type { ListenerEntry, OpenEntry } from "./listener-entry.ts";
import type { TimerWheel } from "./timer-wheel.ts";

export interface ListenerSettings {
  /** Never empty. Several are told apart by the name that a client asks for within TLS. */
  readonly entries: readonly ListenerEntry[];
  readonly limits: WireLimits;
  readonly isTrusted: (address: string) => boolean;
}

export interface EntryContextsDeps {
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  readonly connections: Connections;
}

type Context = ListenerContext<ServerConnection>;

/** What connections know of their entries, kept across updates for as long as an entry stays what it is. */
export class EntryContexts {
  readonly #deps: EntryContextsDeps;
  #current: readonly OpenEntry[] = [];
  #isDraining = false;
  #isGoing = false;

  constructor(deps: EntryContextsDeps) {
    this.#deps = deps;
  }

  /**
   * Puts entries in force. Connections of one that is gone, or that now lets other clients in, take no more requests
   * and close when what is under way has ended.
   */
  open(settings: ListenerSettings): readonly OpenEntry[] {
    const before = new Set(this.#current);
    this.#current = settings.entries.map((entry): OpenEntry => {
      const same = [...before].find((one) => one.name === entry.name) ?? onlyOther(before, settings.entries);
      if (same === null || !admitsSame(same, entry)) return { ...entry, context: this.#make(entry, settings) };
      before.delete(same);
      const { context } = same;
      context.name = entry.name;
      context.own = entry.own;
      context.limits = settings.limits;
      context.isTrusted = settings.isTrusted;
      return { ...entry, context };
    });
    for (const { context } of before) this.#leave(context);
    return this.#current;
  }

  /** Connections take no further requests after the next; those to come as well. */
  drain(): void {
    this.#isDraining = true;
    for (const { context } of this.#current) context.isDraining = true;
  }

  /** WebSockets are to end; those to come as well. */
  goAway(): void {
    this.#isGoing = true;
    for (const { context } of this.#current) context.isGoing = true;
  }

  #make(entry: ListenerEntry, { limits, isTrusted }: ListenerSettings): Context {
    const { connections, ...deps } = this.#deps;
    return {
      name: entry.name,
      scheme: entry.protocol === "https" ? "https" : "http",
      own: entry.own,
      limits,
      isTrusted,
      ...deps,
      isDraining: this.#isDraining,
      isGoing: this.#isGoing,
      closed: (connection) => connections.remove(connection),
    };
  }

  #leave(context: Context): void {
    context.isDraining = true;
    for (const connection of this.#deps.connections.list(context)) {
      connection.drain();
      connection.close();
    }
  }
}

/** A listener that is alone on its socket may be renamed. */
function onlyOther(before: ReadonlySet<OpenEntry>, entries: readonly ListenerEntry[]): OpenEntry | null {
  const [only = null] = before;
  return before.size === 1 && entries.length === 1 ? only : null;
}

function admitsSame(a: ListenerEntry, b: ListenerEntry): boolean {
  return a.protocol === b.protocol && a.tls?.admissionKey === b.tls?.admissionKey;
}
