/**
 * The store without a disk: for tests and for trying things out; also the plainest statement of what an engine does.
 *
 * Invariant: same outcomes as the durable back ends, values held as JSON text so that no caller shares an object with another.
 */
import { AppError } from "@althing/contract";
import { createStore, printFullKey, type CreateStoreOptions } from "./create-store.ts";
import { checkMigrations, migrateInSteps } from "./migrations.ts";
import { OrderedMap } from "./ordered-map.ts";
import type { ChangeListener, RawRecord, RawWrite, StoreEngine } from "./store-engine.ts";
import { storeLimits } from "./store-limits.ts";
import type { Migration, Store } from "./types.ts";

export interface MemoryStoreOptions {
  readonly migrations?: readonly Migration[];
  readonly clock?: { now(): number };
  /** Changes a watcher may lag behind; default 10,000. */
  readonly watchBacklogMax?: number;
}

interface Request {
  readonly revision: number;
  readonly atMs: number;
}

interface MemoryEngine extends StoreEngine {
  setSchemaVersion(version: number): void;
}

/** @example const store = openMemoryStore(); */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  const engine = createMemoryEngine(options.clock ?? Date);
  const migrations = checkMigrations(options.migrations ?? []);
  const backlog: CreateStoreOptions = options.watchBacklogMax === undefined ? {} : { watchBacklogMax: options.watchBacklogMax };
  if (migrations.length === 0) return createStore(engine, backlog);
  const ready = migrateInSteps(createStore(engine), migrations, 0, (version) => engine.setSchemaVersion(version));
  // Whoever uses the store first learns of a failure; until then it is nobody's unhandled rejection.
  ready.catch(() => undefined);
  return createStore(engine, { ...backlog, ready });
}

function createMemoryEngine(clock: { now(): number }): MemoryEngine {
  const records = new OrderedMap<RawRecord>();
  const requests = new Map<string, Request>();
  let revision = 0;
  let schemaVersion = 0;
  let listener: ChangeListener | undefined;

  const forgetRequests = () => {
    for (const [id, request] of requests) {
      if (requests.size <= storeLimits.requestsMax && clock.now() - request.atMs < storeLimits.requestTtlMs) return;
      requests.delete(id);
    }
  };

  const apply = (write: RawWrite) => {
    if (write.op === "check") return;
    const { fullKey } = write;
    if (write.op === "delete") {
      if (!records.delete(fullKey)) return;
      revision += 1;
      listener?.changed({ fullKey, revision });
      return;
    }
    revision += 1;
    records.set(fullKey, { fullKey, text: write.text, revision });
    listener?.changed({ fullKey, revision, text: write.text });
  };

  return {
    kind: "memory",
    valueMaxBytes: storeLimits.valueMaxBytes,
    read: (fullKey) => records.get(fullKey),
    list(range, limit, maxBytes) {
      const found: RawRecord[] = [];
      let bytes = 0;
      for (const [, record] of records.walk(range)) {
        found.push(record);
        bytes += record.text.length;
        if (found.length >= limit || bytes > maxBytes) break;
      }
      return found;
    },
    async commit(writes, requestId) {
      forgetRequests();
      const known = requestId === undefined ? undefined : requests.get(requestId);
      if (known !== undefined) return known.revision;
      for (const { fullKey, expect } of writes) {
        const observed = records.get(fullKey)?.revision ?? 0;
        if (expect !== undefined && expect !== observed)
          throw new AppError("store.conflict", { expected: expect, key: printFullKey(fullKey), observed });
      }
      for (const write of writes) apply(write);
      listener?.reached(revision);
      if (requestId !== undefined) requests.set(requestId, { revision, atMs: clock.now() });
      return revision;
    },
    revision: () => revision,
    schemaVersion: () => schemaVersion,
    setSchemaVersion(version) {
      schemaVersion = version;
    },
    listen(to) {
      listener = to;
    },
    async close() {
      listener = undefined;
    },
  };
}
