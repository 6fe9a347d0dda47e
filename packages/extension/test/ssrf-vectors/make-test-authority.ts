/**
 * A certificate authority for one test run, made by the machine's openssl, so that no key lies in the repository.
 *
 * Invariant: P-256; everything lives in the folder given; good for two days from now unless a test asks for an expired one.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface ServerIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority {
  /** PEM. */
  readonly cert: string;
  /** @param names as openssl writes them: `DNS:a.example.org,IP:127.0.0.1` */
  issue(name: string, names: string, options?: { readonly isExpired?: boolean }): Promise<ServerIdentity>;
}

const openssl = (args: readonly string[]) => promisify(execFile)("openssl", [...args]);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export async function makeTestAuthority(dir: string, name: string): Promise<TestAuthority> {
  const at = (file: string) => join(dir, file);
  const [caCert, caKey] = [at(`${name}.crt`), at(`${name}.key`)];
  await openssl([
    "req",
    "-x509",
    ...newKey,
    "-subj",
    `/CN=${name}`,
    "-days",
    "2",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-keyout",
    caKey,
    "-out",
    caCert,
  ]);
  return {
    cert: await readFile(caCert, "utf8"),
    async issue(server, names, options = {}) {
      const [cert, key] = [at(`${server}.crt`), at(`${server}.key`)];
      const request = at(`${server}.csr`);
      const extensions = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `subjectAltName=${names}`];
      await openssl(["req", "-new", ...newKey, "-subj", `/CN=${server}`, ...extensions, "-keyout", key, "-out", request]);
      const days = ["-days", options.isExpired ? "-1" : "2"];
      await openssl(["x509", "-req", "-in", request, "-CA", caCert, "-CAkey", caKey, ...days, "-copy_extensions", "copy", "-out", cert]);
      return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
    },
  };
}
