import { ptr } from "bun:ffi";
import { closeSync } from "node:fs";
import { lastErrno, libc } from "./libc.ts";
import { portOf, type SocketAddress, socketAddress } from "./socket-address.ts";

// Constants of Linux.
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** What the runtime gives its own listeners. */
const BACKLOG = 512;

const ERRNO: Readonly<Record<number, string>> = { 13: "EACCES", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 24: "EMFILE" };

/** A call on a socket failed. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /** As the runtime spells it, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = ERRNO[errno] ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** A socket that listens and accepts nothing. */
export interface ListeningSocket {
  /** Closed by whoever opened it. */
  readonly fd: number;
  readonly port: number;
}

function check(call: string, result: number): number {
  if (result < 0) throw new SocketError(call, lastErrno());
  return result;
}

function option(fd: number, level: number, [name, value]: readonly [number, number]): void {
  check("setsockopt", libc().setsockopt(fd, level, name, ptr(new Int32Array([value])), 4));
}

/** Binds a new socket and hands it on; closes it when that throws. */
function bound(at: SocketAddress, isShared: boolean, use: (fd: number) => number): ListeningSocket {
  // Non-blocking: two processes accept on it for a while, and the one that comes late must not wait in the call.
  const fd = check("socket", libc().socket(at.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  try {
    option(fd, SOL_SOCKET, [SO_REUSEADDR, 1]);
    if (isShared) option(fd, SOL_SOCKET, [SO_REUSEPORT, 1]);
    // A listener on `::` takes IPv4 clients too, as the runtime's own does.
    if (at.bytes.length > 16) option(fd, IPPROTO_IPV6, [IPV6_V6ONLY, 0]);
    check("bind", libc().bind(fd, ptr(at.bytes), at.bytes.length));
    return { fd, port: use(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function resolved(address: string, port: number): SocketAddress {
  const at = socketAddress(address, port);
  if (at === null) throw new Error(`${address} is no address that workers can share`);
  return at;
}

/**
 * Opens one of several sockets of the same address and port (`SO_REUSEPORT`): the kernel spreads connections over them,
 * and each keeps its own queue. Port 0 takes a free one. Throws a SocketError.
 */
export function openShared(address: string, port: number): ListeningSocket {
  const at = resolved(address, port);
  return bound(at, true, (fd) => {
    check("listen", libc().listen(fd, BACKLOG));
    check("getsockname", libc().getsockname(fd, ptr(at.bytes), ptr(new Uint32Array([at.bytes.length]))));
    return portOf(at);
  });
}

/**
 * Throws a SocketError when somebody listens there already. Sockets that may be shared would join another gateway of the
 * same user without a word, and split its connections with it.
 */
export function refuseTaken(address: string, port: number): void {
  const { fd } = bound(resolved(address, port), false, () => port);
  closeSync(fd);
}
