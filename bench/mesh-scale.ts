import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { servicesView } from "../src/admin/schemas.ts";
import { startWorkers, type Workers } from "../test/supervisor/support.ts";
import { connect, type RawClient } from "../test/support/client.ts";
import { eventually } from "../test/support/load.ts";
import { startRedis } from "../test/support/redis.ts";
import { describeMachine, takeFreePorts } from "./machine.ts";
import { readUsage } from "./process.ts";

/** More than the longest period between two readings of a service. */
const SETTLE_MS = 8000;
const REST_MS = 20_000;
const SINGLE_CHANGES = 25;
const SPACING_MS = 100;
/** A connection stays with one process, so that several are asked. */
const LANES = 4;
const TOKEN = "9d1c5b7f20a84e3366aa";
const LEASE_MS = 3_600_000;
const USAGE = "bun bench/mesh-scale.ts [--services 1000] [--endpoints 20] [--workers 1]";

/** How large the mesh is. */
interface Scale {
  readonly services: number;
  readonly endpoints: number;
  readonly workers: number;
}

interface Scene extends Scale {
  readonly redis: Redis;
  /** Where all endpoints are: one server, which has every address of 127.0.0.0/8. */
  readonly port: number;
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(64)}${value}\n`);
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const milliseconds = (ms: number) => `${ms.toFixed(0)} ms`;
const nameOf = (service: number) => `s${service}`;
const all = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Answers with the address that it was reached at, which says of which generation an endpoint is. */
function startEndpoints(): number {
  const server = Bun.listen({
    hostname: "0.0.0.0",
    port: 0,
    socket: {
      data(socket) {
        const address = socket.localAddress;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${address.length}\r\n\r\n${address}`);
      },
    },
  });
  return server.port;
}

/** `127.GENERATION.x.y`: every endpoint of every generation has an address of its own. */
function addressOf(scale: Scale, service: number, generation: number, endpoint: number): string {
  const number = service * scale.endpoints + endpoint;
  return `127.${generation}.${number >> 8}.${number & 255}`;
}

/** Gives a service a whole new set of endpoints in one step, and tells of it. */
async function replace(scene: Scene, service: number, generation: number): Promise<void> {
  const name = nameOf(service);
  const leaseAt = Date.now() + LEASE_MS;
  const addresses = all(scene.endpoints).map((endpoint) => addressOf(scene, service, generation, endpoint));
  const [leases, endpoints] = [`torii:mesh:{${name}}:leases`, `torii:mesh:{${name}}:endpoints`];
  const entries = addresses.flatMap((address) => [address, JSON.stringify({ url: `http://${address}:${scene.port}` })]);
  const ends = addresses.flatMap((address) => [leaseAt, address]);
  const step = scene.redis
    .multi()
    .del(leases, endpoints)
    .hset(endpoints, ...entries)
    .zadd(leases, ...ends);
  await step.sadd("torii:mesh:services", name).publish("torii:mesh:changes", name).exec();
}

async function write(scene: Scene, services: readonly number[], generation: number): Promise<void> {
  await Promise.all(services.map((service) => replace(scene, service, generation)));
}

function routesOf({ services }: Scale): string {
  const names = all(services).map(nameOf);
  return `export default ${JSON.stringify({
    services: Object.fromEntries(names.map((name) => [name, {}])),
    routes: names.map((name) => ({ name, matches: [{ path: `/${name}` }], backends: [{ service: name }] })),
  })};`;
}

/** A gateway, and where its admin API is. */
interface Running extends AsyncDisposable {
  readonly gateway: Workers;
  readonly adminPort: number;
}

