const LABEL = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?$/;
const ADDRESS = /^\[[0-9a-f:.]+\]$/;

function fault(text: string, what: string): SyntaxError {
  return new SyntaxError(`${JSON.stringify(text)} is no hostname: ${what}`);
}

function checkLabels(text: string, labels: readonly string[]): void {
  for (const label of labels) {
    if (label === "") throw fault(text, "it has an empty label");
    if (label.includes("*")) throw fault(text, 'a "*" may stand only as the whole first label, as in *.example.com');
    if (label.length > 63 || !LABEL.test(label)) throw fault(text, `the label ${JSON.stringify(label)} is not valid`);
  }
}

/**
 * The lower-case form of a hostname: a name, `*.name` (one label or more in front, never the name itself), an
 * address as it stands in Host, or `*` for all. Throws a SyntaxError that says what is wrong.
 */
export function parseHostname(text: string): string {
  const host = text.toLowerCase();
  if (host === "*" || ADDRESS.test(host)) return host;
  if (host === "") throw fault(text, "it is empty; leave hostnames out to serve every host");
  if (host.includes("/")) throw fault(text, "give the host alone, without scheme and path");
  if (host.includes(":")) throw fault(text, "give the host alone, without port; IPv6 addresses stand in brackets");
  if (host.length > 253) throw fault(text, "it is longer than 253 characters");
  const labels = host.split(".");
  checkLabels(text, labels[0] === "*" ? labels.slice(1) : labels);
  return host;
}

/** Says whether a hostname of a route takes a host (lower case, no port). */
export function hostMatches(hostname: string, host: string): boolean {
  if (hostname === "*") return true;
  if (!hostname.startsWith("*.")) return hostname === host;
  return host.length >= hostname.length && host.endsWith(hostname.slice(1));
}
