/**
 * Which host names mean this machine and no other.
 *
 * Invariant: decided by the text alone; a name that merely resolves to loopback is not taken for it, because the answer of a resolver changes.
 */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A host as it stands in a URL: an IPv6 address in brackets (RFC 3986, section 3.2.2), with or without which settings take it. */
export function urlHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** The same as a socket takes it. */
export function bareHost(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}
