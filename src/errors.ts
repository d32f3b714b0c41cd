/** Who is to blame: the client that asked, this gateway, or the endpoint that should have answered. */
export type ErrorSource = "downstream" | "gateway" | "upstream";

interface ErrorRow {
  readonly status: number;
  readonly source: ErrorSource;
  readonly title: string;
  /** Says whether another attempt could help; whether it is *allowed* depends on what was sent. */
  readonly isRetryable: boolean;
}

function row(status: number, source: ErrorSource, title: string, isRetryable = false): ErrorRow {
  return { status, source, title, isRetryable };
}

/** The one table of errors. A code is the last part of a problem's `type`. */
const TABLE = {
  bad_request: row(400, "downstream", "Bad request"),
  ambiguous_path: row(400, "downstream", "Ambiguous path"),
  unauthenticated: row(401, "downstream", "Unauthenticated"),
  forbidden: row(403, "downstream", "Forbidden"),
  route_not_found: row(404, "downstream", "No route matches"),
  method_not_allowed: row(405, "downstream", "Method not allowed"),
  request_timeout: row(408, "downstream", "Request timeout"),
  payload_too_large: row(413, "downstream", "Payload too large"),
  uri_too_long: row(414, "downstream", "URI too long"),
  expectation_failed: row(417, "downstream", "Expectation failed"),
  misdirected_request: row(421, "downstream", "Misdirected request"),
  rate_limited: row(429, "downstream", "Too many requests"),
  headers_too_large: row(431, "downstream", "Request header fields too large"),
  client_closed: row(499, "downstream", "Client closed the connection"),
  internal: row(500, "gateway", "Internal error"),
  backend_invalid: row(500, "gateway", "No valid backend"),
  not_implemented: row(501, "downstream", "Not implemented"),
  upstream_connect: row(502, "upstream", "Upstream cannot be reached", true),
  upstream_reset: row(502, "upstream", "Upstream closed the connection", true),
  upstream_protocol: row(502, "upstream", "Upstream broke the protocol"),
  no_endpoint: row(503, "gateway", "No endpoint available"),
  circuit_open: row(503, "gateway", "Circuit open"),
  overloaded: row(503, "gateway", "Overloaded"),
  draining: row(503, "gateway", "Draining"),
  upstream_timeout: row(504, "upstream", "Upstream timed out", true),
  version_not_supported: row(505, "downstream", "HTTP version not supported"),
  loop_detected: row(508, "gateway", "Loop detected"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof TABLE;

/** The row of a code: status, source, title, and whether another attempt could help. */
export function errorRow(code: ErrorCode): ErrorRow {
  return TABLE[code];
}

/** What was put on the wire before an attempt failed; decides whether it may be repeated (RFC 9110 9.2.2). */
export type Sent = "nothing" | "fresh" | "reused";

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** For upstream errors: nothing was written, or something was, on a fresh or on a reused connection. */
  readonly sent?: Sent;
  /** Seconds after which the client may try again. */
  readonly retryAfter?: number;
  /** Who is to blame, where it is not who its row says. */
  readonly source?: ErrorSource;
  /** Names of the limits that refused: the problem is then the one that the RateLimit fields' draft defines. */
  readonly violatedPolicies?: readonly string[];
  /** These limits are not known to be reached: what counts them cannot be asked. */
  readonly isUncounted?: boolean;
}

/** The only error that becomes a response. `message` is shown to clients: it never holds internals. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly sent: Sent | null;
  readonly retryAfter: number | null;
  readonly source: ErrorSource;
  readonly violatedPolicies: readonly string[] | null;
  readonly isUncounted: boolean;

  constructor(code: ErrorCode, detail: string, options: GatewayErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.sent = options.sent ?? null;
    this.retryAfter = options.retryAfter ?? null;
    this.source = options.source ?? TABLE[code].source;
    this.violatedPolicies = options.violatedPolicies ?? null;
    this.isUncounted = options.isUncounted ?? false;
  }

  get status(): number {
    return TABLE[this.code].status;
  }
}

/** Why it came to an error, with what the system said, such as ECONNREFUSED: for operators, never for clients. */
export function reasonText({ message, cause }: GatewayError): string {
  if (!(cause instanceof Error)) return message;
  const code = "code" in cause ? `${cause.code}: ` : "";
  return `${message} ${code}${cause.message}`;
}

export interface ProblemFacts {
  /** The request's id; becomes `instance`. */
  readonly id: string;
  readonly route?: string | null;
  readonly service?: string | null;
}

/** draft-ietf-httpapi-ratelimit-headers-11, "Problem Types". */
const PROBLEM_TYPES = "https://iana.org/assignments/http-problem-types";

function typeOf({ violatedPolicies, isUncounted, code }: GatewayError): string {
  if (violatedPolicies === null) return `urn:torii:problem:${code}`;
  return `${PROBLEM_TYPES}#${isUncounted ? "temporary-reduced-capacity" : "quota-exceeded"}`;
}

/** RFC 9457 problem details of an error, as one line of JSON. Unknown facts are left out. */
export function problemBody(error: GatewayError, facts: ProblemFacts): string {
  const { status, title } = TABLE[error.code];
  const text = JSON.stringify({
    type: typeOf(error),
    title,
    status,
    detail: error.message,
    instance: `urn:torii:request:${facts.id}`,
    route: facts.route ?? undefined,
    service: facts.service ?? undefined,
    retryAfter: error.retryAfter ?? undefined,
    code: error.violatedPolicies === null ? undefined : error.code,
    "violated-policies": error.isUncounted ? undefined : (error.violatedPolicies ?? undefined),
  });
  return `${text}\n`;
}

/** Any thrown value as a GatewayError: unknown ones become `internal`, whose detail tells nothing. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("internal", "The gateway could not handle this request.", { cause: thrown });
}

/** One fault in a configuration. Lines and columns count from 1; null where a fault belongs to no place. */
export interface ConfigIssue {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  /** Path of the field, such as `routes[0].matches[1].path`; empty for the whole file. */
  readonly field: string;
  /** What is wrong, and after a comma or semicolon what would be right. */
  readonly message: string;
}

/** `file:line:column field: message`, the one way in which a fault is shown. */
export function formatIssue(issue: ConfigIssue): string {
  const place = issue.line === null ? issue.file : `${issue.file}:${issue.line}:${issue.column ?? 1}`;
  return issue.field === "" ? `${place}: ${issue.message}` : `${place} ${issue.field}: ${issue.message}`;
}

/** A configuration that was refused, with every fault at once; what ran before keeps running. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super(issues.map(formatIssue).join("\n"));
    this.issues = issues;
  }
}
