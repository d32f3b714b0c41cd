import { type JoinOptions, joinMesh, type Member, type MemberState } from "../../packages/mesh/src/mesh.ts";
import { eventually } from "../support/load.ts";
import type { RedisProcess } from "../support/redis.ts";

export const ENDPOINTS = "torii:mesh:{shop}:endpoints";
export const LEASES = "torii:mesh:{shop}:leases";

/** A member of this process, and all that it said of its state. */
export interface TestMember extends AsyncDisposable {
  readonly member: Member;
  readonly said: readonly (readonly [MemberState, string | null])[];
}

/** Puts `shop one` into the mesh, with a lease of a second. It leaves when it is disposed of. */
export function startMember(redis: JoinOptions["redis"], more: Partial<JoinOptions> = {}): TestMember {
  const said: [MemberState, string | null][] = [];
  const member = joinMesh({
    redis,
    service: "shop",
    id: "one",
    url: "http://127.0.0.1:9001",
    ttlMs: 1000,
    graceMs: 0,
    onState: (state, reason) => void said.push([state, reason]),
    ...more,
  });
  return {
    member,
    said,
    async [Symbol.asyncDispose]() {
      await member.leave();
    },
  };
}

/** What stands in Redis of the endpoint `one`; null for nothing. */
export async function heldOf(redis: RedisProcess): Promise<Readonly<Record<string, unknown>> | null> {
  const json = await redis.cli("HGET", ENDPOINTS, "one");
  return json === "" ? null : JSON.parse(json);
}

export function isHeld(redis: RedisProcess, timeoutMs = 5000): Promise<void> {
  return eventually(async () => (await heldOf(redis)) !== null, "the endpoint to be in Redis", timeoutMs);
}
