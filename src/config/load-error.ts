import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { StoredMarks } from "./certificate-store.ts";

/** What was read for a configuration. */
export interface WhatWasRead {
  /** As in `Loaded`. */
  readonly watched: readonly string[];
  readonly stored: StoredMarks;
  readonly readAt: number;
}

/** A refused configuration, and what was read for it: a change of that may mend it. */
export class LoadError extends ConfigError implements WhatWasRead {
  readonly watched: readonly string[];
  readonly stored: StoredMarks;
  readonly readAt: number;

  constructor(issues: readonly ConfigIssue[], read: WhatWasRead) {
    super(issues);
    this.watched = read.watched;
    this.stored = read.stored;
    this.readAt = read.readAt;
  }
}
