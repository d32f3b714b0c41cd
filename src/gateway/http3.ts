import type { Logger } from "pino";
import type { Config, ListenerConfig, ShutdownConfig } from "../config/types.ts";
import { addressMatcher } from "../wire/address.ts";
import { createHttp3Server, type Http3Server, type Http3Settings } from "../wire/http3-server.ts";
import type { ListenerHooks } from "../wire/listener-context.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import { offersHttp3, responseFields } from "./response-fields.ts";
import { within } from "./within.ts";

/** HTTP/3 beside the listeners that offer it: an experiment, which takes nothing down when it fails. */
export interface Http3 {
  /** Serves what this configuration offers, at the ports that its listeners have. Never throws: faults are logged. */
  update(config: Config, portOf: (listener: string) => number | undefined): void;
  /** Refuses new requests when the delay is over, and waits for the others within the bounds. */
  drain(shutdown: ShutdownConfig): Promise<void>;
  close(): void;
}

export interface Http3Deps {
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  readonly log: Logger;
  readonly wheel: TimerWheel;
}

/** The runtime does not tell when a response has left: so long its last bytes get. */
const LEAVING_MS = 250;

interface Serving {
  /** Address and port. */
  readonly key: string;
  /** What it shows and signs with, as PEM: the runtime cannot change them. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly server: Http3Server;
}

/** Nothing is served before the first `update`. */
export function createHttp3({ newId, hooks, log, wheel }: Http3Deps): Http3 {
  let serving = new Map<string, Serving>();

  function serve(listener: ListenerConfig, settings: Http3Settings, at: Place): Serving | null {
    const [certificate] = listener.tls?.certificates ?? [];
    if (certificate === undefined) return null;
    const { certPem, keyPem } = certificate;
    const { address } = listener;
    const key = `${address} ${at.port}`;
    const before = serving.get(key);
    serving.delete(key);
    if (before?.certPem === certPem && before.keyPem === keyPem) {
      before.server.update(settings);
      return before;
    }
    // Whoever had the port lets go of it first.
    before?.server.close();
    try {
      return { key, certPem, keyPem, server: createHttp3Server({ ...settings, address, certPem, keyPem, ...at }) };
    } catch (error) {
      log.error({ err: error, listener: listener.name }, "HTTP/3 cannot be offered");
      return null;
    }
  }

  return {
    update(config, portOf) {
      const isTrusted = addressMatcher(config.trustedProxies);
      const next = new Map<string, Serving>();
      for (const listener of config.listeners) {
        const port = portOf(listener.name);
        if (!listener.hasHttp3 || port === undefined) continue;
        if (!offersHttp3(listener)) {
          log.warn({ listener: listener.name }, "HTTP/3 is not offered where clients show certificates");
          continue;
        }
        const settings = {
          name: listener.name,
          limits: config.limits,
          isTrusted,
          own: responseFields(listener),
          hooks,
          newId,
          wheel,
        };
        const one = serve(listener, settings, { port, isShared: config.workers > 1 });
        if (one !== null) next.set(one.key, one);
      }
      for (const { server } of serving.values()) server.close();
      serving = next;
    },
    async drain({ delayMs, timeoutMs }) {
      if (serving.size === 0) return;
      await Bun.sleep(delayMs);
      await within(Promise.all([...serving.values()].map(({ server }) => server.drain())), timeoutMs);
      await Bun.sleep(Math.min(LEAVING_MS, timeoutMs));
    },
    close() {
      for (const { server } of serving.values()) server.close();
      serving.clear();
    },
  };
}

interface Place {
  readonly port: number;
  readonly isShared: boolean;
}
