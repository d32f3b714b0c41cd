import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A `redis-server` of a test's own: nothing of it stays. Killed and cleaned away when it is disposed of. */
export interface RedisProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** `redis://127.0.0.1:port`, or `rediss://` where it speaks TLS. */
  readonly url: string;
  /** What `redis-cli` answers, without the last line end. Rejects with it when the command fails. */
  cli(...words: readonly string[]): Promise<string>;
  /** `SIGKILL`, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it anew, empty, on the same port, with the same arguments. */
  restart(): Promise<void>;
}

export interface RedisSetup {
  /** A free one when absent. */
  readonly port?: number;
  /** Further arguments, such as `--replicaof 127.0.0.1 6379`. */
  readonly args?: readonly string[];
  /** A configuration file's text, which `--sentinel` needs. */
  readonly file?: string;
  /** It speaks TLS only, with this certificate, and wants one of the same authority from whoever connects. */
  readonly tls?: RedisCertificate;
  /** What `redis-cli` and replicas say of themselves. */
  readonly user?: RedisUser;
}

export interface RedisCertificate {
  readonly certPath: string;
  readonly keyPath: string;
  /** The authority's. */
  readonly caPath: string;
}

export interface RedisUser {
  readonly username: string;
  readonly password: string;
}

function tlsArguments({ certPath, keyPath, caPath }: RedisCertificate): readonly string[] {
  const files = ["--tls-cert-file", certPath, "--tls-key-file", keyPath, "--tls-ca-cert-file", caPath];
  return [...files, "--tls-auth-clients", "yes", "--tls-replication", "yes"];
}

function portArguments(port: number, { tls }: RedisSetup): readonly string[] {
  if (tls === undefined) return ["--port", String(port)];
  return ["--port", "0", "--tls-port", String(port), ...tlsArguments(tls)];
}

function cliArguments({ tls, user }: RedisSetup): readonly string[] {
  const secure =
    tls === undefined ? [] : ["--tls", "--cacert", tls.caPath, "--cert", tls.certPath, "--key", tls.keyPath];
  return [...secure, ...(user === undefined ? [] : ["--user", user.username, "--pass", user.password])];
}

const STARTED = /Ready to accept connections|\+monitor master/;

/** A port that nobody listens on at this moment. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function spawn(folder: string, port: number, setup: RedisSetup): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const file = setup.file === undefined ? [] : [join(folder, "redis.conf")];
  const common = [...portArguments(port, setup), "--bind", "127.0.0.1", "--dir", folder];
  const storage =
    setup.file === undefined ? ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"] : [];
  const command = ["redis-server", ...file, ...common, ...storage, ...(setup.args ?? [])];
  return Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
}

/** Waits for the line that says that it serves, and reads on, so that its output never stops it. */
async function started(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<void> {
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  let text = "";
  while (!STARTED.test(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`redis-server did not start: ${text.slice(-1000)}`);
    text += decoder.decode(value, { stream: true });
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
}

async function runCli(port: number, words: readonly string[], setup: RedisSetup): Promise<string> {
  const own = [...cliArguments(setup), "--no-auth-warning"];
  const child = Bun.spawn(["redis-cli", "-e", "-p", String(port), ...own, ...words], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [text, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`redis-cli ${words.join(" ")}: ${text}${errors}`);
  return text.replace(/\n$/, "");
}

/** Starts a Redis without persistence on the loopback address. It serves when this resolves. */
export async function startRedis(setup: RedisSetup = {}): Promise<RedisProcess> {
  const folder = await mkdtemp(join(tmpdir(), "torii-redis-"));
  const port = setup.port ?? freePort();
  if (setup.file !== undefined) await Bun.write(join(folder, "redis.conf"), setup.file);
  let child = spawn(folder, port, setup);
  await started(child);

  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await child.exited;
  }

  return {
    port,
    get pid() {
      return child.pid;
    },
    url: `${setup.tls === undefined ? "redis" : "rediss"}://127.0.0.1:${port}`,
    cli: (...words) => runCli(port, words, setup),
    kill,
    restart: async () => {
      await kill();
      child = spawn(folder, port, setup);
      await started(child);
    },
    [Symbol.asyncDispose]: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
