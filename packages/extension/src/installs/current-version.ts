/**
 * The writes by which a version becomes the one that runs, and by which bundles are kept or let go.
 *
 * Invariant: the record of a version follows the install in every batch while it is current and stays as it was left, so a rollback can restore exactly
 * that; a bundle is referenced as long as a version, a waiting upgrade or an install names it.
 */
import type { Write } from "@althing/store";
import { objectKeyOf, type Lease } from "../registry/bundle-shelf.ts";
import { type InstallsContext, placeOf } from "./installs-deps.ts";
import type { Arrival, FoundInstall, InstallRow, InstallVersionRow } from "./install-rows.ts";
import type { Scope } from "../scope.ts";

type Parts = Pick<InstallsContext, "rows" | "shelf">;

/** What an arrival needs in the object store. */
function keysOf({ contentHash, signature }: Arrival): string[] {
  return [objectKeyOf(contentHash), ...(signature === undefined ? [] : [signature])];
}

const ownerOf = ({ community, extension }: Scope, { contentHash }: Arrival) =>
  ["version", community, extension, objectKeyOf(contentHash)] as const;

export function keepArrival({ shelf }: Parts, scope: Scope, arrival: Arrival): Write[] {
  return keysOf(arrival).map((key) => shelf.toRef(key, ownerOf(scope, arrival)));
}

/** The release of the lease, after the batch, removes what nobody else needs. */
export function dropArrivals(
  { shelf }: Parts,
  scope: Scope,
  arrivals: readonly Arrival[],
): { readonly writes: Write[]; readonly lease: Lease } {
  const lease = shelf.toLeases(arrivals.flatMap(keysOf));
  const unrefs = arrivals.flatMap((arrival) => keysOf(arrival).map((key) => shelf.toUnref(key, ownerOf(scope, arrival))));
  return { writes: [...unrefs, ...lease.writes], lease };
}

/** A waiting upgrade that is given up; nothing when its bundle is also a version that was installed. */
export async function dropPending(parts: Parts, row: InstallRow): Promise<{ readonly writes: Write[]; readonly lease?: Lease }> {
  const { pending } = row;
  if (pending === undefined) return { writes: [] };
  const isVersion = (await parts.rows.versions.get([...placeOf(row), pending.contentHash])) !== undefined;
  return isVersion ? { writes: [] } : dropArrivals(parts, row, [pending]);
}

export function toVersion({ current, consented, granted, settings }: InstallRow): InstallVersionRow {
  return { arrival: current, consented, granted, settings };
}

/** The install's record with another current version, and everything that goes with it. */
export function replaceCurrent({ rows, shelf }: Parts, { row, revision }: FoundInstall, next: InstallRow): Write[] {
  const place = placeOf(row);
  const writes = [rows.installs.toPut(place, next, revision), rows.versions.toPut([...place, next.current.contentHash], toVersion(next))];
  if (next.current.contentHash === row.current.contentHash) return writes;
  const owner = ["install", row.community, row.extension] as const;
  return [...writes, shelf.toUnref(objectKeyOf(row.current.contentHash), owner), shelf.toRef(objectKeyOf(next.current.contentHash), owner)];
}
