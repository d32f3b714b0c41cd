import type { GatewayError } from "../errors.ts";
import type { UpstreamResponse } from "../wire/attempt.ts";
import type { BodySink } from "../wire/body.ts";
import type { ResponseHead } from "../wire/exchange.ts";
import type { HeaderList } from "../wire/header-list.ts";
import { failed, PASSED, type Verdict } from "./health-check.ts";

/** An answer takes 7 bytes; so many are read of one that says more. */
const ANSWER_BYTES = 4096;
/** Before a message: whether it is compressed, and its length. */
const FRAME_BYTES = 5;
/** Of `HealthCheckResponse`: field 1, a varint. */
const STATUS_TAG = 0x08;
const SERVING = 1;
const STATUS_NAMES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** The answer to `grpc.health.v1.Health/Check`, as it comes. */
export class GrpcAnswer implements BodySink {
  readonly #head: ResponseHead;
  readonly #told: (verdict: Verdict) => void;
  #bytes = Buffer.alloc(0);

  /** `told` hears the verdict once, when the answer is whole. */
  constructor(head: ResponseHead, told: (verdict: Verdict) => void) {
    this.#head = head;
    this.#told = told;
  }

  read(body: UpstreamResponse["body"]): void {
    if (body !== null && !(body instanceof Uint8Array)) {
      body.pipe(this);
      return;
    }
    if (body !== null) this.write(body);
    this.end(null);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#bytes.length < ANSWER_BYTES) this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return true;
  }

  end(trailers: HeaderList | null): void {
    const { status, headers } = this.#head;
    const code = trailers?.first("grpc-status") ?? headers.first("grpc-status");
    if (status !== 200) this.#fail(`status ${status}`);
    else if (code !== "0") this.#fail(code === null ? "no grpc-status" : `grpc-status ${code}`);
    else this.#judge(servingStatus(this.#bytes));
  }

  fail(error: GatewayError): void {
    this.#told(failed(error));
  }

  #judge(status: number | null): void {
    if (status === SERVING) this.#told(PASSED);
    else this.#fail(status === null ? "no HealthCheckResponse" : (STATUS_NAMES[status] ?? `serving status ${status}`));
  }

  #fail(reason: string): void {
    this.#told({ result: "failure", reason });
  }
}

/** The status in a framed `HealthCheckResponse`; null when it is none. Without the field it is 0. */
function servingStatus(bytes: Buffer): number | null {
  if (bytes.length < FRAME_BYTES || bytes[0] !== 0) return null;
  const message = bytes.subarray(FRAME_BYTES, FRAME_BYTES + bytes.readUInt32BE(1));
  if (message.length === 0) return 0;
  return message[0] === STATUS_TAG && message.length > 1 ? (message[1] ?? 0) : null;
}
