import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { freeBuffer } from "../../src/wire/free-buffer.ts";
import { ReadGate } from "../../src/wire/read-gate.ts";

/** The two calls of a socket that a gate makes, in order. */
function recordingSocket() {
  const calls: string[] = [];
  const socket = { pause: () => calls.push("pause"), resume: () => calls.push("resume") };
  // The gate uses nothing else of a socket.
  return { calls, gate: new ReadGate(socket as unknown as Socket<unknown>) };
}

describe("a read gate", () => {
  test("pauses for the first reason and resumes after the last", () => {
    const { calls, gate } = recordingSocket();
    gate.set("peer", true);
    gate.set("body", true);
    gate.set("peer", false);
    expect(calls).toEqual(["pause"]);
    gate.set("body", false);
    expect(calls).toEqual(["pause", "resume"]);
  });

  test("asks nothing of the socket when nothing changes", () => {
    const { calls, gate } = recordingSocket();
    gate.set("peer", false);
    gate.set("body", true);
    gate.set("body", true);
    gate.open();
    gate.open();
    expect(calls).toEqual(["pause", "resume"]);
  });

  test("tells whether a body is held, whatever the peer does", () => {
    const { gate } = recordingSocket();
    gate.set("peer", true);
    expect(gate.isBodyHeld).toBe(false);
    gate.set("body", true);
    gate.set("peer", false);
    expect(gate.isBodyHeld).toBe(true);
    gate.open();
    expect(gate.isBodyHeld).toBe(false);
  });

  test("gives what it held once, in order, as copies", () => {
    const { gate } = recordingSocket();
    const bytes = Buffer.from("abc");
    gate.hold(bytes);
    bytes.fill(0);
    gate.hold(Buffer.from("def"));
    expect(gate.hasHeld).toBe(true);
    expect(gate.takeHeld()?.toString()).toBe("abcdef");
    expect([gate.hasHeld, gate.takeHeld()]).toEqual([false, null]);
  });

  test("stops reading when it holds more than 64 KiB, and not before", () => {
    const { calls, gate } = recordingSocket();
    gate.hold(Buffer.alloc(64 * 1024));
    expect(calls).toEqual([]);
    gate.hold(Buffer.alloc(1));
    gate.hold(Buffer.alloc(1));
    expect(calls).toEqual(["pause"]);
    gate.open();
    expect(calls).toEqual(["pause", "resume"]);
    expect(gate.takeHeld()).toHaveLength(64 * 1024 + 2);
  });
});

describe("the memory of a data event", () => {
  test("is freed at once when it is large", () => {
    const bytes = Buffer.from(new ArrayBuffer(64 * 1024));
    const copy = Buffer.from(bytes);
    freeBuffer(bytes);
    expect([bytes.length, bytes.buffer.byteLength, copy.length]).toEqual([0, 0, 64 * 1024]);
  });

  test("is left to the collector when it is small", () => {
    const bytes = Buffer.from(new ArrayBuffer(64 * 1024 - 1));
    freeBuffer(bytes);
    expect(bytes).toHaveLength(64 * 1024 - 1);
  });

  test("is let alone where it is shared", () => {
    const bytes = Buffer.from(new SharedArrayBuffer(128 * 1024));
    freeBuffer(bytes);
    expect(bytes).toHaveLength(128 * 1024);
  });
});
