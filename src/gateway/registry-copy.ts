import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import { readRegularFileSync } from "../config/regular-file.ts";
import { type CopyHead, copyHead, copyText, readCopy } from "../registry/copy-text.ts";
import { createLastGood, type KnownSet, type LastGood } from "../registry/last-good.ts";
import { DEFAULT_PREFIX, type RedisTarget, redisServer } from "../store/redis-target.ts";
import { type Replacement, removeOld, replaceFile, replaceFileSync } from "./copy-file.ts";

export interface CopiesOptions {
  /** Where the copy is kept, asked for each time; null: it is not. */
  readonly folder: () => string | null;
  readonly log: Pick<Logger, "warn">;
  /** 0 to 1, so that of several processes with one folder the first writes and the others find it written. */
  readonly random: () => number;
  readonly onSaved: (result: "success" | "failure") => void;
  /** Epoch milliseconds. */
  readonly nowAt?: () => number;
}

export interface RegistryCopyOptions extends CopiesOptions {
  readonly target: RedisTarget;
}

/** The last good copy of a registry, in memory and in a file. */
export interface RegistryCopy {
  readonly lastGood: LastGood;
  /** When the copy that was found at the start was written, in epoch milliseconds; null: there was none. */
  readonly foundAt: number | null;
  /** Writes it soon, as after a change: its folder is another one. */
  renew(): void;
  /** Writes what is not written yet, and no more after that. */
  close(): void;
}

/** A change is written so long after it, with all that came meanwhile. */
const DELAY_MS = 1000;
/** An unchanged copy is written anew so often, so that its age says how long nobody read the registry. */
const REFRESH_MS = 10 * 60_000;
/** Endpoints of an older one may be anybody's by now. */
const OLDEST_MS = 7 * 24 * 3_600_000;
const MOST_BYTES = 16 * 1024 * 1024;
const NAME = /^registry-[0-9a-f]{16}\.json$/;
const LOST = "last good copy of the registry is not used";

/** The same for all ways to reach one registry: nothing of who asks is in it. */
export function copyName(target: RedisTarget): string {
  const address = (text: string): string => {
    const { host, port, db = 0 } = redisServer(text);
    return `${host} ${port} ${db}`;
  };
  const list = (servers: readonly string[]): readonly string[] => servers.map(address).toSorted();
  const place =
    "url" in target
      ? { server: address(target.url) }
      : "sentinels" in target
        ? { sentinels: list(target.sentinels), name: target.name }
        : { cluster: list(target.cluster) };
  const text = JSON.stringify({ ...place, prefix: target.prefix ?? DEFAULT_PREFIX });
  return `registry-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.json`;
}

