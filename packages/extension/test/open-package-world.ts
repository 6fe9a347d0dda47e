/**
 * Registry, installs and all they stand on, over any pair of back ends.
 *
 * Invariant: everything is the product's own but three neighbours: the gate of communities (a table that tests change), the runner (which reads the bundle by
 * hash and says what component it found) and the clock. `counts()` sees every record, object and file, so that a test can say that nothing was left.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  AppError,
  communityIdSchema,
  endpointIdSchema,
  handleSchema,
  signPubSchema,
  type CommunityId,
  type InstancePluginPolicy,
  type InstanceRole,
  type PluginPolicyChange,
} from "@althing/contract";
import { openFolderObjects, openMemoryObjects, openMemoryStore, openSqliteStore, type ObjectStore, type Store } from "@althing/store";
import { createFakeClock, tempDir } from "@althing/testkit";
import { z } from "zod";
import { readTar } from "../src/bundle/index.ts";
import type { CommunityGate, PluginCaller } from "../src/extension-deps.ts";
import { createGuardedFetcher, type GuardedFetcher } from "../src/fetcher/index.ts";
import { createInstalls, type InstallsDeps } from "../src/installs/index.ts";
import { createKvStore } from "../src/kv/index.ts";
import { createBundleShelf, createRegistry } from "../src/registry/index.ts";
import { createSecretVault } from "../src/secrets/index.ts";
import { createTrustKeeper } from "../src/trust-keeper/index.ts";
import { createUploads } from "../src/upload/index.ts";
import { aPublisher } from "./make-package.ts";

export const communityA = communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAA");
export const communityB = communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAB");

const collections = [
  ...["ext-trust", "ext-trust-state", "ext-object-refs", "ext-names", "ext-packages", "ext-versions", "ext-registry-pins", "ext-installs"],
  ...["ext-install-ids", "ext-install-counts", "ext-install-versions", "ext-kept", "ext-secrets", "ext-kv", "ext-kv-usage"],
];

export interface WorldOptions {
  readonly state?: "memory" | "sqlite";
  readonly objects?: "memory" | "folder";
  readonly fetcher?: GuardedFetcher;
  readonly filePem?: string;
  readonly uploadLimits?: Parameters<typeof createUploads>[0]["limits"];
}

export function callerOf(letter: string, role: InstanceRole = "member"): PluginCaller {
  return {
    endpoint: endpointIdSchema.parse(letter.repeat(42) + "A"),
    signPub: signPubSchema.parse(letter.charCodeAt(0).toString(16).padStart(64, "0")),
    handle: handleSchema.parse(letter),
    role,
  };
}
export const admin = callerOf("a", "admin");
export const alice = callerOf("b");
export const bob = callerOf("c");

/** Counts what is asked of a store, collection by collection. */
function counting(store: Store, seen: { reads: number }): Store {
  return {
    ...store,
    collection(def) {
      const inner = store.collection(def);
      return {
        ...inner,
        get: (key) => ((seen.reads += 1), inner.get(key)),
        list: (options) => ((seen.reads += 1), inner.list(options)),
      };
    },
  };
}

/** The keys of what is there, and a way to change bytes behind the product's back. */
function watched(inner: ObjectStore) {
  const keys = new Set<string>();
  const altered = new Map<string, Uint8Array | null>();
  const objects: ObjectStore = {
    ...inner,
    async put(key, bytes) {
      const done = await inner.put(key, bytes);
      altered.delete(key);
      keys.add(key);
      return done;
    },
    async get(key) {
      const lie = altered.get(key);
      if (lie === null) throw new AppError("object.not_found", { key });
      return lie ?? inner.get(key);
    },
    has: async (key) => altered.get(key) !== null && inner.has(key),
    async delete(key) {
      keys.delete(key);
      await inner.delete(key);
    },
  };
  return { objects, keys, altered };
}

