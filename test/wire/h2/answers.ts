import type { BodySink, BodySource } from "../../../src/wire/body.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { type HeaderList, headerList } from "../../../src/wire/header-list.ts";

/** A response body that is given by hand. */
export class HandBody implements BodySource {
  readonly length: number | null;
  sink: BodySink | null = null;
  /** False while the sink takes no more. */
  isWanted = true;
  resumes = 0;
  isCancelled = false;
  /** Called whenever the sink takes more again. */
  onWanted: () => void = () => {};

  constructor(length: number | null = null) {
    this.length = length;
  }

  pipe(sink: BodySink): void {
    this.sink = sink;
    this.onWanted();
  }

  pause(): void {
    this.isWanted = false;
  }

  resume(): void {
    this.isWanted = true;
    this.resumes++;
    this.onWanted();
  }

  cancel(): void {
    this.isCancelled = true;
  }

  write(bytes: Uint8Array | string): boolean {
    this.isWanted = this.sink?.write(Buffer.from(bytes as string)) ?? true;
    return this.isWanted;
  }

  end(trailers: HeaderList | null = null): void {
    this.sink?.end(trailers);
  }
}

/** A body of so many bytes, each piece of them as large as given, as fast as they are taken. */
export function bulkBody(bytes: number, pieceBytes = 64 * 1024): HandBody {
  const body = new HandBody(bytes);
  const piece = Buffer.alloc(pieceBytes, "x");
  let left = bytes;
  body.onWanted = () => {
    while (left > 0 && !body.isCancelled) {
      const part = left < piece.length ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (!body.write(part)) return;
    }
    if (left === 0) {
      left = -1;
      body.end();
    }
  };
  return body;
}

export function respond(exchange: Exchange, body: string | null = "ok", status = 200): void {
  const headers = headerList([["Content-Type", "text/plain"]]);
  exchange.respond({ status, reason: "OK", headers }, body === null ? null : Buffer.from(body));
}

export interface ReadBody {
  readonly bytes: Buffer;
  readonly trailers: HeaderList | null;
}

/** The whole body of a request; rejects with what it fails with. */
export function readAll({ body }: Exchange): Promise<ReadBody> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    if (body === null) {
      resolve({ bytes: Buffer.alloc(0), trailers: null });
      return;
    }
    body.pipe({
      write(bytes) {
        pieces.push(Buffer.from(bytes));
        return true;
      },
      end: (trailers) => resolve({ bytes: Buffer.concat(pieces), trailers }),
      fail: reject,
    });
  });
}

/** Answers with the request's body, once it is whole. */
export async function echo(exchange: Exchange): Promise<void> {
  const { bytes } = await readAll(exchange);
  exchange.respond({ status: 200, reason: "OK", headers: headerList([]) }, bytes);
}
