/**
 * What a host may be called.
 *
 * Invariant: everything here works on the form the WHATWG URL parser gives (lower case, A-labels, IPv4 in four decimal parts), because that
 * is the form that is resolved and verified later; a second parser of our own would be the gap that attackers look for.
 * Sources: WHATWG URL §3.5, RFC 1123 §2.1, RFC 6761 (localhost), RFC 6762 (local).
 */
import { isIPv4 } from "node:net";

const hostMaxLength = 253;
const label = /^[a-z0-9_-]{1,63}$/;
const strictLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The address inside a URL's hostname, without brackets; `undefined` for names. */
export function literalOf(hostname: string): string | undefined {
  if (hostname.startsWith("[")) return hostname.slice(1, -1);
  return isIPv4(hostname) ? hostname : undefined;
}

/** One final dot says "absolute" and names the same host (RFC 1034 §3.1). */
export function withoutFinalDot(hostname: string): string {
  return hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
}

/** Can DNS carry it? Underscores and hyphens at the ends exist in the wild and are taken. */
export function isDnsName(name: string): boolean {
  return name.length <= hostMaxLength && name.split(".").every((part) => label.test(part));
}

/** A host name by RFC 1123, that the URL parser leaves as it is: what may be written into a list of hosts. */
export function isStrictHostName(name: string): boolean {
  if (name.length > hostMaxLength || !name.split(".").every((part) => strictLabel.test(part))) return false;
  return URL.parse(`https://${name}/`)?.hostname === name && literalOf(name) === undefined;
}

/** Names that mean this machine or this link, whatever DNS says. */
export function isReservedName(name: string): boolean {
  return /(?:^|\.)(?:localhost|local)$/.test(name);
}
