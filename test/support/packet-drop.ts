import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";

const { i32, u32 } = FFIType;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const AF_INET = 2;
/** `BPF_RET | BPF_K`: takes this many bytes of each packet, so with 0 none of it. */
const BPF_RETURN = 0x06;

function openLibc() {
  return dlopen("libc.so.6", {
    getsockname: { args: [i32, FFIType.ptr, FFIType.ptr], returns: i32 },
    setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 },
  }).symbols;
}

type Libc = ReturnType<typeof openLibc>;

/** The port that a descriptor is bound to; 0 for what is no socket of IPv4. */
function portOf(libc: Libc, fd: number): number {
  const address = new Uint8Array(128);
  const length = new Uint32Array([address.length]);
  if (libc.getsockname(fd, ptr(address), ptr(length)) !== 0) return 0;
  const view = new DataView(address.buffer);
  return view.getUint16(0, true) === AF_INET ? view.getUint16(2) : 0;
}

/** This process's sockets at that port: the one that listens, and those that it accepted. */
function socketsAt(libc: Libc, port: number): readonly number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => portOf(libc, fd) === port);
}

/** A `struct sock_fprog` of one instruction, which has to live as long as it is being handed over. */
function dropAll() {
  const instruction = new Uint8Array(8);
  new DataView(instruction.buffer).setUint16(0, BPF_RETURN, true);
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, 1, true);
  view.setBigUint64(8, BigInt(ptr(instruction)), true);
  return { instruction, program };
}

/**
 * From now on the kernel drops every packet that comes to this port of this very process, on open connections and for
 * new ones: nobody answers, not even with a reset, as behind a firewall or a broken cable. It needs no privileges: a
 * process may filter what its own sockets receive (Linux only). Ends when it is disposed of.
 */
export function dropPackets(port: number): Disposable {
  const libc = openLibc();
  const { instruction, program } = dropAll();
  for (const fd of socketsAt(libc, port)) {
    if (libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(program), program.length) !== 0)
      throw new Error(`the kernel takes no filter for port ${port}`);
  }
  return {
    [Symbol.dispose]() {
      for (const fd of socketsAt(libc, port)) {
        libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, ptr(instruction), instruction.length);
      }
    },
  };
}
