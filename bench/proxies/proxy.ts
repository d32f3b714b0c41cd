/** What a proxy is told before it starts. */
export interface ProxySetup {
  /** Exists, is empty, and is the proxy's own. */
  readonly directory: string;
  readonly port: number;
  readonly backendPort: number;
  /** Where to write an access log, or null for none. */
  readonly accessLogFile: string | null;
}

/** How to start a program in the foreground; `env` adds to the environment. */
export interface Launch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One contestant: a proxy with one configuration. */
export interface ProxySpec {
  /** Unique within a scenario; what the report calls it. */
  readonly name: string;
  /** What its listener speaks; `http` unless given. */
  readonly scheme?: "http" | "https";
  /** What to do when it is missing. */
  readonly install: string;
  isInstalled(): boolean;
  /** Writes the configuration into the setup's directory; throws when `isInstalled` is false. */
  prepare(setup: ProxySetup): Promise<Launch>;
}

/** Writes one configuration file and returns its path. */
export async function writeConfig(setup: ProxySetup, name: string, text: string): Promise<string> {
  const file = `${setup.directory}/${name}`;
  await Bun.write(file, text);
  return file;
}
