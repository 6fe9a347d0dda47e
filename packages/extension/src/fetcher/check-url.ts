/**
 * Judges an address before any look-up: scheme, port, userinfo, name, allowlist.
 *
 * Invariant: parsed once, by the WHATWG parser, and everything after (resolving, TLS name, Host header) uses that one result, so two
 * parsers can never disagree about the host. The answer is a value, because save-time checks list refusals and fetch-time checks throw
 * them. An exception of `privateHosts` lifts only the rules of `judgePlace`, never userinfo, names or the allowlist.
 */
import { AppError } from "@althing/contract";
import { urlMaxLength, type FetchUse, type UrlRules } from "./fetch-policy.ts";
import { isDnsName, isReservedName, literalOf, withoutFinalDot } from "./host-name.ts";
import { matchesPattern } from "./host-pattern.ts";
import type { PrivateHostRule } from "./private-hosts.ts";

export type UrlRule =
  | "url_length"
  | "invalid_url"
  | "scheme"
  | "userinfo"
  | "host_name"
  | "reserved_name"
  | "ip_literal"
  | "port"
  | "allowlist";

export interface UrlRefusal {
  readonly rule: UrlRule;
  /** What was seen; never a password or a query. */
  readonly observed: string;
  readonly detail: string;
}

/** An address that may be resolved and, if its addresses pass, connected to. */
export interface UrlTarget {
  /** Without fragment, the host without a final dot. */
  readonly url: URL;
  readonly scheme: "http" | "https";
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isLiteral: boolean;
  /** The operator's exceptions for exactly this place. */
  readonly exceptions: readonly PrivateHostRule[];
  /** Only an exception lets it pass, so every address must lie in the exception's network. */
  readonly needsException: boolean;
}

export type UrlCheck = { readonly ok: true; readonly target: UrlTarget } | { readonly ok: false; readonly refusal: UrlRefusal };

export interface UrlCheckInput {
  readonly use: FetchUse;
  readonly url: string;
  readonly rules: UrlRules;
  readonly privateHosts: readonly PrivateHostRule[];
  /** Patterns; `null`: no list applies. `undefined`: not the question now (at save). */
  readonly allowlist?: readonly string[] | null;
}

/** Enough of an address to recognise it; userinfo, path and query may hold secrets. */
function shown(text: string): string {
  const head = text.slice(0, 200).replace(/[?#].*$/s, "");
  return JSON.stringify(head.includes("@") ? `…${head.slice(head.lastIndexOf("@"))}` : head).slice(0, 120);
}

const refusal = (rule: UrlRule, observed: string, detail: string): UrlRefusal => ({ rule, observed, detail });

interface Place {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  readonly isLiteral: boolean;
}

function parsePlace(text: string): Place | UrlRefusal {
  if (text.length > urlMaxLength) return refusal("url_length", `${text.length} characters`, `more than ${urlMaxLength} characters`);
  const url = URL.parse(text);
  if (!url) return refusal("invalid_url", shown(text), "no absolute address by the WHATWG rules");
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== "http" && scheme !== "https") return refusal("scheme", scheme, "only https is fetched");
  if (url.username !== "" || url.password !== "")
    return refusal("userinfo", `…@${url.host}`, "an address must not carry a user name or password");
  const literal = literalOf(url.hostname);
  const host = literal ?? withoutFinalDot(url.hostname);
  if (literal === undefined && !isDnsName(host)) return refusal("host_name", shown(host), "no name that DNS can carry");
  if (literal === undefined) url.hostname = host;
  url.hash = "";
  const port = url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port);
  return { url, host, port, isLiteral: literal !== undefined };
}

/** The rules that an exception lifts. */
function judgePlace({ url, host, port, isLiteral }: Place, rules: UrlRules): UrlRefusal | undefined {
  const scheme = url.protocol === "https:" ? "https" : "http";
  if (!rules.schemes.includes(scheme) && !(scheme === "http" && rules.httpHosts.includes(host))) {
    return refusal("scheme", scheme, `only ${rules.schemes.join(" or ")} is fetched`);
  }
  if (!isLiteral && isReservedName(host)) return refusal("reserved_name", host, "a name of this machine or this link");
  if (isLiteral && rules.ipLiterals === "refuse") return refusal("ip_literal", host, "an IP address in place of a name");
  if (!rules.ports.includes(port)) return refusal("port", String(port), `only port ${rules.ports.join(", ")} is fetched from`);
  return undefined;
}

function judgeAllowlist(place: Place, input: UrlCheckInput, hasException: boolean): UrlRefusal | undefined {
  const { allowlist, rules } = input;
  if (allowlist === undefined || (allowlist === null && !rules.allowlistRequired)) return undefined;
  const literalEntry = (entry: string) =>
    (hasException || (place.isLiteral && rules.ipLiterals === "classify")) && (entry === place.host || entry === place.url.hostname);
  const isListed = (allowlist ?? []).some((entry) => matchesPattern(entry, place.host) || literalEntry(entry));
  return isListed
    ? undefined
    : refusal("allowlist", place.host, allowlist === null ? "no list of hosts was given" : "not among the hosts allowed");
}

/** Judges one address; nothing is resolved. */
export function checkUrl(input: UrlCheckInput): UrlCheck {
  const place = parsePlace(input.url);
  if (!("url" in place)) return { ok: false, refusal: place };
  const { url, host, port, isLiteral } = place;
  const scheme = url.protocol === "https:" ? "https" : "http";
  const exceptions = input.privateHosts.filter(
    (entry) => entry.use === input.use && entry.scheme === scheme && entry.host === host && entry.port === port,
  );
  const found = judgePlace(place, input.rules);
  if (found && exceptions.length === 0) return { ok: false, refusal: found };
  const unlisted = judgeAllowlist(place, input, exceptions.length > 0);
  if (unlisted) return { ok: false, refusal: unlisted };
  return { ok: true, target: { url, scheme, host, port, isLiteral, exceptions, needsException: found !== undefined } };
}

/** The refusal as the error that the API shows. `hop` 0 is the address asked for, 1 the first redirect. */
export function urlRefusalError({ rule, observed, detail }: UrlRefusal, use: FetchUse, hop: number): AppError {
  const code = rule === "allowlist" ? "fetch.host_not_allowed" : "fetch.url_forbidden";
  return new AppError(code, { rule, observed, detail, use, hop });
}
