/**
 * The cursor of one install as this node holds it: a lease by compare-and-set.
 *
 * Invariant: nothing is written but on the revision that was read last, and never while the record names another node. A node that slept past its lease
 * finds another revision and writes nothing; what it did meanwhile was done twice at most, never lost. A lease of an earlier life of this node is nobody's:
 * a data folder is one process's at a time, so that life has ended.
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

/** Whose a lease is: a node, if it has a name that lasts, and one life of its process. */
export interface Holder {
  readonly name: string;
  /** Of an earlier life of the same node? */
  isFormerSelf(name: string): boolean;
}

/** @param node 1–32 characters, none of them `/`; without it no life knows another */
export function createHolder(node: string | undefined, life: string): Holder {
  const name = node === undefined ? life : `${node}/${life}`;
  return { name, isFormerSelf: (other) => node !== undefined && other !== name && other.startsWith(`${node}/`) };
}

export interface OwnedCursorDeps {
  readonly store: Store;
  readonly cursors: Collection<Cursor>;
  readonly clock: { now(): number };
  readonly holder: Holder;
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

  const isMine = ({ value }: Rec<Cursor>) => value.lease?.holder === holder.name;

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

  const leased = (cursor: Cursor): Cursor => ({ ...cursor, lease: { holder: holder.name, untilMs: clock.now() + leaseMs } });

  return {
    async read() {
      row ??= await cursors.get(key);
      return row?.value;
    },
    takenUntil() {
      const lease = row?.value.lease;
      if (lease === undefined || lease.holder === holder.name || holder.isFormerSelf(lease.holder)) return undefined;
      return lease.untilMs > clock.now() ? lease.untilMs : undefined;
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
