/**
 * The cursor of one install as this node holds it: a lease by compare-and-set.
 *
 * Invariant: nothing is written but on the revision that was read last, and never while the record names another node. A node that slept past its lease
 * finds another revision and writes nothing; what it did meanwhile was done twice at most, never lost.
 */
import { hasCode, type CommunityId } from "@althing/contract";
import type { Collection, Key, Rec, Store, Write } from "@althing/store";
import type { Cursor } from "./hook-collections.ts";

export interface OwnedCursor {
  /** As read or written last. `undefined`: it is not there any more. */
  read(): Promise<Cursor | undefined>;
  /** Until when another node owns it; by what was read last. */
  takenUntil(): number | undefined;
  isOwned(): boolean;
  /** Takes or renews the lease. @returns false when somebody else was faster */
  claim(change?: (cursor: Cursor) => Cursor): Promise<boolean>;
  /** Writes while this node owns it. @returns false when it does not, or when the record was set anew from outside */
  save(change: (cursor: Cursor) => Cursor, more?: readonly Write[]): Promise<boolean>;
  /** Moves on a cursor that nobody owns, if nobody is faster. */
  fold(index: number): Promise<void>;
  release(): Promise<void>;
  forget(): void;
}

export interface OwnedCursorDeps {
  readonly store: Store;
  readonly cursors: Collection<Cursor>;
  readonly clock: { now(): number };
  readonly holder: string;
  readonly leaseMs: number;
}

const savesMax = 3;

export function createOwnedCursor(
  { store, cursors, clock, holder, leaseMs }: OwnedCursorDeps,
  { community, install }: { readonly community: CommunityId; readonly install: string },
  first?: Rec<Cursor>,
): OwnedCursor {
  const key: Key = [community, install];
  let row = first;

  const isMine = ({ value }: Rec<Cursor>) => value.lease?.holder === holder;

  async function put(value: Cursor, revision: number, more: readonly Write[] = []): Promise<boolean> {
    try {
      // The cursor comes last: the revision of a batch is that of its last write.
      const written =
        more.length === 0 ? await cursors.put(key, value, revision) : await store.batch([...more, cursors.toPut(key, value, revision)]);
      row = { key, value, revision: written };
      return true;
    } catch (error) {
      row = undefined;
      if (!hasCode(error, "store.conflict")) throw error;
      return false;
    }
  }

  const leased = (cursor: Cursor): Cursor => ({ ...cursor, lease: { holder, untilMs: clock.now() + leaseMs } });

  return {
    async read() {
      row ??= await cursors.get(key);
      return row?.value;
    },
    takenUntil() {
      const lease = row?.value.lease;
      return lease !== undefined && lease.holder !== holder && lease.untilMs > clock.now() ? lease.untilMs : undefined;
    },
    // Nothing is begun in the last quarter of a lease.
    isOwned: () => row !== undefined && isMine(row) && (row.value.lease?.untilMs ?? 0) - clock.now() > leaseMs / 4,
    async claim(change = (cursor) => cursor) {
      row ??= await cursors.get(key);
      return row !== undefined && put(leased(change(row.value)), row.revision);
    },
    async save(change, more) {
      for (let attempt = 1; attempt <= savesMax; attempt++) {
        row ??= await cursors.get(key);
        if (row === undefined || !isMine(row)) return false;
        if (await put(leased(change(row.value)), row.revision, more)) return true;
      }
      return false;
    },
    async fold(index) {
      if (row === undefined || row.value.failing !== undefined || row.value.index >= index) return;
      await put({ ...row.value, index }, row.revision);
    },
    async release() {
      if (row === undefined || !isMine(row)) return;
      const { lease: _lease, ...rest } = row.value;
      await put(rest, row.revision);
    },
    forget: () => void (row = undefined),
  };
}
