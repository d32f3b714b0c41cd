import type { Socket } from "bun";
import { enter, inEvent, leave } from "./event.ts";
import { freeBuffer } from "./free-buffer.ts";

/** A connection, as the events of its socket reach it. */
export interface SocketOwner {
  onData(bytes: Buffer): void;
  onDrain(): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** `isReset`: the peer broke off, where otherwise it had ended before. */
  onClose(isReset: boolean): void;
}

const onDrain = (owner: SocketOwner) => owner.onDrain();
const onEnd = (owner: SocketOwner) => owner.onEnd();
const onClose = (owner: SocketOwner) => owner.onClose(false);
const onReset = (owner: SocketOwner) => owner.onClose(true);

/**
 * The handlers of both sides' sockets, all but `open`. Events of a socket that has no owner yet, or never gets one,
 * come to nothing; what an owner throws ends its event and no other.
 */
export function socketEvents<Owner extends SocketOwner>() {
  return {
    // Written out: data is the event that comes a hundred thousand times a second.
    data(socket: Socket<Owner>, bytes: Buffer): void {
      enter();
      try {
        socket.data?.onData(bytes);
      } finally {
        leave();
      }
      freeBuffer(bytes);
    },
    drain: (socket: Socket<Owner>) => inEvent(socket.data, onDrain),
    end: (socket: Socket<Owner>) => inEvent(socket.data, onEnd),
    close: (socket: Socket<Owner>, error?: Error) => inEvent(socket.data, error === undefined ? onClose : onReset),
    error: (socket: Socket<Owner>) => socket.terminate(),
  };
}
