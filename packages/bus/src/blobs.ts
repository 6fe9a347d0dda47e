/**
 * Ciphertext by its hash: who stored it, which rooms may read it, what it counts.
 *
 * Invariant: one row an owner and hash; it counts once against its owner however many rooms it is in; an object goes when its last row goes, so
 * equal ciphertext of two people survives the deletion of either. Before bytes are written, and in the batch that deletes a last row, a
 * record of doubt is left: at the next start (or at once) an object without rows is removed. A row is written only over the doubt that its own bytes
 * were stored under, and an object is removed only by whoever said so in the doubt, so hubs that store and remove the same one at a time never leave
 * a row without its object. The bytes' digest was signed by the sender; the object store compares it at the end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, hasCode, type BlobHash, type EndpointId, type RoomId } from "@althing/contract";
import type { ObjectStore, Store, Write } from "@althing/store";
import { requireInstance, type Caller } from "./caller.ts";
import type { Collections } from "./collections.ts";
import { isoTime, type BusLimits, type Clock } from "./environment.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { countUpTo, everyRecord } from "./paging.ts";
import { retryConflicts } from "@althing/store";
import type { Input, Output } from "./route-input.ts";

export interface BlobPut extends Input<"blobs.put"> {
  /** sha256 of the bytes, from the signed Content-Digest. */
  readonly hash: BlobHash;
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
}

export interface Blobs {
  /** @throws {blob.too_large} {blob.quota} {room.not_found} {room.quota} and what the object store throws for other bytes than the hash says */
  put(caller: Caller, input: BlobPut): Promise<Output<"blobs.put">>;
  /** @throws {blob.not_found} */
  get(caller: Caller, input: Input<"blobs.get">): Promise<Uint8Array>;
  /** Takes a deleted room's blobs out. Repeatable. */
  forgetRoom(room: RoomId): Promise<void>;
  /** Removes objects that a crash left without rows. */
  settleDoubts(): Promise<void>;
}

export interface BlobsDeps {
  readonly store: Store;
  readonly collections: Collections;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly locks: KeyedLock;
  readonly limits: BusLimits;
  /** The room if the caller is in it and it takes more. @throws {room.not_found} {room.quota} */
  readonly roomForBlob: (caller: Caller, room: string) => Promise<RoomId>;
  /** Is the caller in the room? */
  readonly isReader: (caller: Caller, room: RoomId) => Promise<boolean>;
  /** Other hubs store blobs too: a doubt may be of one that is just being stored. */
  readonly shared?: boolean;
}

/** No upload takes longer; a doubt that is older is nobody's. */
const uploadMaxMs = 10 * 60_000;
/** No removal of one object takes longer. */
const removalMaxMs = 60_000;
const removalTries = 50;
const removalWaitMs = 100;

/** Counts bytes on their way and stops at the first too many. */
async function* capped(
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
  seen: { bytes: number },
  check: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
  for await (const part of parts) {
    seen.bytes += part.length;
    check(seen.bytes);
    yield part;
  }
}

