/**
 * Who can change what refused, where the refusal itself does not name anybody.
 *
 * Invariant: "you" is said only where another request of the same person gets past it. What an admin, an operator or the author of a package decided is never
 * laid at the door of whoever met it.
 */
import type { ErrorRow } from "@althing/contract";

export type WhoCan = "you" | "operator" | "communityAdmin" | "roomOwner" | "moderator" | "author";

/** Statuses of refusals that another request of the same person can get past. */
const ownStatuses = new Set([400, 409, 411, 412, 413, 415, 422, 428]);

/** Codes with such a status that are somebody else's to change. */
const others: Readonly<Record<string, WhoCan>> = {
  "bootstrap.closed": "operator",
  "community.single": "operator",
  "community.not_open": "communityAdmin",
  "community.requests_full": "communityAdmin",
  // Or whoever mistyped its name: the advice says so.
  "community.not_found": "communityAdmin",
  "room.not_found": "roomOwner",
  "room.requests_full": "roomOwner",
  "moderation.appeal_late": "moderator",
  "ext.not_found": "communityAdmin",
  "ext.endpoint_not_found": "author",
  "filter.refused": "communityAdmin",
  "module.disabled": "communityAdmin",
  "policy.publisher_not_trusted": "communityAdmin",
  "registry.name_bound": "operator",
  "registry.index_invalid": "author",
  "registry.index_stale": "author",
  "registry.index_rolled_back": "author",
  "trust.untrusted_signer": "operator",
  "trust.revoked": "author",
};
/** How a package is built, nobody but its author changes. */
const ofPackages = /^(?:bundle|component|manifest|capability)\./;

/** `undefined`: the advice says it. */
export function whoCan(code: string, { kind, status }: Pick<ErrorRow, "kind" | "status">): WhoCan | undefined {
  if (Object.hasOwn(others, code)) return others[code];
  if (ofPackages.test(code)) return "author";
  if (kind === "system") return "operator";
  return ownStatuses.has(status) ? "you" : undefined;
}
