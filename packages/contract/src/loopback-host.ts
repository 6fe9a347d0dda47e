/**
 * Which host names mean this machine and no other.
 *
 * Invariant: decided by the text alone; a name that merely resolves to loopback is not taken for it, because the answer of a resolver changes.
 */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
