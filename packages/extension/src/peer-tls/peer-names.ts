/**
 * Whose certificate it is: the host names and addresses in its subject alternative names.
 *
 * Invariant: only whole names of that list count, no wildcards and no common name: a certificate is one machine's.
 */
import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** The host of an address, as sockets take it: IPv6 without brackets. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

export function isForHost(certificate: X509Certificate, host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "");
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject: "never", wildcards: false, partialWildcards: false }) !== undefined;
}
