/**
 * The stores a bus can stand on, opened and closed like at a restart of the hub.
 *
 * Invariant: what is kept on disk or in JetStream is closed and opened anew each time; memory, and a store the test brought, live on.
 */
import { join } from "node:path";
import { streams } from "@althing/contract";
import {
  openJetStreamClaims,
  openJetStreamStore,
  openMemoryClaims,
  openMemoryStore,
  openSqliteClaims,
  openSqliteStore,
  type ClaimStore,
  type Store,
} from "@althing/store";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Clock } from "../src/index.ts";

export const storeKinds = ["memory", "sqlite", "jetstream"] as const;
export type StoreKind = (typeof storeKinds)[number];

interface Opened {
  readonly store: Store;
  readonly claims: ClaimStore;
}

export interface Stores {
  open(account: NatsConnection): Promise<Opened>;
  close(): Promise<void>;
}

/** A store in JetStream writes values larger than a frame. */
export const maxPayloadOf = (kind: Store | StoreKind): { maxPayloadBytes?: number } =>
  kind === "jetstream" ? { maxPayloadBytes: 1024 * 1024 } : {};

export function openStores(kind: Store | StoreKind, { dir, clock }: { readonly dir: string; readonly clock: Clock }): Stores {
  let opened: Opened | undefined;
  let founded = false;
  async function openKind(account: NatsConnection): Promise<Opened> {
    switch (kind) {
      case "sqlite": {
        const store = await openSqliteStore({ path: join(dir, "state.db"), migrations: [], fsync: "always", clock });
        return { store, claims: openSqliteClaims({ path: join(dir, "claims.db"), fsync: "always", clock }) };
      }
      case "jetstream": {
        const common = { connection: account, replicas: 1, clock };
        const store = await openJetStreamStore({ ...common, stream: streams.state, migrations: [], create: !founded });
        return { store, claims: openJetStreamClaims({ ...common, stream: streams.claims }) };
      }
      case "memory":
        return { store: openMemoryStore(), claims: openMemoryClaims({ clock }) };
      default:
        return { store: kind, claims: openMemoryClaims({ clock }) };
    }
  }
  const isKept = kind !== "sqlite" && kind !== "jetstream";
  return {
    async open(account) {
      opened ??= await openKind(account);
      founded = true;
      return opened;
    },
    async close() {
      if (isKept || !opened) return;
      const { store, claims } = opened;
      opened = undefined;
      await claims.close();
      await store.close();
    },
  };
}
