/**
 * An identity that lives in a browser: both private keys as CryptoKey objects that nothing can export, kept in IndexedDB.
 *
 * Invariant: the recovery phrase is never stored; its seeds pass through memory once, at import. A page that is taken over can use the keys while it
 * is open, but cannot carry them away. One database holds at most one identity; it is never overwritten by accident.
 */
import { AppError } from "@althing/contract";
import { identityFromKeys, importIdentityKeys, type Identity, type IdentityKeys } from "@althing/crypto";
import { done, ended, openDatabase } from "./state-indexeddb.ts";

interface StoredIdentity extends IdentityKeys {
  readonly version: 1;
}

const databaseName = "althing-identity";
const storeName = "identity";
const only = "me";

/** The identity this browser keeps, or `undefined`. @throws {identity.corrupt} kept by another version */
export async function loadBrowserIdentity(name: string = databaseName): Promise<Identity | undefined> {
  const stored = await withStore(name, "readonly", (store) => done(store.get(only) as IDBRequest<StoredIdentity | undefined>));
  if (stored === undefined) return undefined;
  if (stored.version !== 1)
    throw new AppError("identity.corrupt", { path: "this browser", detail: `version ${String(stored.version)} is unknown` });
  return identityFromKeys(stored);
}

/**
 * Imports the keys of a recovery phrase, not extractable, and keeps them in this browser.
 *
 * @throws {identity.phrase} the phrase is not one
 * @throws {identity.exists} this browser keeps another identity; `removeBrowserIdentity` is the deliberate way to change it
 */
export async function saveBrowserIdentity(phrase: string, name: string = databaseName): Promise<Identity> {
  const stored: StoredIdentity = { version: 1, ...(await importIdentityKeys(phrase)) };
  await withStore(name, "readwrite", async (store) => {
    const before = await done(store.get(only) as IDBRequest<StoredIdentity | undefined>);
    if (before !== undefined && before.signPub !== stored.signPub) throw new AppError("identity.exists", { path: "this browser" });
    store.put(stored, only);
  });
  return identityFromKeys(stored);
}

/** Forgets this browser's identity; only its recovery phrase brings it back. */
export async function removeBrowserIdentity(name: string = databaseName): Promise<void> {
  await withStore(name, "readwrite", async (store) => void store.delete(only));
}

async function withStore<T>(name: string, mode: IDBTransactionMode, use: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const database = await openDatabase(name, (fresh) => {
    fresh.createObjectStore(storeName);
  });
  try {
    const transaction = database.transaction(storeName, mode, { durability: "strict" });
    const finished = ended(transaction);
    finished.catch(() => undefined);
    const result = await use(transaction.objectStore(storeName));
    await finished;
    return result;
  } finally {
    database.close();
  }
}
