/**
 * The patterns of host allowlists: an exact host, or `*.suffix`.
 *
 * Invariant: what `checkPattern` refuses at save never matches at fetch either, so a list that came in by another way opens nothing.
 * `*.suffix` means one or more labels before the suffix and not the suffix itself; a star elsewhere is refused instead of guessed at, because
 * `*suffix` would match `evilsuffix`. Names with non-ASCII letters are refused with the form to write: in that form a homograph is visible.
 */
import { domainToASCII } from "node:url";
import { isDnsName, isReservedName, isStrictHostName, literalOf, withoutFinalDot } from "./host-name.ts";

export type PatternRule = "empty" | "wildcard" | "non_ascii" | "ip_literal" | "reserved_name" | "too_wide" | "host_name";

export type PatternCheck =
  | { readonly ok: true; /** In lower case: the form to store. */ readonly pattern: string }
  | { readonly ok: false; readonly rule: PatternRule; readonly message: string };

const refused = (rule: PatternRule, message: string): PatternCheck => ({ ok: false, rule, message });

function checkName(name: string, isSuffix: boolean): PatternCheck | undefined {
  if (URL.canParse(`https://${name}/`) && literalOf(new URL(`https://${name}/`).hostname) !== undefined) {
    return refused("ip_literal", "an IP address; name the host");
  }
  if (!isStrictHostName(name))
    return refused("host_name", "no host name: letters, digits and hyphens in labels of 1–63, no scheme, port or path");
  if (isReservedName(name)) return refused("reserved_name", "a name of this machine or this link");
  if (!name.includes(".")) {
    return isSuffix
      ? refused("too_wide", "a suffix of one label would take in a whole top-level domain")
      : refused("host_name", "a name of one label is no public host");
  }
  return undefined;
}

/**
 * May this pattern be saved into an allowlist?
 *
 * @example
 * checkPattern("*.Example.org"); // { ok: true, pattern: "*.example.org" }
 * checkPattern("a.*.example.org"); // { ok: false, rule: "wildcard", message: "…" }
 */
export function checkPattern(pattern: string): PatternCheck {
  if (pattern === "") return refused("empty", "empty; name a host");
  const lower = pattern.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const isSuffix = lower.startsWith("*.");
  const name = isSuffix ? lower.slice(2) : lower;
  if (name.includes("*")) return refused("wildcard", "a star may only stand for all labels before a suffix: *.example.org");
  if (/[^\0-\x7f]/.test(name)) {
    const ascii = domainToASCII(name);
    return refused("non_ascii", ascii === "" ? "no host name" : `write it as ${isSuffix ? "*." : ""}${ascii}`);
  }
  return checkName(name, isSuffix) ?? { ok: true, pattern: lower };
}

/** Does the host (a name as in a URL's hostname) match the pattern? Invalid patterns and hosts match nothing. */
export function matchesPattern(pattern: string, host: string): boolean {
  const checked = checkPattern(pattern);
  const name = withoutFinalDot(host).toLowerCase();
  if (!checked.ok || !isDnsName(name) || literalOf(name) !== undefined) return false;
  if (!checked.pattern.startsWith("*.")) return name === checked.pattern;
  return name.endsWith(checked.pattern.slice(1)) && name.length > checked.pattern.length - 1;
}
