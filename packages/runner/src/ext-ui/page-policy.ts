/**
 * The Content-Security-Policy of extension pages.
 *
 * Invariant: a page loads scripts, styles, fonts and images from its own bundle only, by address and path: not from another extension on the same
 * origin, and not from an older version of itself. It reaches the hosts it was granted and no others, and it has an opaque
 * origin wherever it is opened (`sandbox` without `allow-same-origin`), so it has no storage, no cookies and no neighbours.
 * `'self'` is not used: how it is matched in a sandboxed document differs between browsers.
 */
import { AppError } from "@althing/contract";
import { checkPattern } from "@althing/extension/fetcher";

export interface PagePolicyInput {
  /** Address of the bundle's folder, with a final slash. */
  readonly base: string;
  /** Patterns of hosts, granted and allowed. */
  readonly connect: readonly string[];
  readonly img: readonly string[];
  /** Origins that may frame the page. */
  readonly frameAncestors: readonly string[];
}

/** Where pages are and who may frame them, in the form that policies hold. */
export interface PagePlace {
  /** Without a final slash. */
  readonly publicBase: string;
  readonly frameAncestors: readonly string[];
}

function readAddress(key: string, address: string): string {
  const fits = /^https?:\/\/[A-Za-z0-9.:[\]_/~%-]+$/.test(address) && URL.canParse(address);
  if (fits) return address.replace(/\/+$/, "");
  const detail = "it must be an http or https address without query";
  throw new AppError("config.invalid", { key, source: "the configuration", observed: JSON.stringify(address), detail });
}

/** @throws {config.invalid} an address that would be more than one source of a policy, or none */
export function readPagePlace(given: PagePlace): PagePlace {
  return {
    publicBase: readAddress("runner_public_base", given.publicBase),
    frameAncestors: given.frameAncestors.map((origin) => readAddress("origins", origin)),
  };
}

/** What is no pattern of hosts is left out: it could be a second directive. */
function sources(patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => {
    const checked = checkPattern(pattern);
    return checked.ok ? [`https://${checked.pattern}`] : [];
  });
}

function listed(values: readonly string[]): string {
  return values.length === 0 ? "'none'" : values.join(" ");
}

/** Everything that a page may connect to at all, with the host that it came from (Connection-Allowlist, a structured list of patterns). */
export function connectionAllowlist({ connect, img }: Pick<PagePolicyInput, "connect" | "img">): string {
  const hosts = [...new Set([...sources(connect), ...sources(img)])];
  return `(${["response-origin", ...hosts.map((host) => JSON.stringify(host))].join(" ")})`;
}

export function pagePolicy({ base, connect, img, frameAncestors }: PagePolicyInput): string {
  return [
    "default-src 'none'",
    `script-src ${base}`,
    `style-src ${base}`,
    `img-src ${[base, "data:", ...sources(img)].join(" ")}`,
    `font-src ${base}`,
    `connect-src ${listed(sources(connect))}`,
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${listed(frameAncestors)}`,
    "sandbox allow-scripts allow-forms",
  ].join("; ");
}
