/** What `openssl s_client` says of a connection to this port that it opens and ends at once; both of its outputs. */
export async function sClient(port: number, ...args: readonly string[]): Promise<string> {
  const client = Bun.spawn(["openssl", "s_client", "-connect", `127.0.0.1:${port}`, ...args], {
    stdin: Buffer.from("Q\n"),
    stdout: "pipe",
    stderr: "pipe",
    timeout: 5000,
  });
  const [out, err] = await Promise.all([new Response(client.stdout).text(), new Response(client.stderr).text()]);
  await client.exited;
  return out + err;
}
