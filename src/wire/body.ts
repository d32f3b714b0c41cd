import type { GatewayError } from "../errors.ts";
import type { HeaderList } from "./header-list.ts";

/** Takes a body, piece by piece. Exactly one of `end` and `fail` is called, last. */
export interface BodySink {
  /** Bytes are valid during the call only. False asks for no more until `source.resume()` is called. */
  write(bytes: Uint8Array): boolean;
  end(trailers: HeaderList | null): void;
  fail(error: GatewayError): void;
}

/** Gives a body, without its framing. It is consumed once, by one sink. */
export interface BodySource {
  /** Length in bytes where it is known beforehand. */
  readonly length: number | null;
  /** True while it may be piped once more, from its beginning; never for most. */
  readonly canRepeat?: boolean;
  /** Begins delivery; what came earlier is delivered within the call. */
  pipe(sink: BodySink): void;
  pause(): void;
  resume(): void;
  /** Gives up the rest. The sink hears no more. */
  cancel(): void;
}
