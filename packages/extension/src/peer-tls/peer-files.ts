/**
 * Certificate, key and authority of this machine, for what hub and runner say to each other between machines.
 *
 * Invariant: what could not work is refused before anything listens: a key that others may read, a certificate that is another host's, expired, not of
 * this authority, or not good for both directions. The authority is the operator's own file; the system's store is never asked.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { open } from "node:fs/promises";
import { AppError } from "@althing/contract";
import { isForHost } from "./peer-names.ts";

export interface PeerFiles {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Host by which the others reach this machine. */
  readonly name: string;
}

/** As PEM. */
export interface PeerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const fileMaxBytes = 1024 * 1024;
const serverUsage = "1.3.6.1.5.5.7.3.1";
const clientUsage = "1.3.6.1.5.5.7.3.2";
const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

const invalid = (key: string, observed: string, detail: string, cause?: unknown): AppError =>
  new AppError("config.invalid", { key, source: "the configuration", observed, detail }, { cause });

/** @throws {config.invalid} {data.mode} */
async function readPem(setting: string, path: string, isPrivate: boolean): Promise<string> {
  const file = await open(path, "r").catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw invalid(setting, path, code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`, cause);
  });
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > fileMaxBytes) throw invalid(setting, path, "it is no PEM file");
    // What others may write decides who is trusted as much as a key does.
    const forbidden = isPrivate ? 0o077 : 0o022;
    if (process.platform !== "win32" && (found.mode & forbidden) !== 0) {
      const observed = (found.mode & 0o777).toString(8).padStart(4, "0");
      throw new AppError("data.mode", { path, observed, expected: isPrivate ? "0600" : "0644" });
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function certificatesOf(setting: string, path: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...rest] = (pem.match(block) ?? []).map((text) => new X509Certificate(text));
    if (first !== undefined) return [first, ...rest];
  } catch (cause) {
    throw invalid(setting, path, "it holds a certificate that cannot be read", cause);
  }
  throw invalid(setting, path, "it holds no certificate in PEM");
}

const isIssuer = (issuer: X509Certificate, of: X509Certificate): boolean =>
  issuer.ca && of.checkIssued(issuer) && of.verify(issuer.publicKey);

/** From the certificate over those that came with it to one of the authority's. */
function leadsTo(authorities: readonly X509Certificate[], [leaf, ...chain]: readonly [X509Certificate, ...X509Certificate[]]): boolean {
  let current: X509Certificate | undefined = leaf;
  for (let steps = 0; current !== undefined && steps <= chain.length; steps++) {
    const of: X509Certificate = current;
    if (authorities.some((authority) => isIssuer(authority, of))) return true;
    current = chain.find((next) => next !== of && isIssuer(next, of));
  }
  return false;
}

function faultOf(leaf: X509Certificate, name: string, nowMs: number): string | undefined {
  if (leaf.validFromDate.getTime() > nowMs) return `it is not valid before ${leaf.validFrom}`;
  if (leaf.validToDate.getTime() <= nowMs) return `it expired on ${leaf.validTo}`;
  if (!isForHost(leaf, name)) return `it is not for ${name} (${leaf.subjectAltName ?? "it names no host"})`;
  // Node calls the extended key usage so; without the extension every use is allowed.
  const usages = leaf.keyUsage;
  if (usages !== undefined && !(usages.includes(serverUsage) && usages.includes(clientUsage)))
    return "its extended key usage must be serverAuth and clientAuth: it is shown in both directions";
  return undefined;
}

/**
 * @param nowMs milliseconds since 1970
 * @throws {config.invalid} a file is missing, no PEM, or the three do not belong together
 * @throws {data.mode} others may read the key, or write one of the others
 */
export async function readPeerTls(files: PeerFiles, nowMs: number): Promise<PeerTls> {
  const key = await readPem("internal_tls_key", files.key, true);
  const cert = await readPem("internal_tls_cert", files.cert, false);
  const ca = await readPem("internal_tls_ca", files.ca, false);
  const chain = certificatesOf("internal_tls_cert", files.cert, cert);
  const authorities = certificatesOf("internal_tls_ca", files.ca, ca);
  const refuse = (detail: string) => invalid("internal_tls_cert", files.cert, detail);
  let isPair = false;
  try {
    isPair = chain[0].checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw invalid("internal_tls_key", files.key, "it is no private key in PEM without passphrase", cause);
  }
  if (!isPair) throw refuse("it does not belong to the key");
  const fault = faultOf(chain[0], files.name, nowMs);
  if (fault !== undefined) throw refuse(fault);
  if (!leadsTo(authorities, chain)) throw refuse(`it was not issued by the authority in ${files.ca}`);
  return { cert, key, ca };
}
