/**
 * Takes a person's name out of the records of a community's packages.
 *
 * Invariant: what they installed stays, without saying that it was they; a record that changes meanwhile is read again. May be repeated.
 */
import type { CommunityId, EndpointId } from "@althing/contract";
import { retryConflicts, type Collection, type Key } from "@althing/store";
import type { Arrival, InstallRow, InstallRows, InstallVersionRow } from "./install-rows.ts";

const pageMax = 200;

/** @throws {store.unavailable} call again */
export async function eraseFromInstalls(
  { installs, versions }: Pick<InstallRows, "installs" | "versions">,
  community: CommunityId,
  person: EndpointId,
): Promise<void> {
  const nameless = <A extends Arrival | undefined>(arrival: A): A => (arrival?.by === person ? { ...arrival, by: null } : arrival);
  await rewrite(installs, community, (row: InstallRow) => {
    const { pending, ...rest } = row;
    return {
      ...rest,
      current: nameless(row.current),
      ...(pending === undefined ? {} : { pending: nameless(pending) }),
      createdBy: row.createdBy === person ? null : row.createdBy,
    };
  });
  await rewrite(versions, community, (row: InstallVersionRow) => ({ ...row, arrival: nameless(row.arrival) }));
}

async function rewrite<T>(collection: Collection<T>, community: CommunityId, change: (value: T) => T): Promise<void> {
  let after: Key | undefined;
  do {
    const page = await collection.list({ prefix: [community], limit: pageMax, ...(after === undefined ? {} : { after }) });
    for (const { key, value } of page.records) {
      if (JSON.stringify(change(value)) === JSON.stringify(value)) continue;
      await retryConflicts("the package", async () => {
        const found = await collection.get(key);
        if (found !== undefined) await collection.put(key, change(found.value), found.revision);
      });
    }
    after = page.next;
  } while (after !== undefined);
}
