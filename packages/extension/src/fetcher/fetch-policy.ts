/**
 * The two uses of the fetcher, and what holds for each: places, redirects, times, sizes.
 *
 * Invariant: the defaults are the product's rules. `UrlRules` can be widened only in code that creates a fetcher; nothing in a request widens
 * them. `schemes: http` and literals exist because the address rule must be testable alone and because exceptions of `private-hosts.ts` are
 * decided by the same function; a product configuration has no field for them.
 */

/** `registry`: the instance installs from a URL that an admin gave. `egress`: a guest fetches from hosts it was granted. */
export type FetchUse = "registry" | "egress";

export interface UrlRules {
  readonly schemes: readonly ("http" | "https")[];
  /** Hosts that may also be spoken to without TLS. */
  readonly httpHosts: readonly string[];
  readonly ports: readonly number[];
  /** `refuse`: an address in place of a name is refused. `classify`: it is judged like a DNS answer. */
  readonly ipLiterals: "refuse" | "classify";
  /** Must the caller give an allowlist? If so, `null` for it lets nothing pass. */
  readonly allowlistRequired: boolean;
  readonly maxRedirects: number;
  /** May a redirect lead to another host? */
  readonly crossHostRedirects: boolean;
}

export interface FetchLimits {
  readonly dnsTimeoutMs: number;
  /** TCP and TLS together, over all addresses tried. */
  readonly connectTimeoutMs: number;
  /** From the request sent to the final status line and headers, per hop. */
  readonly headersTimeoutMs: number;
  /** From the call to the last byte of the body, over all hops. */
  readonly totalTimeoutMs: number;
  /** The decoded body; what crosses the wire may not be more either. */
  readonly bodyMaxBytes: number;
  readonly responseHeadersMaxBytes: number;
  readonly requestBodyMaxBytes: number;
  readonly requestHeadersMaxBytes: number;
}

const commonRules = { schemes: ["https"], httpHosts: [], ports: [443], ipLiterals: "refuse", maxRedirects: 3 } as const;

export const defaultUrlRules: Readonly<Record<FetchUse, UrlRules>> = {
  registry: { ...commonRules, allowlistRequired: false, crossHostRedirects: true },
  egress: { ...commonRules, allowlistRequired: true, crossHostRedirects: false },
};

const kib = 1024;
const mib = 1024 * kib;
const commonLimits = {
  dnsTimeoutMs: 2_000,
  connectTimeoutMs: 3_000,
  headersTimeoutMs: 5_000,
  responseHeadersMaxBytes: 16 * kib,
  requestBodyMaxBytes: mib,
  requestHeadersMaxBytes: 16 * kib,
};

export const defaultFetchLimits: Readonly<Record<FetchUse, FetchLimits>> = {
  registry: { ...commonLimits, totalTimeoutMs: 30_000, bodyMaxBytes: 64 * mib },
  egress: { ...commonLimits, totalTimeoutMs: 5_000, bodyMaxBytes: mib },
};

/** More answers than this to one name are no service but an attempt to keep us busy. */
export const dnsAnswersMax = 256;
/** Longer addresses are refused before they are parsed. */
export const urlMaxLength = 8 * kib;
