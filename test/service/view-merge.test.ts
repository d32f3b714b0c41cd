import { describe, expect, test } from "bun:test";
import { mergeViews } from "../../src/service/view-merge.ts";
import type { AbsenceView, BreakerView, HealthView, ServiceView } from "../../src/service/view-schema.ts";
import { endpointView, serviceView } from "../admin/support.ts";

const EARLY = "2026-01-01T00:00:00.000Z";
const LATE = "2026-01-01T00:00:30.000Z";

function health(state: HealthView["state"], reason: string | null = null): HealthView {
  return { state, reason, passing: 0, failing: 0, unknown: 0, [state]: 1 };
}

function ejected(until: string, times: number): AbsenceView {
  return { reason: "ejected", cause: "consecutive_failures", times, until, workers: 1 };
}

function breaker(view: Partial<BreakerView>): BreakerView {
  const window = { total: 2, failures: 1, slow: 0 };
  return {
    ...{ state: "closed", closed: 1, halfOpen: 0, open: 0, until: null, inFlight: 3, maxRequests: 10 },
    ...{ pending: 1, maxPending: 5, window, openedFor: null },
    ...view,
  };
}

describe("the views of several workers as one", () => {
  test("are the view itself where there is one", () => {
    const view = serviceView({ breaker: breaker({}), endpoints: [endpointView({ health: health("passing") })] });
    expect(mergeViews([view])).toEqual(view);
  });

  test("sum what is counted", () => {
    const one = serviceView({
      endpoints: [endpointView({ inFlight: 2, connections: { open: 3, idle: 1, passages: 1 } })],
      totals: { ejections: 1, breakerOpens: 2, retries: { success: 1 }, hedges: { won: 1 } },
    });
    const other = serviceView({
      endpoints: [endpointView({ inFlight: 5, connections: { open: 4, idle: 4, passages: 0 } })],
      totals: { ejections: 1, breakerOpens: 0, retries: { success: 2, failure: 1 }, hedges: { won: 1, lost: 2 } },
    });
    const { endpoints, totals } = mergeViews([one, other]);
    expect(endpoints).toMatchObject([{ inFlight: 7, connections: { open: 7, idle: 5, passages: 1 } }]);
    expect(totals).toEqual({
      ejections: 2,
      breakerOpens: 2,
      retries: { success: 3, failure: 1 },
      hedges: { won: 2, lost: 2 },
    });
  });

  test("tell the least of what stays in the zone, and the worst of subsets", () => {
    const canary = { name: "tag canary", isPanic: false, used: 2, zoneShare: 1 };
    const one = serviceView({ zoneShare: 0.7, subsets: [canary] });
    const other = serviceView({ zoneShare: 0.4, subsets: [{ ...canary, isPanic: true, used: 1, zoneShare: null }] });
    expect(mergeViews([one, serviceView(), other])).toMatchObject({
      zoneShare: 0.4,
      subsets: [{ name: "tag canary", isPanic: true, used: 1, zoneShare: 1 }],
    });
  });

  test("sum what may be in flight and what waits", () => {
    const concurrency = { limit: 4, inFlight: 3, waiting: { high: 0, normal: 2, low: 1 } };
    const none = serviceView();
    const limited = serviceView({ concurrency });
    expect(mergeViews([limited, none, limited]).concurrency).toEqual({
      ...{ limit: 8, inFlight: 6 },
      waiting: { high: 0, normal: 4, low: 2 },
    });
  });

  test("tell the worst health, and how many workers say what", () => {
    const states = [health("passing"), health("failing", "timeout"), health("unknown"), health("passing")] as const;
    const [first, ...rest] = states.map((one) => serviceView({ endpoints: [endpointView({ health: one })] }));
    const merged = mergeViews([first ?? serviceView(), ...rest]);
    expect(merged.endpoints[0]?.health).toEqual({
      ...{ state: "failing", reason: "timeout", passing: 2, failing: 1, unknown: 1 },
    });
  });

  test("tell an absence of the workers that have it, until the last of them ends", () => {
    const out = (absence: AbsenceView) =>
      serviceView({ endpoints: [endpointView({ isUsed: false, absences: [absence] })] });
    const { endpoints } = mergeViews([out(ejected(EARLY, 1)), serviceView(), out(ejected(LATE, 3))]);
    expect(endpoints).toMatchObject([{ isUsed: true, absences: [{ ...ejected(LATE, 3), workers: 2 }] }]);
  });

  test("is spare where nobody uses it and somebody would", () => {
    const of = (isUsed: boolean, isSpare: boolean) => serviceView({ endpoints: [endpointView({ isUsed, isSpare })] });
    const merged = (...views: [ServiceView, ServiceView]) => mergeViews(views).endpoints[0]?.isSpare;
    expect([merged(of(false, true), of(true, false)), merged(of(false, true), of(false, false))]).toEqual([
      false,
      true,
    ]);
  });

  test("tell a breaker as open when it is in any of them, and what it bounds in all", () => {
    const open = breaker({
      state: "open",
      closed: 0,
      open: 1,
      until: LATE,
      openedFor: { total: 4, failures: 4, slow: 0 },
    });
    expect(mergeViews([serviceView({ breaker: breaker({}) }), serviceView({ breaker: open })]).breaker).toEqual({
      ...{ state: "open", closed: 1, halfOpen: 0, open: 1, until: LATE, inFlight: 6, maxRequests: 20 },
      ...{ pending: 2, maxPending: 10 },
      window: { total: 4, failures: 2, slow: 0 },
      openedFor: { total: 4, failures: 4, slow: 0 },
    });
  });

  test("have the endpoints that any of them knows", () => {
    const other = serviceView({ endpoints: [endpointView({ id: "b" })], isPanic: true });
    const merged = mergeViews([serviceView(), other]);
    expect([merged.endpoints.map(({ id }) => id), merged.isPanic]).toEqual([["a", "b"], true]);
  });
});
