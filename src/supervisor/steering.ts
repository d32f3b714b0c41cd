import { ptr } from "bun:ffi";
import { libc } from "./libc.ts";

// Constants of Linux: socket options, and classic BPF (linux/filter.h).
const SOL_SOCKET = 1;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;
const LOAD_WORD = 0x20;
const MODULO = 0x94;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** Where the kernel puts a random number for the program to load. */
const RANDOM = 0xfffff000 + 56;

type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number];

/** A program that picks one of these places in the group of sockets, at random. */
function pickOf(places: readonly number[]): readonly Instruction[] {
  const choices = places.flatMap((place, at): readonly Instruction[] => [
    [JUMP_IF_EQUAL, 0, 1, at],
    [RETURN, 0, 0, place],
  ]);
  return [[LOAD_WORD, 0, 0, RANDOM], [MODULO, 0, 0, places.length], ...choices, [RETURN, 0, 0, places[0] ?? 0]];
}

function assembled(program: readonly Instruction[]): Uint8Array {
  const code = new Uint8Array(program.length * 8);
  const view = new DataView(code.buffer);
  program.forEach(([operation, whenTrue, whenFalse, value], at) => {
    view.setUint16(at * 8, operation, true);
    view.setUint8(at * 8 + 2, whenTrue);
    view.setUint8(at * 8 + 3, whenFalse);
    view.setUint32(at * 8 + 4, value, true);
  });
  return code;
}

/**
 * Makes new connections of a group of shared sockets go to those at these places only, spread evenly. `fd` is any of
 * the group; a place is the order of listening, where the last takes the place of one that closes. False when the
 * system cannot: the spread is then as it was. Places must not be empty.
 */
export function steerTo(fd: number, places: readonly number[]): boolean {
  const program = pickOf(places);
  const code = assembled(program);
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, BigInt(ptr(code)), true);
  return libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, ptr(header), header.length) === 0;
}

/** Lets the kernel spread new connections over the whole group again. */
export function steerToAll(fd: number): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, ptr(new Int32Array([0])), 4);
}
