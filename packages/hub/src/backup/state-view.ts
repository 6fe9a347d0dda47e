/**
 * What a copy of the state says and refers to: objects, rooms with messages, the newest event of each community.
 *
 * Invariant: reads a copy that nobody else has open, at the schema that it has, and changes no record. Opening checks every row's checksum. The chains are
 * walked event by event where that is asked for: a head alone would say nothing about the events before it.
 */
import { openCollections } from "@althing/bus";
import { AppError, hasCode, eventHeadSchema, eventRecordSchema, type CommunityId } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { openSqliteStore, readSqliteSchemaVersion, type Collection, type Key, type Migration, type Rec, type Store } from "@althing/store";
import { z } from "zod";
import { writeFailure } from "./archive-writer.ts";
import { chainHeadSchema, type ChainHead } from "./backup-format.ts";

export interface StateView {
  readonly schema: number;
  readonly counts: { readonly users: number; readonly rooms: number; readonly communities: number };
  /** `blobs/<hash>` and `bundles/<hash>`. */
  readonly objects: ReadonlySet<string>;
  /** Rooms whose messages are kept. */
  readonly persistedRooms: ReadonlySet<string>;
  /** The rooms' stream has at least this sequence. */
  readonly lastSequence: number;
  readonly chains: readonly ChainHead[];
}

export interface ViewStateOptions {
  readonly path: string;
  readonly migrations: readonly Migration[];
  /** Named in errors. */
  readonly shown: string;
  readonly walkChains: boolean;
  /** Of an encrypted copy. */
  readonly key?: Uint8Array | undefined;
}

const pageRecords = 1_000;
/** Kept by the extension plane: `<hash>/<kind of reference>/…` (packages/extension/src/registry). */
const objectReferences = { name: "ext-object-refs", schema: z.object({ at: z.string() }) };
/** They name an object on its way in or out, which need not be there. */
const passingKinds: ReadonlySet<string> = new Set(["lease", "deleting"]);

export async function* everyRecord<T>(collection: Collection<T>, prefix: readonly string[] = []): AsyncGenerator<Rec<T>> {
  let after: Key | undefined;
  do {
    const page = await collection.list({ prefix, limit: pageRecords, ...(after === undefined ? {} : { after }) });
    yield* page.records;
    after = page.next;
  } while (after !== undefined);
}

/** The store as it is: none of the program's steps is due. */
export async function openAsItIs(path: string, migrations: readonly Migration[], key?: Uint8Array): Promise<Store> {
  const version = readSqliteSchemaVersion(path, key);
  if (version > migrations.length) throw new AppError("store.version", { observed: version, expected: migrations.length });
  return openSqliteStore({ path, migrations: migrations.slice(0, version), fsync: "always", ...(key === undefined ? {} : { key }) });
}

async function countOf(collection: Collection<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of everyRecord(collection)) count += 1;
  return count;
}

/** @throws {store.corrupt} {store.version} {store.value_invalid} */
export async function viewState(options: ViewStateOptions): Promise<StateView> {
  const store = await openAsItIs(options.path, options.migrations, options.key);
  try {
    const bus = openCollections(store);
    const objects = new Set<string>();
    for await (const { key } of everyRecord(bus.blobs)) objects.add(`blobs/${key[0]}`);
    for await (const { key } of everyRecord(store.collection(objectReferences)))
      if (!passingKinds.has(key[1] ?? "")) objects.add(`bundles/${key[0]}`);
    const persistedRooms = new Set<string>();
    let rooms = 0;
    for await (const { value } of everyRecord(bus.rooms)) {
      rooms += 1;
      if (value.policy.persist) persistedRooms.add(value.id);
    }
    const chains: ChainHead[] = [];
    for await (const { key, value } of everyRecord(store.collection({ name: "event-heads", schema: eventHeadSchema })))
      chains.push(chainHeadSchema.parse({ community: key[0], events: value.index, head: value.hash }));
    if (options.walkChains) for (const chain of chains) await walkChain(store, chain, options.shown);
    return {
      schema: await store.schemaVersion(),
      counts: {
        rooms,
        users: await countOf(bus.users),
        communities: await countOf(store.collection({ name: "communities", schema: z.looseObject({}) })),
      },
      ...{ objects, persistedRooms, chains },
      lastSequence: (await bus.usageCursor.get(["rooms"]))?.value.seq ?? 0,
    };
  } finally {
    await store.close();
  }
}

async function walkChain(store: Store, { community, events, head }: ChainHead, shown: string): Promise<void> {
  const verdict = await verifyChain(valuesOf(store, community));
  if (verdict.fault !== undefined || verdict.events !== events || verdict.head !== head) {
    const where =
      verdict.fault === undefined ? `${verdict.events} events of ${events}` : `event ${verdict.fault.index}: ${verdict.fault.fault}`;
    throw new AppError("store.corrupt", { path: shown, detail: `the chain of community ${community} does not verify (${where})` });
  }
}

async function* valuesOf(store: Store, community: CommunityId): AsyncGenerator<unknown> {
  for await (const { value } of everyRecord(store.collection({ name: "events", schema: eventRecordSchema }), [community])) yield value;
}

/** Reading a copy writes beside it. @throws {backup.write_failed} and what `viewState` throws */
export async function viewCopy(options: ViewStateOptions): Promise<StateView> {
  try {
    return await viewState(options);
  } catch (error) {
    throw hasCode(error, "store.unavailable") ? writeFailure(options.path, error) : error;
  }
}
