import { copyFrom } from "./view.ts";

/** Up to so many bytes are joined: memory of its own costs a piece more than a hundred bytes, however small it is. */
const JOINED_BYTES = 4096;

/**
 * Puts a copy of the bytes behind the pieces, all of which came by this function. Small ones are joined with the last
 * piece, so that a peer who sends byte by byte takes no more memory than bytes; views on it stay as they are.
 */
export function keep(pieces: Uint8Array[], bytes: Uint8Array): void {
  const last = pieces.at(-1);
  const length = (last?.length ?? JOINED_BYTES) + bytes.length;
  if (last === undefined || length > JOINED_BYTES) {
    pieces.push(copyFrom(bytes));
    return;
  }
  const joined = new Uint8Array(roomFor(length, last), 0, length);
  joined.set(bytes, last.length);
  pieces[pieces.length - 1] = joined;
}

/** The piece's own memory where there is room behind it, or else twice as much as is needed, with the piece in it. */
function roomFor(length: number, piece: Uint8Array): ArrayBufferLike {
  if (piece.buffer.byteLength >= length) return piece.buffer;
  const room = new Uint8Array(Math.min(JOINED_BYTES, 2 * length));
  room.set(piece);
  return room.buffer;
}
