/**
 * State and signature of a package, as one word each.
 *
 * Invariant: whatever keeps a package from running is said before what it was switched to: a package that policy blocks is never shown as active.
 */
import type { Install, PackageVersion, TrustState } from "@althing/contract";

/** `upgrade`: it runs, and a newer version waits for consent. */
export const installMoods = ["quarantined", "blocked", "waits", "upgrade", "active", "inactive"] as const;
export type InstallMood = (typeof installMoods)[number];

export function moodOf({ state, blocked, pending }: Pick<Install, "state" | "blocked" | "pending">): InstallMood {
  if (state === "quarantined") return "quarantined";
  if (blocked !== undefined) return "blocked";
  if (state === "installed") return "waits";
  if (pending !== undefined || state === "awaiting-consent") return "upgrade";
  return state;
}

/** `listed`: trusted by the instance, and on the community's own list of publishers. */
export const signatureMoods = ["listed", "trusted", "unknown", "unsigned", "revoked", "broken"] as const;
export type SignatureMood = (typeof signatureMoods)[number];

export function signatureOf(
  { verified, signer, reason }: Pick<TrustState, "verified" | "signer" | "reason">,
  listed: readonly string[] = [],
): SignatureMood {
  if (verified) return signer !== undefined && (listed.includes(signer.publisherId) || listed.includes(signer.id)) ? "listed" : "trusted";
  if (reason === undefined || reason.code === "trust.unsigned") return "unsigned";
  if (reason.code === "trust.untrusted_signer") return "unknown";
  return reason.code === "trust.revoked" ? "revoked" : "broken";
}

type Place = Pick<Install, "version" | "contentHash">;

/** Numbers as numbers, texts after numbers, and a pre-release before its release, as semantic versions are ordered. */
function comparePart(a: string, b: string): number {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return Number(a) - Number(b);
  if (x !== y) return x ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const [x, y] = [a[at], b[at]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const order = comparePart(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

function partsOf(version: string): { readonly core: readonly string[]; readonly pre: readonly string[] } {
  const [core = "", ...rest] = version.replace(/\+.*$/, "").split("-");
  return { core: core.split("."), pre: rest.length === 0 ? [] : rest.join("-").split(".") };
}

/** Order of semantic versions, below, equal or above zero. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [partsOf(a), partsOf(b)];
  const core = compareLists(x.core, y.core);
  if (core !== 0) return core;
  if (x.pre.length === 0 || y.pre.length === 0) return y.pre.length - x.pre.length;
  return compareLists(x.pre, y.pre);
}

/** The newest version that may be installed and is newer than what is there or waits. */
export function upgradeOf(
  install: Place & { readonly pending?: Place | undefined },
  offered: readonly PackageVersion[],
): PackageVersion | undefined {
  const here = install.pending ?? install;
  return offered
    .filter(
      ({ yanked, version, contentHash }) =>
        yanked === undefined && contentHash !== here.contentHash && compareVersions(version, here.version) > 0,
    )
    .toSorted((a, b) => compareVersions(b.version, a.version))
    .find(({ version }, _, all) => !version.includes("-") || all.every((one) => one.version.includes("-")));
}
