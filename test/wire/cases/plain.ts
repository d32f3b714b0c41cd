import {
  chunked,
  either,
  get,
  getTarget,
  HELLO_CHUNKS,
  HIDDEN,
  HOST,
  head,
  post,
  type Row,
  refused,
  refusedPath,
  served,
  waits,
} from "./row.ts";

/** Requests that are well formed, or nearly. */
export const plain: readonly Row[] = [
  {
    name: "a plain GET is served",
    rfc: "9112 3",
    bytes: get(),
    expect: served({ saw: { method: "GET", path: "/ok" } }),
  },
  { name: "a field without a value is no fault", rfc: "9110 5.5", bytes: get("X-Empty-Header: "), expect: served() },
  {
    name: "a body of known length arrives whole",
    rfc: "9112 6.2",
    bytes: post(["Content-Length: 5"], "hello"),
    expect: served({ saw: { body: "hello" } }),
  },
  {
    name: "zeros before a Content-Length do not make it octal",
    rfc: "9110 8.6",
    bytes: post(["Content-Length: 003"], "abc"),
    expect: either(undefined, { saw: { body: "abc" } }),
  },
  {
    name: "capitals in the coding name and in a chunk size are understood",
    rfc: "9112 7.1",
    bytes: post(["Transfer-Encoding: CHUNKED"], "A\r\n0123456789\r\n0\r\n\r\n"),
    expect: served({ saw: { body: "0123456789" } }),
  },
  {
    name: "blanks around the semicolon of a chunk extension change nothing",
    rfc: "9112 7.1.1",
    bytes: chunked("5 ; a = b\r\nhello\r\n0\r\n\r\n"),
    expect: either(undefined, { saw: { body: "hello" } }),
  },
  {
    name: "a request right behind a chunked body gets an answer of its own",
    rfc: "9112 9.3.2",
    bytes: chunked(HELLO_CHUNKS) + getTarget("/two"),
    expect: served({ answers: 2, saw: { body: "hello" } }),
  },
  {
    name: "the body of a GET is not read as the next request",
    rfc: "9112 6.3",
    bytes: get(`Content-Length: ${HIDDEN.length}`) + HIDDEN,
    expect: either(undefined, { hides: true }),
  },
  {
    name: "an empty line ahead of the request line is skipped",
    rfc: "9112 2.2",
    bytes: `\r\n${get()}`,
    expect: served(),
  },
  {
    name: "the host of an absolute target wins over the Host field",
    rfc: "9112 3.2.2",
    bytes: head("GET http://gw.test/ok?x=1 HTTP/1.1", "Host: other.test"),
    expect: served({ saw: { path: "/ok?x=1", host: "gw.test" } }),
  },
  { name: "OPTIONS * gets one answer", rfc: "9112 3.2.4", bytes: head("OPTIONS * HTTP/1.1", HOST), expect: either() },
  {
    name: "HEAD is answered without a body",
    rfc: "9110 9.3.2",
    bytes: head("HEAD /ok HTTP/1.1", HOST),
    expect: served(),
  },
  {
    name: "an HTTP/1.0 client may ask for keep-alive",
    rfc: "9112 9.3",
    bytes: head("GET /ok HTTP/1.0", HOST, "Connection: keep-alive"),
    expect: served(),
  },
  {
    name: "an expectation that nobody knows is ignored or refused",
    rfc: "9110 10.1.1",
    bytes: get("Expect: x 100-continue"),
    expect: either([417, 400]),
  },
  {
    name: "octets above 0x7F in a value are no fault",
    rfc: "9110 5.5",
    bytes: get("X-T: caf\xe9 \xff"),
    expect: served(),
  },
  {
    name: "a request may trickle in octet by octet",
    rfc: "9112 2.2",
    bytes: get(),
    pace: "bytewise",
    expect: served(),
  },
  {
    name: "a request line of 8000 octets is taken",
    rfc: "9112 3",
    bytes: getTarget(`/${"a".repeat(7980)}`),
    expect: served(),
  },
  {
    name: "escapes and unusual characters of a target arrive as they were sent",
    rfc: "3986 3.3",
    bytes: getTarget("/ok/%7Ea/%2F;p=1/(x)!$&'*+,=:@?q=%20&r=/?'"),
    expect: served({ saw: { path: "/ok/%7Ea/%2F;p=1/(x)!$&'*+,=:@?q=%20&r=/?'" } }),
  },
  {
    name: "a method that nobody knows is forwarded as it is",
    rfc: "9110 9.1",
    bytes: head("M-SEARCH! /ok HTTP/1.1", HOST),
    expect: served({ saw: { method: "M-SEARCH!" } }),
  },
];

