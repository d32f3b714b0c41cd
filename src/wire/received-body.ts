import type { BodySink, BodySource } from "./body.ts";
import type { UploadPace } from "./upload-pace.ts";

/** A request's body as it comes from the client, whatever it comes by. */
export abstract class ReceivedBody implements BodySource {
  abstract readonly length: number | null;
  /** True once its last byte came. */
  isComplete = false;
  /** Set by the one who passes an interim 100 of the upstream on; otherwise the gateway grants it itself. */
  awaitsUpstreamContinue = false;
  /** Bounds how slowly it may come; null for no bound. */
  pace: UploadPace | null = null;

  abstract pipe(sink: BodySink): void;
  abstract pause(): void;
  abstract resume(): void;
  abstract cancel(): void;
}
