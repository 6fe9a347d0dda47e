/**
 * A certificate for one test run, made by the machine's openssl, so that no key lies in the repository.
 *
 * Invariant: P-256, self-signed, for the names given, good for two days; it is its own authority.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface MadeCertificate {
  readonly cert: string;
  readonly key: string;
}

export async function makeCertificate(folder: string, names: readonly string[]): Promise<MadeCertificate> {
  const [cert, key] = [join(folder, "site.crt"), join(folder, "site.key")];
  const alternatives = names.map((name) => `DNS:${name}`).join(",");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const args = ["req", "-x509", ...newKey, "-subj", "/CN=test", "-days", "2", "-addext", `subjectAltName=${alternatives}`];
  await promisify(execFile)("openssl", [...args, "-keyout", key, "-out", cert]);
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
}