export function createBlobs(deps: BlobsDeps): Blobs {
  const { store, collections, objects, clock, locks, limits } = deps;

  const usageOf = async (owner: EndpointId) => {
    const record = await collections.blobUsage.get([owner]);
    return { bytes: record?.value.bytes ?? 0, revision: record?.revision ?? 0 };
  };

  const ageOf = ({ at }: { readonly at: string }) => clock.now() - Date.parse(at);

  /** @returns undefined when somebody else changed the doubt meanwhile: it is theirs now */
  async function orTheirs<T>(write: Promise<T>): Promise<T | undefined> {
    try {
      return await write;
    } catch (error) {
      if (hasCode(error, "store.conflict")) return undefined;
      throw error;
    }
  }

  /** Under the hash's lock: removes the object if nobody keeps it, and the doubt. @param own settles this doubt and no other */
  async function settle(hash: BlobHash, own?: number): Promise<void> {
    const found = await collections.blobDoubts.get([hash]);
    if (found === undefined || (own !== undefined && found.revision !== own)) return;
    let { revision } = found;
    if ((await countUpTo(collections.blobs, [hash], 1)) === 0) {
      const mark = { hash, at: isoTime(clock.now()), deleting: true } as const;
      const marked = await orTheirs(collections.blobDoubts.put([hash], mark, revision));
      if (marked === undefined) return;
      revision = marked;
      // A row that was written before the mark took the doubt with it; after it none can be.
      await objects.delete(hash);
    }
    await orTheirs(collections.blobDoubts.delete([hash], revision));
  }

  /** Bytes may come to lie there. @returns the doubt's revision, for the row. @throws {store.unavailable} it is being removed all the while */
  async function doubt(hash: BlobHash): Promise<number> {
    for (let tries = 0; tries < removalTries; tries++) {
      const found = await collections.blobDoubts.get([hash]);
      if (found?.value.deleting === true) {
        if (ageOf(found.value) > removalMaxMs) await settle(hash, found.revision);
        else await sleep(removalWaitMs);
        continue;
      }
      const mine = await orTheirs(collections.blobDoubts.put([hash], { hash, at: isoTime(clock.now()) }, found?.revision ?? 0));
      if (mine !== undefined) return mine;
    }
    throw new AppError("store.unavailable", { detail: "the same bytes are being removed" });
  }

  async function addRow(caller: Caller, hash: BlobHash, bytes: number, room: RoomId | undefined, held: { doubt: number }): Promise<void> {
    let isFirst = true;
    await retryConflicts("the blob", async () => {
      if (!isFirst) {
        held.doubt = await doubt(hash);
        if (!(await objects.has(hash))) throw new AppError("store.unavailable", { detail: "the same bytes were removed meanwhile" });
      }
      isFirst = false;
      const row = await collections.blobs.get([hash, caller.endpoint]);
      const usage = await usageOf(caller.endpoint);
      if (!row && usage.bytes + bytes > limits.blobsPerUserMaxBytes)
        throw new AppError("blob.quota", { limit: limits.blobsPerUserMaxBytes });
      const rooms = row?.value.rooms ?? [];
      const value = {
        bytes,
        own: (row?.value.own ?? false) || room === undefined,
        rooms: room && !rooms.includes(room) ? [...rooms, room] : [...rooms],
        at: row?.value.at ?? isoTime(clock.now()),
      };
      const writes: Write[] = [
        collections.blobs.toPut([hash, caller.endpoint], value, row?.revision ?? 0),
        collections.blobDoubts.toDelete([hash], held.doubt),
      ];
      if (!row) writes.push(collections.blobUsage.toPut([caller.endpoint], { bytes: usage.bytes + bytes }, usage.revision));
      // The room must still be there, or nobody would ever take the blob out.
      if (room) writes.push(collections.roomBlobs.toPut([room, hash, caller.endpoint], {}), collections.roomGraves.toCheck([room], 0));
      await store.batch(writes);
    });
  }

  async function takeOut(room: RoomId, hash: BlobHash, owner: EndpointId): Promise<void> {
    await retryConflicts("the blob", async () => {
      const row = await collections.blobs.get([hash, owner]);
      const writes: Write[] = [collections.roomBlobs.toDelete([room, hash, owner])];
      if (row) {
        const rooms = row.value.rooms.filter((other) => other !== room);
        if (row.value.own || rooms.length > 0) writes.push(collections.blobs.toPut([hash, owner], { ...row.value, rooms }, row.revision));
        else {
          const usage = await usageOf(owner);
          writes.push(
            collections.blobs.toDelete([hash, owner], row.revision),
            collections.blobUsage.toPut([owner], { bytes: Math.max(0, usage.bytes - row.value.bytes) }, usage.revision),
            collections.blobDoubts.toPut([hash], { hash, at: isoTime(clock.now()) }),
          );
        }
      }
      await store.batch(writes);
    });
  }

  return {
    async put(caller, { room, hash, bytes }) {
      requireInstance(caller, "blobs.put");
      const target = room === undefined ? undefined : await deps.roomForBlob(caller, room);
      return locks.run(`blob/${hash}`, async () => {
        const left = (await collections.blobs.get([hash, caller.endpoint]))
          ? Number.POSITIVE_INFINITY
          : limits.blobsPerUserMaxBytes - (await usageOf(caller.endpoint)).bytes;
        const check = (size: number) => {
          if (size > limits.blobMaxBytes) throw new AppError("blob.too_large", { limit: limits.blobMaxBytes });
          if (size > left) throw new AppError("blob.quota", { limit: limits.blobsPerUserMaxBytes });
        };
        const seen = { bytes: 0 };
        const held = { doubt: await doubt(hash) };
        try {
          await objects.put(hash, capped(bytes, seen, check));
          await addRow(caller, hash, seen.bytes, target, held);
        } catch (error) {
          await settle(hash, held.doubt);
          throw error;
        }
        return { hash, bytes: seen.bytes };
      });
    },

    async get(caller, { hash }) {
      requireInstance(caller, "rooms.use");
      for await (const record of everyRecord(collections.blobs, [hash])) {
        const owner = record.key[1] as EndpointId;
        const readable = owner === caller.endpoint || (await isInAny(deps, caller, record.value.rooms));
        if (readable) return objects.get(hash);
      }
      throw new AppError("blob.not_found", { hash });
    },

    async forgetRoom(room) {
      for await (const record of everyRecord(collections.roomBlobs, [room])) {
        const [, hash, owner] = record.key as unknown as readonly [RoomId, BlobHash, EndpointId];
        await locks.run(`blob/${hash}`, async () => {
          await takeOut(room, hash, owner);
          if (await collections.blobDoubts.get([hash])) await settle(hash);
        });
      }
    },

    async settleDoubts() {
      for await (const record of everyRecord(collections.blobDoubts)) {
        const leftAfterMs = record.value.deleting === true ? removalMaxMs : uploadMaxMs;
        if (deps.shared === true && ageOf(record.value) < leftAfterMs) continue;
        await locks.run(`blob/${record.value.hash}`, () => settle(record.value.hash));
      }
    },
  };
}

async function isInAny(deps: Pick<BlobsDeps, "isReader">, caller: Caller, rooms: readonly RoomId[]): Promise<boolean> {
  for (const room of rooms) if (await deps.isReader(caller, room)) return true;
  return false;
}
