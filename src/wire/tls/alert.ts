/** Fatal alerts that are sent in the clear, before there is a handshake (RFC 8446 6.2). */
const CODES = {
  unexpected_message: 10,
  illegal_parameter: 47,
  decode_error: 50,
  protocol_version: 70,
  unrecognized_name: 112,
} as const;

export type AlertName = keyof typeof CODES;

/** The record of a fatal alert, as a client takes it before it knows the version that is spoken. */
export function alertRecord(name: AlertName): Uint8Array {
  return Uint8Array.of(21, 3, 1, 0, 2, 2, CODES[name]);
}

/** Why a ClientHello cannot be read, as the client is told. */
export class HelloError extends Error {
  override readonly name = "HelloError";
  readonly alert: AlertName;

  constructor(alert: AlertName, message: string) {
    super(message);
    this.alert = alert;
  }
}
