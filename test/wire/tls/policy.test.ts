import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { createTlsPolicy, type TlsPolicy } from "../../../src/wire/tls/policy.ts";
import { certificateFor, tlsFacts } from "./support.ts";

const RELOADS = 100;

function contextsInMemory(): number {
  Bun.gc(true);
  return heapStats().objectTypeCounts["SecureContext"] ?? 0;
}

describe("the policies of a listener", () => {
  test("are forgotten when their successors are in force, through any number of reloads", () => {
    const turns = ["a.test", "b.test"].map((name) =>
      tlsFacts([], { certificates: [certificateFor({ names: [name] })] }),
    );
    const before = contextsInMemory();
    let policy: TlsPolicy | null = null;
    for (let at = 0; at < RELOADS; at++) {
      const facts = turns[at % 2];
      if (facts !== undefined) policy = createTlsPolicy(facts, { hasHttp2: true, previous: policy });
    }
    expect(policy?.contexts.size).toBe(1);
    // The collector may take what still lies on the stack for a reference.
    expect(contextsInMemory() - before).toBeLessThan(RELOADS / 10);
  });
});
