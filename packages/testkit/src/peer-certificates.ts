/**
 * An operator's own authority and certificates for machines, made by the machine's openssl as the operator's guide does it, wrong ones too.
 *
 * Invariant: made at run time in the folder given, so that no key lies in the repository; what is signed is whatever a test asks for.
 */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

/** Paths of PEM files. */
export interface PeerCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface PeerCertificateOptions {
  /** From now on; negative: expired. */
  readonly days?: number;
  readonly usage?: string;
}

export interface PeerAuthority {
  readonly ca: string;
  /** @param host name or address in the certificate */
  issue(host: string, options?: PeerCertificateOptions): Promise<PeerCertificate>;
}

const openssl = (...args: readonly string[]) => promisify(execFile)("openssl", [...args]);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const;

/** @param folder is made */
export async function makePeerAuthority(folder: string): Promise<PeerAuthority> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [ca, caKey] = [join(folder, "ca.pem"), join(folder, "ca.key")];
  await openssl("req", "-x509", ...newKey, "-subj", "/CN=test machines", "-days", "2", "-keyout", caKey, "-out", ca);
  let made = 0;
  return {
    ca,
    async issue(host, { days = 2, usage = "serverAuth,clientAuth" } = {}) {
      const name = `m${made++}`;
      const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
      const request = join(folder, `${name}.csr`);
      const extensions = join(folder, `${name}.ext`);
      const names = `subjectAltName=${isIP(host) === 0 ? "DNS" : "IP"}:${host}`;
      await writeFile(extensions, `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=${usage}\n${names}\n`);
      await openssl("req", ...newKey, "-subj", `/CN=${name}`, "-keyout", key, "-out", request);
      const signed = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", String(days), "-extfile", extensions];
      await openssl("x509", "-req", "-in", request, ...signed, "-out", cert);
      return { cert, key, ca };
    },
  };
}
