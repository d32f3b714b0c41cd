import { H2_CODE } from "./frame.ts";

/** The peer broke a rule of the connection: it ends with GOAWAY and this code. The message goes along as debug data. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  /** One of `H2_CODE`. */
  readonly code: number;

  constructor(code: number, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** What a peer did that no implementation may do. */
export function protocolError(detail: string): SessionError {
  return new SessionError(H2_CODE.protocol_error, detail);
}
