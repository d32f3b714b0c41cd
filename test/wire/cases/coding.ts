import {
  chunked,
  EMPTY_CHUNKS,
  either,
  getTarget,
  HELLO_CHUNKS,
  HIDDEN,
  HOST,
  head,
  post,
  type Row,
  refused,
  served,
} from "./row.ts";

const CODING = [400, 501];
const HIDES = { hides: true } as const;

/** A coding beside a Content-Length of 5, over five octets that are also an empty chunked body. */
function beside(name: string, fields: readonly string[], statuses = CODING): Row {
  return { name, rfc: "9112 6.3", bytes: post(fields, EMPTY_CHUNKS + HIDDEN), expect: refused(statuses, HIDES) };
}

function odd(name: string, value: string): Row {
  return beside(name, ["Content-Length: 5", `Transfer-Encoding: ${value}`]);
}

function lines(name: string, fields: readonly string[], rest: string, hides?: true): Row {
  return { name, rfc: "9112 6.3", bytes: post(fields, rest), expect: refused(CODING, hides && HIDES) };
}

export const codings: readonly Row[] = [
  beside("a Content-Length beside chunked is refused", ["Content-Length: 5", "Transfer-Encoding: chunked"], [400]),
  {
    name: "chunked coding in HTTP/1.0 is refused",
    rfc: "9112 6.1",
    bytes:
      head("POST /ok HTTP/1.0", HOST, "Connection: keep-alive", "Transfer-Encoding: chunked") + HELLO_CHUNKS + HIDDEN,
    expect: refused([400], HIDES),
  },
  lines("chunked ahead of another coding is refused", ["Transfer-Encoding: chunked, gzip"], HELLO_CHUNKS),
  lines(
    "chunked ahead of another coding on a second line is refused",
    ["Transfer-Encoding: chunked", "Transfer-Encoding: gzip"],
    HELLO_CHUNKS,
  ),
  lines("the identity coding is refused", ["Transfer-Encoding: identity"], HIDDEN, true),
  lines("a coding that nobody knows is refused", ["Transfer-Encoding: pigeons"], HIDDEN, true),
  lines("gzip below chunked is refused", ["Transfer-Encoding: gzip, chunked"], HELLO_CHUNKS),
  odd("chunked written twice in one word is refused", "chunkedchunked"),
  odd("a vertical tab before chunked is refused", "\x0bchunked"),
  odd("a vertical tab behind chunked is refused", "chunked\x0b"),
  odd("no-break spaces around chunked are refused", "\xa0chunked\xa0"),
  odd("codings without a comma between them are refused", "chunked identity"),
  odd("an empty Transfer-Encoding is refused", ""),
  odd("NUL behind chunked is refused", "chunked\x00"),
  lines("chunked on two lines is refused", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], HELLO_CHUNKS),
  beside(
    "a tab before the colon of Transfer-Encoding is refused",
    ["Transfer-Encoding\t: chunked", "Content-Length: 5"],
    [400],
  ),
  beside(
    "a word between Transfer-Encoding and its colon is refused",
    ["Transfer-Encoding x: chunked", "Content-Length: 5"],
    [400],
  ),
  {
    name: "a backslash in the place of a hyphen is refused",
    rfc: "9110 5.6.2",
    bytes: post(["Transfer\\Encoding: chunked", "Content-Length: 5"], EMPTY_CHUNKS),
    expect: refused(),
  },
  {
    name: "Transfer-Encoding in a folded line does not frame",
    rfc: "9112 5.2",
    bytes: post(["Foo: bar", " Transfer-Encoding: chunked", "Content-Length: 5"], EMPTY_CHUNKS),
    expect: refused(),
  },
  {
    name: "naming Transfer-Encoding in Connection does not take the framing away",
    rfc: "9110 7.6.1",
    bytes: post(["Connection: Transfer-Encoding", "Transfer-Encoding: chunked"], HELLO_CHUNKS),
    expect: either([400], { saw: { body: "hello" } }),
  },
];