function headOf(beginning: string): CopyHead | null {
  try {
    return copyHead(beginning);
  } catch {
    return null;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

interface Found {
  readonly sets: ReadonlyMap<string, KnownSet>;
  readonly foundAt: number | null;
}

const NOTHING: Found = { sets: new Map(), foundAt: null };

/** What a file holds; with one warning, nothing, where that cannot be used. */
function find(path: string, nowAt: number, log: RegistryCopyOptions["log"]): Found {
  try {
    const { savedAt, sets } = readCopy(readRegularFileSync(path).toString("utf8"));
    if (nowAt - savedAt <= OLDEST_MS) return { sets, foundAt: savedAt };
    log.warn({ file: path, reason: "it is older than seven days" }, LOST);
  } catch (error) {
    if (!isMissing(error)) log.warn({ file: path, reason: reasonOf(error) }, LOST);
  }
  return NOTHING;
}

/** Warns once of what cannot be written, until it could. */
function createOutcome({ log, onSaved }: Pick<RegistryCopyOptions, "log" | "onSaved">) {
  let isFailing = false;
  return {
    saved(): void {
      isFailing = false;
      onSaved("success");
    },
    failed(file: string, reason: string): void {
      onSaved("failure");
      if (!isFailing) log.warn({ file, reason }, "last good copy of the registry cannot be written: serving goes on");
      isFailing = true;
    },
  };
}

interface CopyWriting extends Pick<RegistryCopyOptions, "folder"> {
  readonly name: string;
  readonly sets: () => ReadonlyMap<string, KnownSet>;
  readonly outcome: ReturnType<typeof createOutcome>;
}

/** Writes the copy as it is at that moment. Neither function throws. */
function createCopyWriter({ folder, name, sets, outcome }: CopyWriting) {
  /** Null when there is nothing to write. */
  function draft(): Replacement | null {
    const into = folder();
    const known = sets();
    if (into === null || known.size === 0) return null;
    const path = join(into, name);
    // Who has not read the registry since does not make its copy younger.
    const savedAt = [...known.values()].reduce((latest, { at }) => Math.max(latest, at), 0);
    const { head, text } = copyText(known, savedAt);
    if (Buffer.byteLength(text) > MOST_BYTES) {
      outcome.failed(path, `it would be larger than ${MOST_BYTES} bytes`);
      return null;
    }
    const isCurrent = (beginning: string): boolean => {
      const there = headOf(beginning);
      return there?.sha256 === head.sha256 && savedAt - there.savedAt < REFRESH_MS / 2;
    };
    return { path, text, isCurrent };
  }

  return {
    async write(signal: AbortSignal): Promise<void> {
      const made = draft();
      if (made === null) return;
      try {
        if (!(await replaceFile(made, signal))) return;
        outcome.saved();
        await removeOld(dirname(made.path), NAME, OLDEST_MS).catch(() => {});
      } catch (error) {
        outcome.failed(made.path, reasonOf(error));
      }
    },
    writeNow(): void {
      const made = draft();
      try {
        if (made !== null && replaceFileSync(made)) outcome.saved();
      } catch (error) {
        outcome.failed(made?.path ?? name, reasonOf(error));
      }
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Reads the copy that is there, if there is one, and keeps it up to date. `close` it. */
export function createRegistryCopy(options: RegistryCopyOptions): RegistryCopy {
  const { target, log, random, folder, nowAt = Date.now } = options;
  const name = copyName(target);
  const into = folder();
  const { sets, foundAt } = into === null ? NOTHING : find(join(into, name), nowAt(), log);
  const book = createLastGood({ first: sets, nowAt, onChange: changed });
  const writer = createCopyWriter({ folder, name, sets: book.sets, outcome: createOutcome(options) });
  const closed = new AbortController();
  const refreshing = setInterval(() => void save(), REFRESH_MS);
  refreshing.unref();
  let timer: NodeJS.Timeout | null = null;
  let isSaving = false;
  let isChanged = false;

  function changed(): void {
    isChanged = true;
    if (timer !== null || isSaving) return;
    timer = setTimeout(() => void save(), DELAY_MS * (0.5 + random() / 2));
    timer.unref();
  }

  async function save(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (isSaving || closed.signal.aborted) return;
    isSaving = true;
    isChanged = false;
    await writer.write(closed.signal);
    isSaving = false;
    if (isChanged) changed();
  }

  return {
    lastGood: book,
    foundAt,
    renew: changed,
    close: () => {
      clearInterval(refreshing);
      if (timer !== null) clearTimeout(timer);
      closed.abort();
      if (isChanged || isSaving) writer.writeNow();
    },
  };
}

/** The copies in use; registries that are reached in several ways share theirs. */
export interface Copies {
  /** Each is closed by whoever it was lent to. */
  lend(target: RedisTarget): RegistryCopy;
  /** Writes all that are lent soon, as their folder is another one. */
  renew(): void;
}

/** No copies yet. */
export function createCopies(options: CopiesOptions): Copies {
  const lent = new Map<string, { readonly copy: RegistryCopy; users: number }>();
  return {
    renew: () => {
      for (const { copy } of lent.values()) copy.renew();
    },
    lend: (target) => {
      const name = copyName(target);
      const one = lent.get(name) ?? { copy: createRegistryCopy({ ...options, target }), users: 0 };
      lent.set(name, one);
      one.users++;
      return {
        ...one.copy,
        close: () => {
          if (--one.users > 0) return;
          lent.delete(name);
          one.copy.close();
        },
      };
    },
  };
}
