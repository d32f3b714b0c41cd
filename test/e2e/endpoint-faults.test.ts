import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type FaultGateway, type FaultMesh, startFaultGateway, startFaultMesh } from "../support/fault-mesh.ts";
import { type Blow, between, type Course, endure, failed, more, report, shared, totalsOf } from "../support/ordeal.ts";
import type { Sample } from "../support/paced-load.ts";

setDefaultTimeout(120_000);

const PER_SECOND = 250;

/** Where nothing of a response has come yet, so that another endpoint can be asked. */
const EACH: readonly Blow[] = [
  ["killed", 5],
  ["stalled", 3],
  ["dropped", 2],
  ["slow", 1],
  ["drip", 1],
  ["error", 1],
  ["garbage", 1],
  ["reset_head", 1],
  ["closed", 1],
];

/** Neither an answer nor a reset. */
const SILENT: readonly Blow[] = [
  ["stalled", 3],
  ["dropped", 2],
];

const outcomes = (samples: readonly Sample[]) => [...new Set(failed(samples).map(({ outcome }) => outcome))];

let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh(20);
});
afterAll(() => mesh?.[Symbol.asyncDispose]());

/** A gateway for the tests of a block. */
function shop(workers: number): { readonly gateway: FaultGateway } {
  let started: FaultGateway | null = null;
  beforeAll(async () => {
    started = await startFaultGateway(mesh, workers);
  });
  afterAll(() => started?.[Symbol.asyncDispose]());
  return {
    get gateway() {
      if (started === null) throw new Error("the gateway is there for tests only, not before them");
      return started;
    },
  };
}

/** When the first of the ejections of these endpoints ends, in milliseconds of `performance.now()`. */
async function ejectedUntil(gateway: FaultGateway, ids: readonly string[]): Promise<number> {
  const { endpoints } = await gateway.view();
  const absences = endpoints.filter(({ id }) => ids.includes(id)).flatMap((endpoint) => endpoint.absences);
  const ends = absences.flatMap(({ until }) => (until === null ? [] : [Date.parse(until)]));
  return Math.min(...ends) - Date.now() + performance.now();
}

describe("a gateway with 20 endpoints", () => {
  const its = shop(1);

  test("shows no client their faults, one after the other, with retries of a fifth of the requests", async () => {
    const { gateway } = its;
    await using load = await gateway.load("some", PER_SECOND);
    const courses: Course[] = [];
    for (const ailment of shared(mesh, EACH)) {
      const name = `${ailment.ill.length} ${ailment.fault}`;
      courses.push(await endure({ name, gateway, load, ailments: [ailment] }));
    }
    await Promise.all(courses.map(({ recovery }) => recovery));
    await load.stop();
    for (const course of courses) await report(course, load.samples);
    expect(outcomes(load.samples)).toEqual([]);
    const { retries } = await totalsOf(gateway);
    expect(retries["success"]).toBeGreaterThan(0);
    expect(retries["budget_exhausted"]).toBeUndefined();
  });

  test("passes on what breaks off in the middle as broken, repeats none of it, and ejects the endpoint", async () => {
    const { gateway } = its;
    await using load = await gateway.load("some", PER_SECOND);
    let untilAt = 0;
    const until = async (ids: readonly string[]) => {
      untilAt = await ejectedUntil(gateway, ids);
      await more(load, 50);
    };
    const ailments = shared(mesh, [["reset_body", 1]]);
    const course = await endure({ name: "1 reset_body", gateway, load, ailments, until });
    await course.recovery;
    await load.stop();
    await report(course, load.samples);
    expect(outcomes(load.samples)).toEqual(["broken_body"]);
    expect(failed(between(load.samples, course.foundAt, untilAt - 200))).toEqual([]);
    expect(course.after.retries).toEqual(course.before.retries);
    expect(course.after.ejections).toBeGreaterThan(course.before.ejections);
  });

  test("lets hedges answer at once what goes to endpoints that are silent, and their health checks find them", async () => {
    const { gateway } = its;
    const ailments = shared(mesh, SILENT);
    for (const route of ["some", "hedged"] as const) {
      await using load = await gateway.load(route, PER_SECOND);
      const name = route === "hedged" ? "5 silent, hedged" : "5 silent";
      const course = await endure({ name, gateway, load, ailments });
      await course.recovery;
      await load.stop();
      await report(course, load.samples);
      expect(outcomes(load.samples)).toEqual([]);
    }
    const { hedges } = await totalsOf(gateway);
    expect(hedges["won"]).toBeGreaterThan(0);
  });
});

describe.each([1, 2])("a gateway of %i processes with 15 of its 20 endpoints ill at once", (workers) => {
  const its = shop(workers);

  test("shows no client their faults once they are found, and has all back when they are well", async () => {
    const { gateway } = its;
    await using load = await gateway.load("most", PER_SECOND);
    const name = workers === 1 ? "15 at once" : `15 at once, ${workers} workers`;
    const course = await endure({ name, gateway, load, ailments: shared(mesh, EACH) });
    await course.recovery;
    await more(load, 50);
    await load.stop();
    await report(course, load.samples);
    const late = between(load.samples, course.foundAt, Number.POSITIVE_INFINITY);
    expect(late.length).toBeGreaterThan(50);
    expect(outcomes(late)).toEqual([]);
  });
});
