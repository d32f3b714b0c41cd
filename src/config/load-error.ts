import { ConfigError, type ConfigIssue } from "../errors.ts";

/** A refused configuration, and what was read for it: a change of that may mend it. */
export class LoadError extends ConfigError {
  /** As in `Loaded`. */
  readonly watched: readonly string[];
  readonly readAt: number;

  constructor(issues: readonly ConfigIssue[], read: { readonly watched: readonly string[]; readonly readAt: number }) {
    super(issues);
    this.watched = read.watched;
    this.readAt = read.readAt;
  }
}
