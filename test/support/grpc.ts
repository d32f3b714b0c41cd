import {
  Client,
  type ClientOptions,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

const serialize = (text: string) => Buffer.from(text);
const deserialize = (bytes: Buffer) => bytes.toString();

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/torii.test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

/** A service of texts: each kind of call once, and some that go wrong. */
export const ECHO = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidi: method("Bidi", true, true),
  fails: method("Fails", false, false),
  failsMidway: method("FailsMidway", false, true),
  hangs: method("Hangs", false, false),
} as const;

/** What the server saw. */
export interface GrpcSeen {
  /** Metadata of calls, as they came. */
  readonly metadata: Metadata[];
  /** Calls that were cancelled, by name. */
  readonly cancelled: string[];
  /** Deadlines as the server knows them, in ms from the call's begin; null without. */
  readonly deadlines: (number | null)[];
}

/** What the server does with unary calls; may be changed. */
export interface GrpcMood {
  /** Status that they fail with; null: they are answered. */
  failsWith: number | null;
}

export interface GrpcServer extends AsyncDisposable {
  readonly port: number;
  readonly seen: GrpcSeen;
  readonly mood: GrpcMood;
}

export interface GrpcSecurity {
  readonly cert: string;
  readonly key: string;
}

type Unary = handleUnaryCall<string, string>;
type ServerStream = handleServerStreamingCall<string, string>;

function implementation(seen: GrpcSeen, mood: GrpcMood) {
  const note = (metadata: Metadata) => void seen.metadata.push(metadata);
  const unary: Unary = (call, answer) => {
    note(call.metadata);
    if (mood.failsWith !== null) {
      answer({ code: mood.failsWith, details: "in a mood" });
      return;
    }
    const initial = new Metadata();
    initial.set("initial-key", "initial value");
    initial.set("initial-bin", Buffer.from([0, 1, 255]));
    call.sendMetadata(initial);
    const trailing = new Metadata();
    trailing.set("trailing-key", "trailing value");
    answer(null, call.request, trailing);
  };
  const serverStream: ServerStream = (call) => {
    for (let i = 0; i < Number(call.request); i++) call.write(`message ${i}`);
    call.end();
  };
  const clientStream: handleClientStreamingCall<string, string> = (call, answer) => {
    let count = 0;
    let bytes = 0;
    call.on("data", (text: string) => {
      count++;
      bytes += text.length;
    });
    call.on("end", () => answer(null, `${count} messages, ${bytes} bytes`));
  };
  const bidi: handleBidiStreamingCall<string, string> = (call) => {
    call.on("data", (text: string) => call.write(`echo ${text}`));
    call.on("end", () => call.end());
    call.on("cancelled", () => void seen.cancelled.push("bidi"));
  };
  const fails: Unary = (_, answer) => {
    const metadata = new Metadata();
    metadata.set("reason", "as asked");
    answer({ code: status.FAILED_PRECONDITION, details: "no, über all: 100%", metadata });
  };
  const failsMidway: ServerStream = (call) => {
    call.write("first");
    call.emit("error", { code: status.DATA_LOSS, details: "midway" });
  };
  const hangs: Unary = (call) => {
    const deadline = call.getDeadline();
    const isSet = typeof deadline === "number" && Number.isFinite(deadline);
    seen.deadlines.push(
      deadline instanceof Date ? deadline.getTime() - Date.now() : isSet ? deadline - Date.now() : null,
    );
    call.on("cancelled", () => void seen.cancelled.push("hangs"));
  };
  return { unary, serverStream, clientStream, bidi, fails, failsMidway, hangs };
}