function bad(
  name: string,
  rest: string,
  more: { readonly statuses?: readonly number[]; readonly hides?: true; readonly halfCloses?: true } = {},
): Row {
  const expect = refused(more.statuses, more.hides && HIDES);
  return {
    name,
    rfc: "9112 7.1",
    bytes: chunked(rest),
    expect,
    ...(more.halfCloses && { halfCloses: more.halfCloses }),
  };
}

const SERVED_OR_400 = (body: string) => either([400], { saw: { body } });
const MANY_TRAILERS = "X-T: 0123456789abcdef\r\n".repeat(45_000);

export const chunks: readonly Row[] = [
  bad("a plus before a chunk size is refused", "+5\r\nhello\r\n0\r\n\r\n"),
  bad("words behind a chunk size without semicolon are refused", "2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n"),
  {
    name: "a semicolon without extension gets one reading",
    rfc: "9112 7.1.1",
    bytes: chunked("2;\r\naa\r\n0\r\n\r\n"),
    expect: SERVED_OR_400("aa"),
  },
  bad("a CR behind the line end of a chunk size is refused", "2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n"),
  {
    name: "a chunk extension of 64 KiB is refused or skipped",
    rfc: "9112 7.1.1",
    bytes: chunked(`5;a=${"x".repeat(65_536)}\r\nhello\r\n0\r\n\r\n`),
    expect: either([400, 413, 431]),
  },
  bad("a bare LF behind the last chunk is refused", "5\r\nhello\r\n0\n\r\n"),
  bad("CR and another octet behind a chunk size are refused", `5\rXhello\r\n0\r\n\r\n${HIDDEN}`, { hides: true }),
  bad("two other octets in the place of the last line end are refused", `5\r\nhello\r\n0\r\nXX${HIDDEN}`, {
    hides: true,
  }),
  bad("a request in the place of the trailers is refused", `5\r\nhello\r\n0\r\n${HIDDEN}`, { hides: true }),
  bad("a request behind a trailer without the empty line is refused", `5\r\nhello\r\n0\r\nX-T: a\r\n${HIDDEN}`, {
    hides: true,
  }),
  {
    name: "a request behind the trailers gets an answer of its own",
    rfc: "9112 7.1.2",
    bytes: chunked(`5\r\nhello\r\n0\r\nX-T: a\r\n\r\n${getTarget("/two")}`),
    expect: served({ answers: 2, saw: { paths: ["/ok", "/two"] } }),
  },
  bad("an empty line in the place of a chunk size is refused", "3\r\nfoo\r\n\r\n"),
  bad("a chunk size of 64 bits is refused", `ffffffffffffffff\r\nhello\r\n0\r\n\r\n${HIDDEN}`, {
    statuses: [400, 413],
    hides: true,
  }),
  {
    name: "a chunk size beyond 32 bits does not wrap",
    rfc: "9112 7.1",
    bytes: chunked(`100000005\r\nhello\r\n0\r\n\r\n${HIDDEN}`),
    expect: { verdict: "waits", statuses: [400, 413], hides: true },
  },
  {
    name: "a thousand zeros before a chunk size get one reading",
    rfc: "9112 7.1",
    bytes: chunked(`${"0".repeat(1000)}5\r\nhello\r\n0\r\n\r\n`),
    expect: SERVED_OR_400("hello"),
  },
  bad("an end of the stream before the last chunk is refused", "5\r\nhello\r\n", {
    statuses: [400, 408],
    halfCloses: true,
  }),
  bad("a trailer without colon is refused", "5\r\nhello\r\n0\r\nFoo\r\n\r\n"),
  bad("a space before the colon of a trailer is refused", "5\r\nhello\r\n0\r\nX-A : b\r\n\r\n"),
  {
    name: "trailers of 1 MiB are refused",
    rfc: "6585 5",
    bytes: chunked(`5\r\nhello\r\n0\r\n${MANY_TRAILERS}\r\n`),
    expect: refused([431, 400, 413], { mayLoseAnswer: true }),
  },
];
