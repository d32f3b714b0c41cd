import type { Socket } from "bun";
import { GatewayError } from "../../errors.ts";
import type { TimerWheel } from "../timer-wheel.ts";
import type { TunnelTally } from "../tunnel.ts";
import { TunnelSocket } from "./tunnel-socket.ts";

/** The connection to an endpoint that a client's is passed on over. */
export class EndpointSocket extends TunnelSocket {
  readonly #tally: TunnelTally;

  constructor(socket: Socket<unknown>, wheel: TimerWheel, tally: TunnelTally) {
    super(socket, wheel);
    this.#tally = tally;
  }

  protected override wasReset(): void {
    this.#tally.error ??= new GatewayError("upstream_reset", "The upstream reset the connection.");
  }
}
