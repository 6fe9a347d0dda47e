/**
 * Where a contract suite opens its stores: one place is one set of data, opened as often as a test likes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { openJetStreamStore, openMemoryStore, openSqliteStore, type Migration, type Store } from "../src/index.ts";

export interface OpenOptions {
  readonly migrations?: readonly Migration[];
  readonly migrate?: "all" | "none";
  readonly watchBacklogMax?: number;
}

export interface StorePlace {
  open(options?: OpenOptions): Promise<Store>;
  /** For a child process: how to open the same place. */
  readonly address: StoreAddress | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

export type StoreAddress =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "jetstream"; readonly url: string; readonly stream: string };

export interface StoreBackend {
  readonly name: Store["kind"];
  /** Data outlives the store that wrote it. */
  readonly durable: boolean;
  place(): Promise<StorePlace>;
}

export const memoryBackend: StoreBackend = {
  name: "memory",
  durable: false,
  async place() {
    const opened: Store[] = [];
    return {
      address: undefined,
      async open(options = {}) {
        const store = openMemoryStore(options);
        opened.push(store);
        return store;
      },
      async [Symbol.asyncDispose]() {
        for (const store of opened) await store.close();
      },
    };
  },
};

export const sqliteBackend: StoreBackend = {
  name: "sqlite",
  durable: true,
  async place() {
    const folder = await mkdtemp(join(tmpdir(), "althing-store-"));
    const path = join(folder, "state.db");
    const opened: Store[] = [];
    return {
      address: { kind: "sqlite", path },
      async open(options = {}) {
        const store = await openSqliteStore({ path, migrations: [], ...options });
        opened.push(store);
        return store;
      },
      async [Symbol.asyncDispose]() {
        for (const store of opened) await store.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

let streams = 0;

/** @param url of a server that the test file has started */
export function jetstreamBackend(url: () => string): StoreBackend {
  return {
    name: "jetstream",
    durable: true,
    async place() {
      const stream = `PLACE-${process.pid}-${(streams += 1)}`;
      const closers: (() => Promise<void>)[] = [];
      return {
        address: { kind: "jetstream", url: url(), stream },
        async open(options = {}) {
          const connection = await connect({ servers: url(), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
          const store = await openJetStreamStore({ connection, stream, replicas: 1, migrations: [], ...options }).catch(
            async (error: unknown) => {
              await connection.close();
              throw error;
            },
          );
          closers.push(async () => {
            await store.close();
            await connection.close();
          });
          return store;
        },
        async [Symbol.asyncDispose]() {
          for (const close of closers) await close();
        },
      };
    },
  };
}

export async function openAddress(address: StoreAddress): Promise<{ store: Store; close(): Promise<void> }> {
  if (address.kind === "sqlite") {
    const store = await openSqliteStore({ path: address.path, migrations: [], busyTimeoutMs: 60_000 });
    return { store, close: () => store.close() };
  }
  const connection = await connect({ servers: address.url });
  const store = await openJetStreamStore({ connection, stream: address.stream, replicas: 1, migrations: [] });
  return {
    store,
    async close() {
      await store.close();
      await connection.close();
    },
  };
}
