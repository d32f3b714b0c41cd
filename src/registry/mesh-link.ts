/** A step in Redis that nobody can come in between: Lua that sees `KEYS` and `ARGV`. */
export interface MeshScript {
  /** For messages. */
  readonly name: string;
  readonly lua: string;
}

export interface MeshCall {
  /** Without their prefix. All have one `{tag}`. */
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

export interface ChannelFollower {
  message(text: string): void;
  /** From now on messages come; any before may have been missed. Called at first, and after every loss. */
  gap(): void;
}

/** What the registry asks of Redis. Whoever lends it puts a prefix before all keys and channels, and closes it. */
export interface MeshLink {
  /** What the script answers: whole numbers, texts, null and lists of them. Rejects when Redis is away or says no. */
  run(script: MeshScript, call: MeshCall): Promise<unknown>;
  publish(channel: string, text: string): Promise<void>;
  /** Follows a channel until the signal aborts, through every loss of the connection. */
  follow(channel: string, follower: ChannelFollower, signal: AbortSignal): void;
  /** Tells a Redis that is away or slow from one that understood and said no. */
  isAway(error: unknown): boolean;
}