function openGate() {
  const policies = new Map<string, PluginPolicyChange>();
  const denied = new Set<string>();
  let instance: InstancePluginPolicy = { defaults: {}, ceilings: {}, locks: [] };
  let revision = 1;
  const gate: CommunityGate = {
    async resolve(_caller, ref) {
      const found = [communityA, communityB].find((id) => id === ref);
      if (found === undefined) throw new AppError("community.not_found", { community: ref });
      return found;
    },
    find: async (ref) => [communityA, communityB].find((id) => id === ref),
    async authorize(caller, community, permission) {
      if (denied.has(`${caller.handle} ${community} ${permission}`) || caller.handle === bob.handle)
        throw new AppError("auth.forbidden", { permission, who: "An admin" });
    },
    permissionsOf: async () => [],
    policy: async (community) => ({ community: policies.get(community) ?? {}, instance, revision }),
    members: async () => ({ members: [] }),
  };
  return {
    gate,
    deny: (caller: PluginCaller, community: CommunityId, permission: string) =>
      void denied.add(`${caller.handle} ${community} ${permission}`),
    setPolicy(community: CommunityId, policy: PluginPolicyChange) {
      policies.set(community, policy);
      revision += 1;
    },
    setInstance(policy: Partial<InstancePluginPolicy>) {
      instance = { ...instance, ...policy };
      revision += 1;
    },
  };
}

export async function openPackageWorld(options: WorldOptions = {}) {
  const dir = await tempDir();
  const clock = createFakeClock(Date.UTC(2026, 10, 22));
  const seen = { reads: 0 };
  const inner =
    options.state === "sqlite"
      ? openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" })
      : openMemoryStore({ clock });
  const raw = await inner;
  const store = counting(raw, seen);
  const objectFolder = join(dir.path, "objects");
  mkdirSync(objectFolder);
  const { objects, keys, altered } = watched(
    options.objects === "folder" ? openFolderObjects({ path: objectFolder }) : openMemoryObjects(),
  );
  const staging = join(dir.path, "staging");
  const log: { level: string; event: string }[] = [];
  /** What the community was told, in order. */
  const told: string[] = [];
  const shelf = createBundleShelf({ store, objects, clock });
  const limits = options.uploadLimits;
  const uploads = createUploads({ folder: staging, ...(limits === undefined ? {} : { limits }) });
  const trust = createTrustKeeper({ store, clock, filePem: options.filePem ?? aPublisher.publicKeyPem });
  const vault = createSecretVault({ store, clock, secretsKey: new Uint8Array(32).fill(7) });
  const kv = createKvStore({ store, clock });
  const gate = openGate();
  const runner = {
    prepared: [] as string[],
    refuse: undefined as AppError | undefined,
    /** Awaited after the bundle was read and before the answer. */
    hold: async (): Promise<void> => undefined,
    async prepare(contentHash: string) {
      const summary = await readTar([await installs.bundle(contentHash)]);
      await runner.hold();
      if (runner.refuse !== undefined) throw runner.refuse;
      runner.prepared.push(contentHash);
      return { componentSha256: summary.entries.find(({ path }) => path === "extension.wasm")?.sha256 ?? "" };
    },
  };
  const common = {
    ...{ store, shelf, uploads, trust, runner, clock },
    log: (level: string, event: string) => void log.push({ level, event }),
  };
  const registry = createRegistry(common);
  const deps: InstallsDeps = {
    ...common,
    commit: async (_community, writes, events) => {
      await store.batch(writes);
      told.push(...events.map(({ topic, extension }) => `${topic} ${extension}`));
    },
    gate: gate.gate,
    fetcher: options.fetcher ?? createGuardedFetcher({ clock: Date }),
    vault,
    purge: [(scope) => kv.purge(scope), (scope) => vault.purge(scope)],
    uiBase: "https://ui.example.org",
  };
  const installs = createInstalls(deps);

  const rowsOf = async (name: string) =>
    (await raw.collection({ name, schema: z.record(z.string(), z.unknown()) }).list({ limit: 1_000 })).records;

  return {
    ...{
      dir,
      clock,
      store,
      raw,
      shelf,
      objects,
      uploads,
      trust,
      vault,
      kv,
      registry,
      installs,
      runner,
      log,
      told,
      seen,
      deps,
      altered,
      rowsOf,
    },
    ...gate,
    objectKeys: keys,
    /** A second hub over the same state. */
    another: () =>
      createInstalls({ ...deps, trust: createTrustKeeper({ store, clock, filePem: options.filePem ?? aPublisher.publicKeyPem }) }),
    async counts() {
      const rows: Record<string, number> = {};
      for (const name of collections) {
        const found = (await rowsOf(name)).length;
        if (found > 0) rows[name] = found;
      }
      return { rows, objects: keys.size, files: readdirSync(staging).length };
    },
    async close() {
      await raw.close();
      await objects.close();
      await dir.remove();
    },
  };
}

export type PackageWorld = Awaited<ReturnType<typeof openPackageWorld>>;
