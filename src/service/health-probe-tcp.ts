import type { GatewayError } from "../errors.ts";
import type { Dialer } from "../wire/dial.ts";
import type { Dialing } from "../wire/dialing.ts";
import { failed, PASSED } from "./health-check.ts";
import { TimedProbe, type TimedProbeParts } from "./health-probe-timed.ts";

export interface TcpProbeParts extends TimedProbeParts {
  readonly dialing: Dialing;
}

const NOBODY = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

/** One check whether an endpoint takes connections: opened and closed, and nothing is said on it. */
export class TcpProbe extends TimedProbe implements Dialer {
  onGone: ((reason: GatewayError) => void) | null = null;
  readonly #dialing: Dialing;

  constructor(parts: TcpProbeParts) {
    super(parts);
    this.#dialing = parts.dialing;
  }

  protected override ask(): void {
    this.#dialing.open(this, {
      opened: (socket) => {
        socket.terminate();
        this.conclude(PASSED);
        return NOBODY;
      },
      failed: (error) => this.conclude(failed(error)),
    });
  }

  protected override letGo(reason: GatewayError): void {
    this.onGone?.(reason);
  }
}
