import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { prepareBackend } from "./backend.ts";
import { type Bench, makeDirectory, startChild, waitUntilReady } from "./fleet.ts";
import { chooseCores, describeMachine, locateProgram, takeFreePorts } from "./machine.ts";
import { NGINX_INSTALL } from "./nginx-config.ts";
import { type BenchOptions, checkNames, parseOptions, USAGE } from "./options.ts";
import { createChildren } from "./process.ts";
import type { ProxySpec } from "./proxies/proxy.ts";
import { renderReport, type ScenarioReport } from "./report.ts";
import { runRounds } from "./rounds.ts";
import type { LoadScenario, Scenario } from "./scenario.ts";
import { allProxies, allScenarios } from "./scenarios.ts";

/** Runs the benchmark and returns the exit code: 0 done, 1 something failed, 2 misuse of the command line. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === "string") return complain(`${options}\n\n${USAGE}`, 2);
  if (options.isHelp) return print(USAGE);
  const missing = ["nginx", "wrk", "taskset"].filter((name) => locateProgram(name) === null);
  if (missing.length > 0)
    return complain(`missing: ${missing.join(", ")}; install with: ${NGINX_INSTALL} util-linux`, 1);
  print(describeMachine());
  for (const proxy of absentProxies(options)) print(`absent, skipped: ${proxy.name} (${proxy.install})`);
  return await withBench(options, runScenarios);
}

/** The options, or one line on what is wrong with them. */
function readOptions(args: readonly string[]): BenchOptions | string {
  try {
    const options = parseOptions(args);
    checkNames("--scenario", options.scenarios, namesOf(allScenarios()));
    checkNames("--proxies", options.proxies, namesOf(allProxies()));
    return options;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function namesOf(named: readonly { readonly name: string }[]): readonly string[] {
  return named.map((one) => one.name);
}

function absentProxies(options: BenchOptions): readonly ProxySpec[] {
  return allProxies().filter((proxy) => isWanted(options, proxy.name) && !proxy.isInstalled());
}

/** nginx is the measure of all others and cannot be left out. */
function isWanted(options: BenchOptions, proxyName: string): boolean {
  return proxyName === "nginx" || options.proxies.length === 0 || options.proxies.includes(proxyName);
}

/** Starts the backend, and on every way out ends all that was started and removes all files. */
async function withBench(options: BenchOptions, run: (bench: Bench) => Promise<number>): Promise<number> {
  const children = createChildren();
  const directory = await mkdtemp(`${tmpdir()}/torii-bench-`);
  try {
    const cores = chooseCores();
    await moveTo(cores.load);
    const [backendPort = 0] = takeFreePorts(1);
    const bench = { options, children, cores, directory, backendPort };
    await startBackend(bench);
    return await Promise.race([run(bench), interruption()]);
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error), 1);
  } finally {
    await children.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Resolves with an exit code at the first Ctrl-C, SIGTERM or SIGHUP; further ones must not cut the cleaning short. */
function interruption(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(130));
  return promise;
}

/** This process stands in for clients and services in some scenarios and must keep off the proxy's core. */
async function moveTo(core: number): Promise<void> {
  await Bun.$`taskset -a -p -c ${core} ${process.pid}`.quiet();
}

async function startBackend(bench: Bench): Promise<void> {
  const directory = await makeDirectory(bench, "backend");
  const launch = await prepareBackend(directory, bench.backendPort);
  const child = startChild(bench, launch, { directory, core: bench.cores.load });
  await waitUntilReady("the backend", { port: bench.backendPort }, child);
}

async function runScenarios(bench: Bench): Promise<number> {
  const reports: ScenarioReport[] = [];
  for (const scenario of chosenScenarios(bench.options)) {
    const report = await runScenario(bench, scenario);
    if (report === null) continue;
    print(renderReport(report));
    reports.push(report);
  }
  await writeJson(bench.options, reports);
  const failed = reports.filter((report) => report.faults.length > 0);
  return failed.length === 0 ? 0 : complain(`\n!! failures in: ${namesOf(failed).join(", ")}`, 1);
}

function chosenScenarios(options: BenchOptions): readonly Scenario[] {
  const { scenarios } = options;
  return allScenarios().filter((scenario) => scenarios.length === 0 || scenarios.includes(scenario.name));
}

/** Null when nothing is left to compare. */
async function runScenario(bench: Bench, scenario: Scenario): Promise<ScenarioReport | null> {
  if (scenario.kind === "special") return await runSpecial(bench, scenario);
  const absent = absentBaseline(scenario);
  if (absent !== null) return skip(scenario, `${absent.name} is absent (${absent.install})`);
  const { tool } = scenario;
  if (tool !== null && locateProgram(tool.program) === null) {
    return skip(scenario, `${tool.program} is absent (${tool.install})`);
  }
  // Variants of one proxy have its name and a suffix.
  const isChosen = (proxy: ProxySpec) => isWanted(bench.options, proxy.name.split("-")[0] ?? "") && proxy.isInstalled();
  const proxies = scenario.contestants.filter(isChosen);
  if (proxies.length > 0) return await runRounds(await withOwnBackend(bench, scenario), scenario, proxies);
  return skip(scenario, "torii is absent or not chosen");
}

async function withOwnBackend(bench: Bench, { startBackend }: LoadScenario): Promise<Bench> {
  return startBackend === null ? bench : { ...bench, backendPort: await startBackend(bench) };
}

/** The measure of a scenario, when it is a proxy that is not there. */
function absentBaseline({ contestants, baseline }: LoadScenario): ProxySpec | null {
  return contestants.find((proxy) => proxy.name === baseline && !proxy.isInstalled()) ?? null;
}

function skip(scenario: Scenario, reason: string): null {
  print(`\n${scenario.name}: skipped, ${reason}`);
  return null;
}

async function runSpecial(bench: Bench, scenario: Scenario & { kind: "special" }): Promise<ScenarioReport | null> {
  const torii = allProxies().find((proxy) => proxy.name === "torii");
  if (isWanted(bench.options, "torii") && torii?.isInstalled()) return await scenario.run(bench, scenario);
  return skip(scenario, "torii is absent or not chosen");
}

async function writeJson(options: BenchOptions, reports: readonly ScenarioReport[]): Promise<void> {
  if (options.jsonFile === null) return;
  await Bun.write(options.jsonFile, JSON.stringify({ machine: describeMachine(), options, reports }, null, 2));
}

function print(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain<Code extends number>(text: string, exitCode: Code): Code {
  process.stderr.write(`${text}\n`);
  return exitCode;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
