/**
 * Certificates made on the spot by the machine's openssl, so that no key lies in the repository.
 *
 * Invariant: P-256, because every TLS stack takes it; each certificate has files of its own in the folder given.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateOptions {
  /** DNS names and IP addresses, as openssl writes them (`DNS:chat.example`). */
  readonly names?: string;
  /** Signed by this one; absent: by itself. */
  readonly issuer?: CertificateFiles;
  readonly isAuthority?: boolean;
}

/** Good for two days from now on. */
export async function makeCertificate(dir: string, name: string, options: CertificateOptions = {}): Promise<CertificateFiles> {
  const files = { certFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
  const { names = "DNS:chat.example", issuer } = options;
  const use = options.isAuthority
    ? ["basicConstraints=critical,CA:TRUE"]
    : ["basicConstraints=critical,CA:FALSE", `subjectAltName=${names}`];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`];
  const by = issuer ? ["-CA", issuer.certFile, "-CAkey", issuer.keyFile] : [];
  const out = ["-keyout", files.keyFile, "-out", files.certFile];
  await promisify(execFile)("openssl", [...request, ...by, "-days", "2", ...use.flatMap((text) => ["-addext", text]), ...out]);
  return files;
}
