/** How to reach a listener from this machine: an address that stands for all is the loopback. */
export function origin(address: string, port: number): string {
  const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
