/**
 * Who may import whom, and why not.
 *
 * Invariant: arrows go downwards only; what is not in this table is forbidden. A package that is new gets a row before its first file.
 * Each ban carries its reason, because a rule whose reason is unknown is worked around (docs/architecture/overview.md).
 */

export interface PackageRule {
  /** Packages of this house it may import; `extension/bundle` means only that entry of the package. */
  readonly mayImport: readonly string[];
  /** What its tests may import besides: to make what a server would send. */
  readonly testsMayImport?: readonly string[];
  /** Printed when another is imported. */
  readonly why: string;
  /** Which files may touch `node:` modules: all, none, or those that a browser never loads (found by following its imports). */
  readonly node: "everywhere" | "nowhere" | "not in browsers";
  readonly nodeWhy?: string;
}

const both = "a browser loads this file too; Node's modules stay behind the package's `imports` switch";

export const packageRules: Readonly<Record<string, PackageRule>> = {
  contract: { mayImport: [], why: "everything agrees on it, so it can depend on nothing but zod", node: "nowhere", nodeWhy: both },
  policy: {
    mayImport: ["contract"],
    why: "decisions are pure functions: no state, no I/O, only names",
    node: "nowhere",
    nodeWhy: "a decision reads nothing but its arguments",
  },
  crypto: {
    mayImport: ["contract"],
    why: "keys and frames must be reviewable alone: no I/O, no server",
    node: "not in browsers",
    nodeWhy: both,
  },
  tally: {
    mayImport: ["contract"],
    why: "who recounts a vote runs exactly this, in a browser too: no state, no clock, no keys",
    node: "nowhere",
    nodeWhy: both,
  },
  store: { mayImport: ["contract"], why: "state knows records, not what they mean", node: "everywhere" },
  bus: {
    mayImport: ["contract", "crypto", "policy", "store"],
    why: "the bus plane knows neither communities nor HTTP nor clients",
    node: "everywhere",
  },
  community: {
    mayImport: ["contract", "crypto", "policy", "store", "tally", "bus"],
    why: "communities stand on the bus and know neither HTTP nor extensions",
    node: "everywhere",
  },
  extension: {
    mayImport: ["contract", "crypto", "policy", "store"],
    why: "the extension plane must run without the bus and never inside a sandbox",
    node: "everywhere",
  },
  runner: {
    mayImport: [
      "contract",
      "crypto",
      "extension/bundle",
      "extension/trust",
      "extension/fetcher",
      "extension/tracing",
      "extension/peer-tls",
    ],
    why: "it runs hostile code: it has no store, no NATS and none of the hub's rights, so their code is not even loaded",
    node: "everywhere",
  },
  client: {
    mayImport: ["contract", "crypto"],
    why: "it trusts no server: code of the server's side has no place in it",
    node: "not in browsers",
    nodeWhy: both,
  },
  sdk: { mayImport: ["contract"], why: "authors install it alone", node: "everywhere" },
  hub: {
    mayImport: ["contract", "policy", "crypto", "store", "tally", "bus", "community", "extension"],
    why: "it is the composition root of the control plane; it starts no runner code and is no client of itself",
    node: "everywhere",
  },
  cli: {
    mayImport: [
      "contract",
      "crypto",
      "tally",
      "client",
      "sdk",
      "extension/bundle",
      "extension/trust",
      "extension/manifest",
      "extension/registry-index",
    ],
    why: "it starts hub and runner as processes and talks to them as any client; it opens no data folder itself",
    node: "everywhere",
  },
  web: {
    mayImport: ["contract", "tally", "client"],
    testsMayImport: ["crypto"],
    why: "pages see what a client sees",
    node: "nowhere",
    nodeWhy: "it runs in browsers",
  },
  testkit: {
    mayImport: ["contract", "crypto", "client"],
    why: "it starts servers as processes; it must not share code with what it tests",
    node: "everywhere",
  },
};

/** Only tests may import it. */
export const testOnlyPackages: Readonly<Record<string, string>> = {
  testkit: "launchers, fake clocks and lying proxies must never reach a user",
};

/** Modules that no file may import. */
export const bannedModules: Readonly<Record<string, string>> = {
  libsql: "invalid UTF-8 ends the process and a flipped bit goes unseen when encrypted; use better-sqlite3-multiple-ciphers",
  "@libsql/client": "see libsql",
  pkijs: "it accepts wrong key usage, unknown critical extensions and broken path lengths; the strict chain check is ours",
  "node-fetch": "fetch is built in, and guarded requests go through undici with a checked address",
  axios: "see node-fetch",
  "node:vm": "it is no sandbox; foreign code runs in the runner's processes only",
  "node:domain": "deprecated; errors are caught where they are understood",
};

/** Files that a ban does not mean, each with its reason. */
export const banExceptions: Readonly<Record<string, { readonly module: string; readonly why: string }>> = {
  "packages/hub/src/release-memory.ts": { module: "node:vm", why: "runs one own line, the collector's name, in a context that has it" },
  "packages/hub/src/release-memory.test.ts": { module: "node:vm", why: "asks whether the collector is out of reach again" },
};

/** Files outside `packages/` by their first folder: what of the house they may import. */
export const outsideRules: Readonly<Record<string, { readonly mayImport: readonly string[] | "everything"; readonly why: string }>> = {
  tests: { mayImport: "everything", why: "tests see all" },
  bench: { mayImport: "everything", why: "benches measure all" },
  tools: {
    mayImport: ["contract", "cli"],
    why: "the generators read the contract and the command tree; tools that ran the product could not judge it",
  },
};
