/** Reads numbers and vectors of TLS (RFC 8446 3.4) one after the other. Whatever goes beyond the end throws `fault`. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #fault: () => Error;
  #at = 0;

  constructor(bytes: Buffer, fault: () => Error) {
    this.#bytes = bytes;
    this.#fault = fault;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(length: number): void {
    this.take(length);
  }

  /** The next bytes, as a view. */
  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw this.#fault();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  uint8(): number {
    return this.take(1).readUInt8();
  }

  uint16(): number {
    return this.take(2).readUInt16BE();
  }

  /** A vector behind a length of one byte. */
  vector8(): Buffer {
    return this.take(this.uint8());
  }

  /** A vector behind a length of two bytes. */
  vector16(): Buffer {
    return this.take(this.uint16());
  }

  /** A vector behind a length of two bytes, to be read itself. */
  nested16(): ByteReader {
    return new ByteReader(this.vector16(), this.#fault);
  }
}
