import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import type { ResponseHead } from "../../src/wire/exchange.ts";
import { eventually } from "../support/load.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { GUARDS, gone, inFlight, pass, send, startSilent } from "./hedge-support.ts";
import { serviceAt } from "./retry-support.ts";

describe("a request with two attempts under way", () => {
  test("whose client leaves calls both off, and blames nobody", async () => {
    await using slow = startSilent();
    await using also = startSilent();
    using setup = await serviceAt([slow.url, also.url], GUARDS);
    const { exchange, forwarded } = send(setup);
    await pass(setup);
    for (const upstream of [slow, also]) await upstream.taken(1);
    exchange.gone(new GatewayError("client_closed", "left"));
    expect((await forwarded).outcome).toBe("client_closed");
    for (const upstream of [slow, also]) await gone(upstream);
    expect([setup.service.guards?.ejected, setup.service.guards?.breakerState]).toEqual([0, "closed"]);
    expect([setup.hedges, inFlight(setup)]).toEqual([["abandoned"], [0, 0]]);
  });

  test("blames nobody for the one that was not needed", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url], GUARDS);
    const { exchange, forwarded } = send(setup);
    await pass(setup);
    expect((await forwarded).outcome).toBe("well");
    exchange.observer?.exchangeDone(exchange);
    expect([setup.service.guards?.ejected, setup.service.guards?.breakerState]).toEqual([0, "closed"]);
  });

  test("whose route's time is over has the first one blamed, and not the one that had next to no time", async () => {
    await using slow = startSilent();
    await using also = startSilent();
    using setup = await serviceAt([slow.url, also.url], { ...GUARDS, breaker: null });
    const { exchange, forwarded } = send(setup);
    await pass(setup);
    await also.taken(1);
    exchange.expire(new GatewayError("upstream_timeout", "over"));
    expect([(await forwarded).outcome, setup.service.guards?.ejected]).toEqual(["upstream_timeout", 1]);
    expect([setup.hedges, inFlight(setup)]).toEqual([["abandoned"], [0, 0]]);
  });

  test("passes interim responses on only while there is one", async () => {
    const heads: number[] = [];
    const responder = { inform: (_: unknown, { status }: ResponseHead) => void heads.push(status) };
    await using slow = startSilent();
    await using also = startSilent();
    using setup = await serviceAt([slow.url, also.url]);
    const { forwarded } = send(setup, { responder });
    await slow.taken(1);
    await slow.say("HTTP/1.1 103 Early Hints\r\n\r\n");
    await eventually(() => heads.length > 0, "a hint");
    await pass(setup);
    await also.taken(1);
    await also.say(`HTTP/1.1 102 Processing\r\n\r\n${ok("well")}`);
    expect([(await forwarded).outcome, heads]).toEqual(["well", [103]]);
  });

  test("is the winner's in its body: the client's leaving closes that connection", async () => {
    await using slow = startSilent();
    await using also = startSilent();
    using setup = await serviceAt([slow.url, also.url]);
    const { exchange } = send(setup);
    await pass(setup);
    await also.taken(1);
    await also.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await gone(slow);
    exchange.gone(new GatewayError("client_closed", "left"));
    await gone(also);
    expect(inFlight(setup)).toEqual([0, 0]);
  });

  test("goes on when its service is closed meanwhile", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url]);
    const { forwarded } = send(setup);
    await slow.taken(1);
    setup.service.close();
    await pass(setup);
    expect((await forwarded).outcome).toBe("well");
    expect([inFlight(setup), setup.hedges]).toEqual([[0, 0], ["won"]]);
  });
});

describe("peak_ewma", () => {
  test("learns from an attempt that was not needed how slow its endpoint is", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url], { balancer: "peak_ewma" });
    const begins: (string | null)[] = [];
    for (let i = 0; i < 8; i++) {
      const asked = send(setup);
      begins.push(asked.exchange.endpoint);
      const index = setup.pauses.length - 1;
      if (asked.exchange.endpoint === "0") {
        await slow.taken(slow.requests.length + 1);
        await pass(setup, index);
      }
      await asked.forwarded;
    }
    expect(begins.filter((it) => it === "0").length).toBeLessThan(3);
  });
});