/** A real gRPC server on a free port, over TLS where it is given a certificate. */
export async function startGrpcServer(security: GrpcSecurity | null = null): Promise<GrpcServer> {
  const seen: GrpcSeen = { metadata: [], cancelled: [], deadlines: [] };
  const mood: GrpcMood = { failsWith: null };
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(ECHO, implementation(seen, mood));
  const pair =
    security === null ? null : { cert_chain: Buffer.from(security.cert), private_key: Buffer.from(security.key) };
  const own = pair === null ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(null, [pair]);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", own, (error, port) => (error === null ? resolve(port) : reject(error)));
  const port = await promise;
  return {
    port,
    seen,
    mood,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** How a unary call ended. */
export interface UnaryOutcome {
  readonly error: ServiceError | null;
  readonly reply: string | null;
  readonly initial: Metadata | null;
  readonly trailing: Metadata | null;
}

export interface UnaryCall {
  readonly text?: string;
  readonly metadata?: Metadata;
  readonly deadlineMs?: number;
  /** Cancels the call when it resolves. */
  readonly cancelled?: Promise<void>;
}

/** How a stream of replies ended. */
export interface StreamOutcome {
  readonly replies: readonly string[];
  readonly error: ServiceError | null;
}

/** A real gRPC client. */
export interface GrpcClient extends Disposable {
  readonly raw: Client;
  unary(name: "unary" | "fails" | "hangs", call?: UnaryCall): Promise<UnaryOutcome>;
  /** Sends so many texts, then waits for the one reply. */
  clientStream(texts: readonly string[]): Promise<UnaryOutcome>;
  serverStream(name: "serverStream" | "failsMidway", text: string): Promise<StreamOutcome>;
  /** Sends each text when the reply to the one before has come. */
  bidi(texts: readonly string[]): Promise<StreamOutcome>;
}

/** Insecure without `ca` (PEM). */
export function grpcClient(address: string, ca: string | null = null, options: ClientOptions = {}): GrpcClient {
  const secure = ca === null ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
  const client = new Client(address, secure, { "grpc.max_receive_message_length": -1, ...options });
  return {
    raw: client,
    unary: (name, call) => unary(client, ECHO[name].path, call),
    clientStream: (texts) => clientStream(client, texts),
    serverStream(name, text) {
      const call = client.makeServerStreamRequest(ECHO[name].path, serialize, deserialize, text);
      return collected(call);
    },
    bidi(texts) {
      const call = client.makeBidiStreamRequest(ECHO.bidi.path, serialize, deserialize);
      const waiting = [...texts];
      const sendNext = () => {
        const next = waiting.shift();
        if (next === undefined) call.end();
        else call.write(next);
      };
      call.on("data", sendNext);
      sendNext();
      return collected(call);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

interface Replies {
  on(event: "data", hear: (text: string) => void): unknown;
  on(event: "end", hear: () => void): unknown;
  on(event: "error", hear: (error: ServiceError) => void): unknown;
}

function collected(call: Replies): Promise<StreamOutcome> {
  const replies: string[] = [];
  const { promise, resolve } = Promise.withResolvers<StreamOutcome>();
  call.on("data", (text) => void replies.push(text));
  call.on("end", () => resolve({ replies, error: null }));
  call.on("error", (error) => resolve({ replies, error }));
  return promise;
}

function unary(client: Client, path: string, { text = "hello", ...call }: UnaryCall = {}): Promise<UnaryOutcome> {
  const { promise, resolve } = Promise.withResolvers<UnaryOutcome>();
  let initial: Metadata | null = null;
  let trailing: Metadata | null = null;
  let answer: Pick<UnaryOutcome, "error" | "reply"> | null = null;
  const settle = () => {
    if (answer !== null && (trailing !== null || answer.error !== null)) resolve({ ...answer, initial, trailing });
  };
  const options = call.deadlineMs === undefined ? {} : { deadline: Date.now() + call.deadlineMs };
  const metadata = call.metadata ?? new Metadata();
  const made = client.makeUnaryRequest(path, serialize, deserialize, text, metadata, options, (error, reply) => {
    answer = { error, reply: reply ?? null };
    settle();
  });
  made.on("metadata", (it) => {
    initial = it;
  });
  made.on("status", (it) => {
    trailing = it.metadata;
    settle();
  });
  call.cancelled?.then(() => made.cancel()).catch(() => made.cancel());
  return promise;
}

function clientStream(client: Client, texts: readonly string[]): Promise<UnaryOutcome> {
  const { promise, resolve } = Promise.withResolvers<UnaryOutcome>();
  const call = client.makeClientStreamRequest(ECHO.clientStream.path, serialize, deserialize, (error, reply) =>
    resolve({ error, reply: reply ?? null, initial: null, trailing: null }),
  );
  for (const text of texts) call.write(text);
  call.end();
  return promise;
}
