import { type Network, SimGateway, SimRedis, Timeline } from "./world.ts";

/** Gateways around one Redis, with all that may become of them. */
export interface World {
  readonly random: () => number;
  readonly timeline: Timeline;
  readonly redis: SimRedis;
  readonly network: Network;
  readonly gateways: readonly SimGateway[];
}

/** `baseMs`: what a message takes one way, in the middle. */
export function worldOf(random: () => number, { count, baseMs }: { count: number; baseMs: number }): World {
  const timeline = new Timeline();
  const redis = new SimRedis(timeline);
  const network: Network = { latencyMs: () => baseMs * (0.5 + random()), lossRate: 0 };
  const gateways = Array.from({ length: count }, (_, at) => new SimGateway(`g${at}`, { redis, network, random }));
  return { random, timeline, redis, network, gateways };
}

/** How many gateways, and how far apart: what the worlds of some seeds in a row go through. */
export function sizeOf(seed: number): { readonly count: number; readonly baseMs: number } {
  return { count: 1 + (seed % 4), baseMs: [0.1, 0.5, 2][seed % 3] ?? 1 };
}

/** When harm begins, and how long it lasts. */
export interface Harm {
  readonly fromMs: number;
  readonly toMs: number;
  readonly longestMs: number;
  readonly lossRate: () => number;
  readonly slowestMs: number;
  onCrash?(gateway: SimGateway): void;
}

/** Three of: crashes, pauses, cuts, losses and slow messages. */
export function harm(world: World, how: Harm): void {
  const { random, gateways } = world;
  for (let i = 0; i < 3; i++) {
    const gateway = gateways[Math.floor(random() * gateways.length)];
    const kind = Math.floor(random() * 5);
    const at = how.fromMs + random() * (how.toMs - how.fromMs);
    const ms = random() * how.longestMs;
    if (gateway !== undefined) harmOne(world, gateway, { how, kind, at, ms });
  }
}

interface Fault {
  readonly how: Harm;
  readonly kind: number;
  readonly at: number;
  readonly ms: number;
}

function harmOne({ random, timeline, network }: World, gateway: SimGateway, { how, kind, at, ms }: Fault): void {
  const { latencyMs } = network;
  const during = (begin: () => void, end: () => void): void => {
    timeline.at(at, begin);
    timeline.at(at + ms, end);
  };
  const crash = (): void => {
    how.onCrash?.(gateway);
    gateway.crash();
  };
  const cut = (isCut: boolean) => (): void => {
    gateway.isCut = isCut;
  };
  const lose = (lossRate: () => number) => (): void => {
    network.lossRate = lossRate();
  };
  const carry = (carriedMs: () => number) => (): void => {
    network.latencyMs = carriedMs;
  };
  if (kind === 0) during(crash, () => gateway.restart());
  else if (kind === 1) timeline.at(at, () => gateway.pause(ms));
  else if (kind === 2) during(cut(true), cut(false));
  else if (kind === 3)
    during(
      lose(how.lossRate),
      lose(() => 0),
    );
  else
    during(
      carry(() => random() * how.slowestMs),
      carry(latencyMs),
    );
}

/** Plays the worlds of some seeds, one after the other. */
export async function eachSeed<Outcome>(
  from: number,
  to: number,
  play: (seed: number) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let seed = from; seed < to; seed++) outcomes.push(await play(seed));
  return outcomes;
}

/** How much of what was ideal was admitted. */
export function admittedShare(outcomes: readonly { readonly admitted: number; readonly ideal: number }[]): number {
  const admitted = outcomes.reduce((sum, outcome) => sum + outcome.admitted, 0);
  return admitted / outcomes.reduce((sum, outcome) => sum + outcome.ideal, 0);
}
