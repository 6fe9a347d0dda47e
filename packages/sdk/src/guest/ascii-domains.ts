/**
 * Stands in for the tables of internationalised names when `whatwg-url` is put into a component.
 *
 * Invariant: it never lets through what the real tables would change: a host with other than ASCII characters is refused as invalid, and is written in
 * its `xn--` form instead. The tables would triple the size of every component that touches a URL; the platform's fetcher has them and checks every host.
 */

/** The name in lower case; `null`, for which the URL parser fails, where tables would be needed. */
export function toASCII(domain: string): string | null {
  return /^[\0-\x7f]*$/.test(domain) ? domain.toLowerCase() : null;
}

export function toUnicode(domain: string): { domain: string; error: boolean } {
  return { domain, error: false };
}
