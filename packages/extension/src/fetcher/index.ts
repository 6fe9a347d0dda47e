/** Face of the guarded fetcher: checks for saving, the fetcher itself, and its parts that an operator's configuration sets. */
export {
  checkUrl,
  urlRefusalError,
  type UrlCheck,
  type UrlCheckInput,
  type UrlRefusal,
  type UrlRule,
  type UrlTarget,
} from "./check-url.ts";
export { classifyAddress } from "./classify-address.ts";
export { createConnect, type Connect, type ConnectOptions, type PinnedTarget } from "./connect-pinned.ts";
export {
  createGuardedFetcher,
  type GuardedFetcher,
  type GuardedFetcherOptions,
  type GuardedRequest,
  type GuardedResponse,
} from "./create-guarded-fetcher.ts";
export { createDnsResolver, type DnsResolverOptions, type HostResolver } from "./dns-resolver.ts";
export { defaultFetchLimits, defaultUrlRules, type FetchLimits, type FetchUse, type UrlRules } from "./fetch-policy.ts";
export type { FetchHop } from "./follow-redirects.ts";
export { checkPattern, matchesPattern, type PatternCheck, type PatternRule } from "./host-pattern.ts";
export { interfaceAddresses } from "./own-addresses.ts";
export { readPrivateHosts, type PrivateHost } from "./private-hosts.ts";
export type { ResponseBody } from "./response-body.ts";
export type { AddressClass } from "./special-addresses.ts";