/** Paths are refused as ambiguous or arrive octet by octet, never changed. */
export const paths: readonly Row[] = [
  { name: "dot segments are refused", rfc: "3986 6", bytes: getTarget("/ok/../admin"), expect: refusedPath() },
  {
    name: "half escaped dot segments are refused",
    rfc: "3986 6",
    bytes: getTarget("/ok/.%2e/admin"),
    expect: refusedPath(),
  },
  { name: "two slashes in front are refused", rfc: "3986 6", bytes: getTarget("//ok"), expect: refusedPath() },
  { name: "an escaped NUL is refused", rfc: "3986 6", bytes: getTarget("/ok%00/x"), expect: refusedPath() },
  {
    name: "small letters in escapes stay small",
    rfc: "9110 7.7",
    bytes: getTarget("/ok/%c3%a9%3a"),
    expect: served({ saw: { path: "/ok/%c3%a9%3a" } }),
  },
  { name: "a malformed escape is refused", rfc: "3986 6", bytes: getTarget("/ok/%zz%"), expect: refusedPath() },
  {
    name: "a query passes with characters that URL parsers would escape",
    rfc: "9110 7.7",
    bytes: getTarget("/ok?a='b'&c=\"d\"&e=<f>&g=%zz&h=^`{|}"),
    expect: either([400], { saw: { path: "/ok?a='b'&c=\"d\"&e=<f>&g=%zz&h=^`{|}" } }),
  },
  {
    name: "a question mark without a query stays",
    rfc: "9110 7.7",
    bytes: getTarget("/ok?"),
    expect: served({ saw: { path: "/ok?" } }),
  },
  {
    name: "unreserved characters stay unescaped",
    rfc: "9110 7.7",
    bytes: getTarget("/~ok/-._/"),
    expect: served({ saw: { path: "/~ok/-._/" } }),
  },
];

const PARTIAL = head("GET /hello HTTP/1.1", "Host: localhost");
const HALF_CHUNK = chunked("5\r\nhel");

function cut(length: number, where: string): Row {
  return {
    name: `a request that stops ${where} is waited for`,
    rfc: "9112 2.2",
    bytes: PARTIAL.slice(0, length),
    expect: waits(PARTIAL.slice(length)),
  };
}

/** Requests that are not whole yet. */
export const incomplete: readonly Row[] = [
  cut(4, "behind the method"),
  cut(15, "within the version"),
  cut(19, "before the first line end"),
  cut(24, "within a field name"),
  cut(26, "behind a colon"),
  cut(38, "before the empty line"),
  cut(39, "between the last CR and LF"),
  { name: "half a chunk is waited for", rfc: "9112 7.1", bytes: HALF_CHUNK, expect: waits("lo\r\n0\r\n\r\n") },
];

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "Content-Length: 0",
];

/** Upgrades that must not happen. */
export const upgrades: readonly Row[] = [
  {
    name: "POST does not become a WebSocket",
    rfc: "6455 4.1",
    bytes: head("POST /ws HTTP/1.1", HOST, ...UPGRADE),
    expect: either([400, 405, 426], { not: 101 }),
  },
];

/** What may be made of a request line. */
const BAD_VERSION = [400, 505];
const HELLO_TLS = `\x16\x03\x01\x00/\x01\x00\x00+\x03\x03${"\x11".repeat(32)}\x00\x00\x04\x13\x01\x13\x02\x01\x00\r\n\r\n`;

