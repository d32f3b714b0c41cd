import { either, get, HIDDEN, HOST, head, post, type Row, refused } from "./row.ts";

function hostLine(name: string, line: string): Row {
  return { name, rfc: "9112 3.2", bytes: head("GET /ok HTTP/1.1", line), expect: refused() };
}

export const hosts: readonly Row[] = [
  {
    name: "a request without Host is refused before its body is awaited",
    rfc: "9112 3.2",
    bytes: head("GET /ok HTTP/1.1", "Content-Length: 5"),
    expect: refused(),
  },
  hostLine("two names in one Host are refused", "Host: gw.test evil.test"),
  hostLine("an open bracket in Host is refused", "Host: [::1"),
  hostLine("NUL in Host is refused", "Host: gw.test\x00.evil.test"),
  hostLine("a backslash in Host is refused", "Host: gw.test\\evil"),
  {
    name: "an empty Host belongs to no route or is refused",
    rfc: "9112 3.2",
    bytes: head("GET /ok HTTP/1.1", "Host:"),
    expect: either([400, 404, 421]),
  },
  hostLine("a space before the colon of Host is refused", "Host : gw.test"),
  hostLine("an octet above 0x7F in Host is refused", "Host: gw\xff.test"),
];

function line(name: string, field: string, rfc = "9112 5"): Row {
  return { name, rfc, bytes: get(field), expect: refused() };
}

export const fieldLines: readonly Row[] = [
  line("a space before a colon is refused", "X-A : b", "9112 5.1"),
  line("@ is no character of a field name", "Fo@: Failure", "9110 5.6.2"),
  line("NUL is no character of a field name", "Fo\x00o: Bar", "9110 5.6.2"),
  line("0x85 is no blank before a colon", "Header\x85: value", "9110 5.6.2"),
  {
    name: "a line that is only a colon is refused",
    rfc: "9110 5.1",
    bytes: head("GET /ok HTTP/1.1", ":", HOST),
    expect: refused(),
  },
  line("a field line without colon is refused", "Content-Length 10"),
  line("folding ahead of the colon is refused", "name\r\n : value", "9112 5.1"),
  {
    name: "a blank ahead of the first field line is refused",
    rfc: "9112 2.2",
    bytes: head("GET /ok HTTP/1.1", " Host: gw.test", "X: y"),
    expect: refused(),
  },
  line("NUL in a value is refused", "X-A: te\x00st", "9110 5.5"),
  line("a bare CR in a value is refused", "X-A: va\rlue", "9112 2.2"),
  {
    name: "a bare CR hides no Content-Length",
    rfc: "9112 2.2",
    bytes: get(`Visible: a\rContent-Length: ${HIDDEN.length}`) + HIDDEN,
    expect: refused([400], { hides: true }),
  },
  line("the bell in a value is refused", "X-Bad-Control-Char: test\x07", "9110 5.5"),
  line("DEL in a value is refused", "X-A: te\x7fst", "9110 5.5"),
  line("CR CR LF is no line end", "X-A: b\r", "9112 2.2"),
  {
    name: "a value of 1 MiB is refused",
    rfc: "6585 5",
    bytes: get(`X-Big: ${"b".repeat(1_048_576)}`),
    expect: refused([431, 400, 413], { mayLoseAnswer: true }),
  },
  {
    name: "nothing behind a refused request is served",
    rfc: "9112 9.6",
    bytes: get("Bad Header") + HIDDEN,
    expect: refused([400], { hides: true }),
  },
];

function length(name: string, value: string, statuses = [400]): Row {
  return { name, rfc: "9110 8.6", bytes: post([`Content-Length: ${value}`], "hello"), expect: refused(statuses) };
}

export const contentLengths: readonly Row[] = [
  length("a plus before a Content-Length is refused", "+5"),
  length("a negative Content-Length is refused", "-123456789123456789123456789"),
  length("a hexadecimal Content-Length is refused", "0x5"),
  length("a Content-Length of letters is refused", "abc"),
  length("a space within a Content-Length is refused", "4 2"),
  length("an underscore within a Content-Length is refused", "1_0"),
  length("a Content-Length beyond 64 bits is refused", "1000000000000000000000", [400, 413]),
  length("a vertical tab before a Content-Length is refused", "\x0b5"),
  length("a no-break space before a Content-Length is refused", "\xa05"),
  length("a semicolon behind a Content-Length is refused", "5;"),
  length("NUL behind a Content-Length is refused", "5\x00"),
  {
    name: "a list of equal Content-Lengths is refused or counts once",
    rfc: "9110 8.6",
    bytes: post(["Content-Length: 5, 5"], "hello"),
    expect: either([400], { saw: { body: "hello" } }),
  },
  {
    name: "two equal Content-Length lines are refused or count once",
    rfc: "9110 8.6",
    bytes: post(["Content-Length: 5", "Content-Length: 5"], "hello"),
    expect: either([400], { saw: { body: "hello" } }),
  },
  {
    name: "a Content-Length in a folded line does not frame",
    rfc: "9112 5.2",
    bytes: post(["Foo: bar", ` Content-Length: ${HIDDEN.length}`], HIDDEN),
    expect: refused(),
  },
];