async function start(scene: Scene, redisUrl: string): Promise<Running> {
  const [adminPort = 0] = takeFreePorts(1);
  const gateway = await startWorkers({
    workers: scene.workers,
    torii: {
      redis: redisUrl,
      admin: { port: adminPort, tokens: [{ name: "bench", token: TOKEN, role: "viewer" }] },
      telemetry: { accessLog: { enabled: false } },
    },
    files: { "routes/main.ts": routesOf(scene) },
  });
  return { gateway, adminPort, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

/** The services whose answers do not come from that generation, as this connection sees it. */
async function missing(client: RawClient, services: readonly number[], generation: number): Promise<readonly number[]> {
  await client.send(services.map((service) => `GET /${nameOf(service)} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  const left: number[] = [];
  for (const service of services) {
    const { status, body } = await client.response("GET", 60_000);
    if (status !== 200 || !body.toString("latin1").startsWith(`127.${generation}.`)) left.push(service);
  }
  return left;
}

/** When each service last told another set of endpoints, in every process: by the gateway's own word, in epoch milliseconds. */
async function changes(adminPort: number): Promise<ReadonlyMap<string, number>> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`http://127.0.0.1:${adminPort}/v1/services`, { headers });
  const { services } = servicesView.parse(await response.json());
  return new Map(services.map(({ name, registry }) => [name, Date.parse(registry.changedAt ?? "")]));
}

/** Throws when a service is still answered by endpoints of another generation. */
async function verify({ gateway }: Running, services: readonly number[], generation: number): Promise<void> {
  for (let lane = 0; lane < LANES; lane++) {
    using client = await connect({ port: gateway.port });
    const left = await missing(client, services, generation);
    if (left.length > 0) throw new Error(`${left.length} services have not generation ${generation}`);
  }
}

/** Waits for as long as a change that nobody told of would take, so that one that was missed is seen to be late. */
async function lateness(running: Running, services: readonly number[], beganAt: number): Promise<number> {
  await Bun.sleep(SETTLE_MS);
  const at = await changes(running.adminPort);
  return Math.max(...services.map((service) => at.get(nameOf(service)) ?? Number.NaN)) - beganAt;
}

/** So long from the beginning of the writing until it is in force, and how long the writing took. */
async function convergence(scene: Scene, running: Running, generation: number): Promise<string> {
  const services = all(scene.services);
  const beganAt = Date.now();
  await write(scene, services, generation);
  const writtenMs = Date.now() - beganAt;
  const lateMs = await lateness(running, services, beganAt);
  await verify(running, services, generation);
  return `${milliseconds(lateMs)} (${milliseconds(writtenMs)} to write them)`;
}

/** The same for one service after the other, each by itself. */
async function singleChanges(scene: Scene, running: Running, generation: number): Promise<readonly number[]> {
  const services = all(Math.min(scene.services, SINGLE_CHANGES));
  const began: number[] = [];
  for (const service of services) {
    began.push(Date.now());
    await write(scene, [service], generation);
    await Bun.sleep(SPACING_MS);
  }
  await Bun.sleep(SETTLE_MS);
  const at = await changes(running.adminPort);
  await verify(running, services, generation);
  return services
    .map((service) => (at.get(nameOf(service)) ?? Number.NaN) - (began[service] ?? 0))
    .sort((a, b) => a - b);
}

interface Counts {
  readonly commands: number;
  readonly scripts: number;
  readonly gatewayMs: number;
  readonly redisMs: number;
}

async function counts(scene: Scene, gateway: Workers, redisPid: number): Promise<Counts> {
  const stats = await scene.redis.info("commandstats");
  const calls = (pattern: RegExp) => [...stats.matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
  return {
    commands: calls(/^cmdstat_[^:]+:calls=(\d+)/gm),
    scripts: calls(/^cmdstat_evalsha:calls=(\d+)/gm),
    gatewayMs: readUsage(gateway.torii.pid).cpuMs,
    redisMs: readUsage(redisPid).cpuMs,
  };
}

async function rest(scene: Scene, gateway: Workers, redisPid: number): Promise<void> {
  const before = await counts(scene, gateway, redisPid);
  await Bun.sleep(REST_MS);
  const after = await counts(scene, gateway, redisPid);
  const perSecond = (key: keyof Counts) => ((after[key] - before[key]) / REST_MS) * 1000;
  print(
    "at rest: calls to Redis",
    `${perSecond("scripts").toFixed(0)} scripts/s (${perSecond("commands").toFixed(0)} commands/s inside and out)`,
  );
  print("at rest: processor time of the gateway", `${(perSecond("gatewayMs") / 10).toFixed(1)} % of a core`);
  print("at rest: processor time of Redis", `${(perSecond("redisMs") / 10).toFixed(1)} % of a core`);
}

async function memory(gateway: Workers, what: string): Promise<void> {
  await Bun.sleep(SETTLE_MS);
  print(`memory ${what}`, megabytes(readUsage(gateway.torii.pid).rssBytes));
}

/** A gateway that runs while a mesh comes into being and changes. */
async function live(scene: Scene, redis: { readonly url: string; readonly pid: number }): Promise<void> {
  await using running = await start(scene, redis.url);
  const { gateway } = running;
  await eventually(gateway.isReady, "readiness", 60_000);
  await memory(gateway, "without endpoints");
  print("all endpoints of all services joined, in force after", await convergence(scene, running, 1));
  await memory(gateway, "with all endpoints");
  await rest(scene, gateway, redis.pid);
  const singles = await singleChanges(scene, running, 2);
  const [median = 0, most = 0] = [singles[Math.floor(singles.length / 2)], singles.at(-1)];
  const text = `${milliseconds(median)}, at most ${milliseconds(most)}`;
  print(`one service's endpoints replaced, in force after (${singles.length} times)`, text);
  for (const generation of [3, 4, 5])
    print("all services' endpoints replaced, in force after", await convergence(scene, running, generation));
  await memory(gateway, "after that");
}

/** A gateway that starts and finds it all. */
async function fresh(scene: Scene, redisUrl: string): Promise<void> {
  const services = all(scene.services);
  await write(scene, services, 6);
  const beganAt = Date.now();
  await using running = await start(scene, redisUrl);
  await eventually(running.gateway.isReady, "readiness", 60_000);
  print("started, ready after", milliseconds(Date.now() - beganAt));
  print("started, all endpoints known after", milliseconds(await lateness(running, services, beganAt)));
  await verify(running, services, 6);
  await memory(running.gateway, "started with all endpoints");
}

function scaleOf(args: readonly string[]): Scale {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ args: [...args], options: { services: text, endpoints: text, workers: text } });
  const { services = "1000", endpoints = "20", workers = "1" } = values;
  return { services: Number(services), endpoints: Number(endpoints), workers: Number(workers) };
}

/** Measures a mesh in Redis of many services: memory, time to converge, and what it costs at rest. */
async function main(args: readonly string[]): Promise<number> {
  const scale = scaleOf(args);
  if (!(scale.services * scale.endpoints > 0 && scale.services * scale.endpoints <= 65_536 && scale.workers > 0)) {
    process.stderr.write(`${USAGE}\nat most 65,536 endpoints\n`);
    return 2;
  }
  print("machine", describeMachine());
  print("mesh", `${scale.services} services, ${scale.endpoints} endpoints each, ${scale.workers} process(es)`);
  await using server = await startRedis();
  const redis = new Redis(server.url);
  const scene = { ...scale, redis, port: startEndpoints() };
  await live(scene, server);
  await fresh(scene, server.url);
  redis.disconnect();
  return 0;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