export const requestLines: readonly Row[] = [
  {
    name: "a request line without version is refused",
    rfc: "9112 3",
    bytes: "GET /ok\r\n\r\n",
    expect: refused(BAD_VERSION),
  },
  {
    name: "HTTP/9.9 is refused",
    rfc: "9110 15.6.6",
    bytes: head("GET /ok HTTP/9.9", HOST),
    expect: refused([505, 400]),
  },
  {
    name: "HTTP/5.6 is refused",
    rfc: "9110 15.6.6",
    bytes: head("GET /ok HTTP/5.6", HOST),
    expect: refused([505, 400]),
  },
  {
    name: "a minor version of two digits is refused",
    rfc: "9112 2.3",
    bytes: head("GET /ok HTTP/1.32", HOST),
    expect: refused(BAD_VERSION),
  },
  {
    name: "the name of another protocol is refused",
    rfc: "9112 2.3",
    bytes: head("GET /ok IHTTP/1.1", HOST),
    expect: refused(BAD_VERSION),
  },
  {
    name: "a version beyond 32 bits is refused",
    rfc: "9112 2.3",
    bytes: head("GET /ok HTTP/4294967297.1", HOST),
    expect: refused(BAD_VERSION),
  },
  {
    name: "words ahead of the method are refused",
    rfc: "9112 3",
    bytes: head("Extra lineGET /ok HTTP/1.1", HOST),
    expect: refused([400, 501]),
  },
  { name: "a space ahead of the method is refused", rfc: "9112 3", bytes: ` ${get()}`, expect: refused() },
  {
    name: "a tab in the place of the second space is no separator",
    rfc: "9112 3",
    bytes: head("GET /ok\tHTTP/1.1", HOST),
    expect: either([400]),
  },
  { name: "a space within the target is refused", rfc: "9112 3.2", bytes: getTarget("/ok /x"), expect: refused() },
  {
    name: "a space behind the version gets one answer at most",
    rfc: "9112 3",
    bytes: head("GET /ok HTTP/1.1 ", HOST),
    expect: either([400]),
  },
  { name: "NUL is no method", rfc: "9110 5.6.2", bytes: head("\x00 /ok HTTP/1.1", HOST), expect: refused([400, 501]) },
  {
    name: "get is not GET",
    rfc: "9110 9.1",
    bytes: head("get /ok HTTP/1.1", HOST),
    expect: either([501, 405, 400], { saw: { method: "get" } }),
  },
  {
    name: "a method of 20000 letters is refused",
    rfc: "9112 3",
    bytes: head(`${"A".repeat(20_000)} /ok HTTP/1.1`, HOST),
    expect: refused([501, 400, 414, 431, 405]),
  },
  {
    name: "a control character in the target is refused",
    rfc: "9112 3.2",
    bytes: getTarget("/o\x01k"),
    expect: refused(),
  },
  {
    name: "a fragment does not reach the service",
    rfc: "9112 3.2.1",
    bytes: getTarget("/ok#frag"),
    expect: either([400], { saw: { path: "/ok" } }),
  },
  {
    name: "an absolute target without host is refused",
    rfc: "9110 4.2.1",
    bytes: getTarget("http:///ok"),
    expect: refused(),
  },
  { name: "bare LF is no line end", rfc: "9112 2.2", bytes: "GET /ok HTTP/1.1\nHost: gw.test\n\n", expect: refused() },
  {
    name: "bare CR is no line end",
    rfc: "9112 2.2",
    bytes: "GET /ok HTTP/1.1\rHost: gw.test\r\r",
    halfCloses: true,
    expect: refused(),
  },
  {
    name: "the preface of HTTP/2 is refused",
    rfc: "9113 3.4",
    bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    expect: refused(BAD_VERSION),
  },
  { name: "a TLS hello on the plain port is refused", rfc: "9112 2.2", bytes: HELLO_TLS, expect: refused([400, 497]) },
];
