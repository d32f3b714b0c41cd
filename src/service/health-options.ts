/** What a service's endpoints are asked with, whether they can serve. */
export interface HealthCheckOptions {
  /** `http`: a GET in the service's own protocol; `tcp`: a connection; `grpc`: `grpc.health.v1.Health/Check`. */
  readonly type: "http" | "tcp" | "grpc";
  /** Target of the GET; "" for the other types. */
  readonly path: string;
  /** What is asked for as Host or `:authority`; null: the endpoint's own host and port. */
  readonly host: string | null;
  /** Statuses of a healthy endpoint, each range with both its ends. */
  readonly statuses: readonly (readonly [from: number, to: number])[];
  /** What gRPC is asked about; "" for the server as a whole. */
  readonly grpcService: string;
  /** Time between a check's end and the next one, give or take a tenth. */
  readonly intervalMs: number;
  /** Bounds a check, its connection included. */
  readonly timeoutMs: number;
  /** Checks in a row that bring an endpoint back. */
  readonly healthyAfter: number;
  /** Checks in a row that take an endpoint out. */
  readonly unhealthyAfter: number;
}
