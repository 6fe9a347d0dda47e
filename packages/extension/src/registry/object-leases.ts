/**
 * Leases on objects against their removal, over any number of hubs.
 *
 * Invariant: an object with a reference or a lease is not removed, and one without is not left. A lease is written together with a check that nobody is
 * removing; who removes writes `deleting` first and then looks. What a killed process leaves ends by its age. docs/architecture/registry.md.
 */
import { setTimeout as pause } from "node:timers/promises";
import { AppError, hasCode } from "@althing/contract";
import type { Collection, Key, ObjectStore, Store } from "@althing/store";
import { z } from "zod";
import type { ExtensionClock } from "../extension-deps.ts";

export const refSchema = z.object({ at: z.string() });
type RefRow = z.infer<typeof refSchema>;
export type Refs = Collection<RefRow>;

/** A lease that is older belongs to nobody who still runs. */
const leaseMaxAgeMs = 60 * 60_000;
const deletingMaxAgeMs = 60_000;
const waitMs = 25;
const waitsMax = 200;

export interface ObjectLeasesDeps {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly clock: ExtensionClock;
}

/** Every reference with these leading segments. */
export async function everyRef(
  refs: Refs,
  prefix: readonly string[],
): Promise<readonly { readonly key: Key; readonly row: RefRow; readonly revision: number }[]> {
  const found: { key: Key; row: RefRow; revision: number }[] = [];
  let after: Key | undefined;
  do {
    const page = await refs.list({ prefix, limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { key, value, revision } of page.records) found.push({ key, row: value, revision });
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** The two sides of the protocol: leases against removal. */
export function createObjectLeases({ store, objects, clock }: ObjectLeasesDeps, refs: Refs) {
  const now = (): RefRow => ({ at: new Date(clock.now()).toISOString() });
  const isOlder = (row: RefRow, ageMs: number) => clock.now() - Date.parse(row.at) > ageMs;
  const deletingKey = (key: string) => [key, "deleting"] as const;

  /** Repeats what conflicts with a removal that is going on, until that is over or was left behind by a killed process. */
  async function aroundRemovals(key: string, work: () => Promise<void>): Promise<boolean> {
    for (let waits = 0; waits < waitsMax; waits++) {
      try {
        await work();
        return true;
      } catch (error) {
        if (!hasCode(error, "store.conflict")) throw error;
      }
      const removal = await refs.get(deletingKey(key));
      if (removal !== undefined && isOlder(removal.value, deletingMaxAgeMs)) await dropStale(key, removal.revision);
      else await pause(waitMs);
    }
    return false;
  }

  async function dropStale(key: string, revision: number): Promise<void> {
    try {
      await refs.delete(deletingKey(key), revision);
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
    }
  }

  async function take(key: string, id: string): Promise<void> {
    const writes = [refs.toPut([key, "lease", id], now(), 0), refs.toCheck(deletingKey(key), 0)];
    const isTaken = await aroundRemovals(key, async () => void (await store.batch(writes)));
    if (!isTaken) throw new AppError("request.conflict", { detail: "the same bytes are being removed" });
  }

  /** Ends the lease `id`; the last reference takes the object with it. A lease that cannot end now is left to the sweep. */
  async function end(key: string, id: string): Promise<void> {
    await aroundRemovals(key, async () => {
      const removal = await refs.create(deletingKey(key), now());
      const isOther = ({ key: ref }: { readonly key: Key }) => ref[1] !== "deleting" && !(ref[1] === "lease" && ref[2] === id);
      if (!(await everyRef(refs, [key])).some(isOther)) await objects.delete(key);
      await store.batch([refs.toDelete([key, "lease", id]), refs.toDelete(deletingKey(key), removal)]);
    });
  }

  return {
    now,
    take,
    end,
    async sweep() {
      for (const { key, row, revision } of await everyRef(refs, [])) {
        if (key[1] === "deleting" && isOlder(row, deletingMaxAgeMs)) await dropStale(key[0], revision);
        if (key[1] === "lease" && key[2] !== undefined && isOlder(row, leaseMaxAgeMs)) await end(key[0], key[2]);
      }
    },
  };
}
