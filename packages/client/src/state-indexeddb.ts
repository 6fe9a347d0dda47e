/**
 * Client state in IndexedDB, and the one place that talks to IndexedDB.
 *
 * Invariant: `update` is one read-write transaction, so tabs of one browser merge without a lock of their own. Values and entries are structured
 * clones of JSON; keys of identities are CryptoKey objects that cannot be exported (browser-identity.ts).
 */
import type { ClientState } from "./state.ts";

const valuesStore = "values";
const entriesStore = "entries";

const databaseNameOf = (name: string): string => `althing-state-${name}`;

/** Forgets what `openIndexedDbState(name)` kept. Tabs that still hold it open keep it until they close. */
export function removeIndexedDbState(name: string): Promise<void> {
  const request = indexedDB.deleteDatabase(databaseNameOf(name));
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve());
    request.addEventListener("blocked", () => resolve());
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB refused")));
  });
}

/** One database for each identity, named by the caller. */
export async function openIndexedDbState(name: string): Promise<ClientState> {
  const database = await openDatabase(databaseNameOf(name), (fresh) => {
    fresh.createObjectStore(valuesStore);
    fresh.createObjectStore(entriesStore, { autoIncrement: true }).createIndex("name", "name");
  });
  const readEntries = async (transaction: IDBTransaction, of: string) => {
    const rows = await done(transaction.objectStore(entriesStore).index("name").getAll(of));
    return (rows as { entry: unknown }[]).map((row) => row.entry);
  };
  const update: ClientState["update"] = async (of, change) => {
    const transaction = database.transaction([valuesStore, entriesStore], "readwrite", { durability: "strict" });
    const values = transaction.objectStore(valuesStore);
    const stored: unknown = await done(values.get(of));
    const entries = await readEntries(transaction, of);
    values.put(change(stored, entries), of);
    const log = transaction.objectStore(entriesStore);
    for (const key of await done(log.index("name").getAllKeys(of))) log.delete(key);
    await ended(transaction);
  };
  return {
    load: (of) => done(database.transaction(valuesStore).objectStore(valuesStore).get(of)),
    save: (of, value) => update(of, () => value),
    entries: (of) => readEntries(database.transaction(entriesStore), of),
    async append(of, entry) {
      const transaction = database.transaction(entriesStore, "readwrite", { durability: "relaxed" });
      transaction.objectStore(entriesStore).add({ name: of, entry });
      await ended(transaction);
    },
    update,
    close: async () => database.close(),
  };
}

export function openDatabase(name: string, create: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.addEventListener("upgradeneeded", () => create(request.result));
  return done(request);
}

export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB failed")));
  });
}

export function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener("complete", () => resolve());
    transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("IndexedDB aborted")));
  });
}
