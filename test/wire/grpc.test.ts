import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { grpcHead, grpcMessage, grpcStatus, isGrpc } from "../../src/wire/grpc.ts";
import { headerList } from "../../src/wire/header-list.ts";

describe("a gRPC call", () => {
  const cases: readonly (readonly [string | null, boolean])[] = [
    ["application/grpc", true],
    ["application/grpc+proto", true],
    ["Application/GRPC+json", true],
    ["application/grpc;charset=utf-8", true],
    ["application/grpc-web", false],
    ["application/grpc-web+proto", false],
    ["application/grpcx", false],
    ["application/json", false],
    [null, false],
  ];

  test.each(cases)("of type %p: %p", (type, is) => {
    expect(isGrpc(headerList(type === null ? [] : [["Content-Type", type]]))).toBe(is);
  });
});

describe("a gRPC status", () => {
  test("percent-encodes in its message what is not printable ASCII, and the percent sign", () => {
    expect(grpcMessage("No route takes this request.")).toBe("No route takes this request.");
    expect(grpcMessage("50 % über\n")).toBe("50 %25 %C3%BCber%0A");
    expect(grpcMessage("")).toBe("");
  });

  test("stands in the head with when to try again, and nothing else describes a body", () => {
    const { headers, status } = grpcHead(new GatewayError("overloaded", "Too much.", { retryAfter: 2 }));
    expect(status).toBe(200);
    expect(headers.lines).toEqual([
      "Content-Type: application/grpc",
      "grpc-status: 14",
      "grpc-message: Too much.",
      "Retry-After: 2",
    ]);
  });

  test("tells apart who may not, who is not known, and what does not exist", () => {
    const codes = ["forbidden", "unauthenticated", "route_not_found", "rate_limited", "upstream_timeout"] as const;
    expect(codes.map(grpcStatus)).toEqual([7, 16, 12, 8, 4]);
  });
});
