/** A certificate for `bench.test` and its key, as paths. */
export interface BenchCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes a P-256 certificate in a directory, as most of the web has it; throws when openssl does not run. */
export async function makeCertificate(directory: string): Promise<BenchCertificate> {
  const certFile = `${directory}/bench.crt`;
  const keyFile = `${directory}/bench.key`;
  const subject = ["-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const { exitCode, stderr } = Bun.spawnSync(
    ["openssl", "req", "-x509", ...key, "-days", "30", ...subject, "-keyout", keyFile, "-out", certFile],
    { stderr: "pipe" },
  );
  if (exitCode !== 0) throw new Error(`openssl made no certificate: ${stderr.toString().trim()}`);
  return { certFile, keyFile };
}
