/** One contestant in one round. */
export interface Measurement {
  readonly contestant: string;
  readonly round: number;
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** At the end of the load, clients just gone. */
  readonly rssBytes: number;
  /** Of one core. */
  readonly busyPercent: number;
  readonly failed: number;
  readonly failures: string;
}
