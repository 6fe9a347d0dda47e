/**
 * Whom this instance trusts to sign packages: the operator's file and what admins added, as one trust store.
 *
 * Invariant: the two are read in full or nothing is trusted. Every change writes one record beside the blocks, whose revision is the revision of trust; each
 * question reads that record freshly, so a removal holds for the very next call on every node, and parsing happens once a revision.
 * docs/architecture/installs.md.
 */
import { AppError, hasCode, type RouteResponse } from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";
import type { ExtensionClock, PluginCaller } from "../extension-deps.ts";
import { requireInstance } from "../registry/require-instance.ts";
import { retryConflicts } from "@althing/store";
import { keyIdOf, openTrustStore, type TrustStore } from "../trust/trust-store.ts";
import { readTrustBlocks, type TrustBlock } from "./trust-blocks.ts";

/** Of one block as stored, in characters of PEM. */
const blockMaxChars = 60 * 1024;

const blockSchema = z.object({
  kind: z.enum(["key", "certificate", "revocation-list"]),
  pem: z.string().max(64 * 1024),
  addedAt: z.string(),
  addedBy: z.string(),
});
type BlockRow = z.infer<typeof blockSchema>;
/** `ext-trust-state/state`: only its revision counts. */
const stateSchema = z.object({ changedAt: z.string() });

export interface TrustKeeperDeps {
  readonly store: Store;
  readonly clock: ExtensionClock;
  /** Text of `signing_trust_bundle`. */
  readonly filePem?: string;
  /** Text of the revocation lists beside it; absent: the operator keeps none there. */
  readonly fileCrls?: string;
}

export type TrustList = RouteResponse<"trust.list">;

export interface TrustKeeper {
  /**
   * Today's trust and its revision; one read while nothing changed.
   * @throws {trust.bundle_invalid} {store.unavailable}
   */
  current(): Promise<{ readonly store: TrustStore; readonly revision: number }>;
  list(): Promise<TrustList>;
  /** @throws {auth.forbidden} {trust.pem_invalid} */
  add(caller: PluginCaller, input: { readonly pem: string }): Promise<Pick<TrustList, "anchors">>;
  /** @throws {auth.forbidden} {trust.anchor_not_found} */
  remove(caller: PluginCaller, input: { readonly id: string }): Promise<void>;
}

interface Snapshot {
  readonly revision: number;
  readonly rows: ReadonlyMap<string, BlockRow>;
  readonly store: TrustStore;
}

const stateKey = ["state"] as const;

/**
 * @throws {trust.bundle_invalid} the operator's file cannot be read in full
 * @example
 * const trust = createTrustKeeper({ store, clock: Date, filePem: readFileSync("trust.pem", "utf8") });
 */
export function createTrustKeeper(deps: TrustKeeperDeps): TrustKeeper {
  const { store, clock, filePem = "", fileCrls } = deps;
  const blocks = store.collection({ name: "ext-trust", schema: blockSchema });
  const state = store.collection({ name: "ext-trust-state", schema: stateSchema });
  const fromFile = openTrustStore(filePem, fileCrls);
  let known: Snapshot = { revision: 0, rows: new Map(), store: fromFile };

  function merge(rows: ReadonlyMap<string, Pick<TrustBlock, "kind" | "pem">>): TrustStore {
    const all = [...rows.values()];
    const pemOf = (isList: boolean) => all.filter(({ kind }) => (kind === "revocation-list") === isList).map(({ pem }) => pem);
    const lists = pemOf(true);
    const crls = fileCrls === undefined && lists.length === 0 ? undefined : [fileCrls ?? "", ...lists].join("\n");
    return openTrustStore([filePem, ...pemOf(false)].join("\n"), crls);
  }

  const revisionNow = async () => (await state.get(stateKey))?.revision ?? 0;

  async function snapshot(): Promise<Snapshot> {
    for (;;) {
      const revision = await revisionNow();
      if (revision === known.revision) return known;
      const rows = await readRows(blocks);
      // A change between the two reads would give blocks of one revision under the number of another.
      if ((await revisionNow()) !== revision) continue;
      known = { revision, rows, store: merge(rows) };
      return known;
    }
  }

  async function change(decide: (now: Snapshot) => readonly ReturnType<typeof blocks.toDelete>[]): Promise<void> {
    await retryConflicts("the trust bundle", async () => {
      const now = await snapshot();
      const writes = decide(now);
      if (writes.length === 0) return;
      await store.batch([...writes, state.toPut(stateKey, { changedAt: new Date(clock.now()).toISOString() }, now.revision)]);
    });
  }

  async function list(): Promise<TrustList> {
    return listOf(await snapshot(), fromFile);
  }

  return {
    async current() {
      const { store: trust, revision } = await snapshot();
      return { store: trust, revision };
    },
    list,
    async add(caller, { pem }) {
      requireInstance(caller, "trust.manage");
      const added = readTrustBlocks(pem);
      judgeBlocks(added);
      await change((now) => {
        const fresh = added.filter(({ id }, index) => !now.rows.has(id) && added.findIndex((other) => other.id === id) === index);
        judgeWhole(() =>
          merge(new Map<string, Pick<TrustBlock, "kind" | "pem">>([...now.rows, ...fresh.map((block) => [block.id, block] as const)])),
        );
        const addedAt = new Date(clock.now()).toISOString();
        return fresh.map(({ id, kind, pem: text }) => blocks.toPut([id], { kind, pem: text, addedAt, addedBy: caller.endpoint }, 0));
      });
      return { anchors: (await list()).anchors };
    },
    async remove(caller, { id }) {
      requireInstance(caller, "trust.manage");
      await change((now) => {
        if (!now.rows.has(id)) throw new AppError("trust.anchor_not_found", { id });
        return [blocks.toDelete([id])];
      });
    },
  };
}

/** @throws {trust.bundle_invalid} a record does not hold what its key says */
async function readRows(blocks: Collection<BlockRow>): Promise<ReadonlyMap<string, BlockRow>> {
  const rows = new Map<string, BlockRow>();
  let after: readonly [string, ...string[]] | undefined;
  do {
    const page = await blocks.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { key, value } of page.records) {
      if (!isBlockOf(key[0], value)) throw new AppError("trust.bundle_invalid", { detail: `the record ${key[0]} holds something else` });
      rows.set(key[0], value);
    }
    after = page.next;
  } while (after !== undefined);
  return rows;
}

function isBlockOf(id: string, row: BlockRow): boolean {
  try {
    const [first, ...more] = readTrustBlocks(row.pem);
    return first !== undefined && more.length === 0 && first.id === id && first.kind === row.kind;
  } catch {
    return false;
  }
}

/** @throws {trust.pem_invalid} */
function judgeBlocks(added: readonly TrustBlock[]): void {
  if (added.length === 0) throw new AppError("trust.pem_invalid", { detail: "it has no block" });
  for (const { id, kind, pem } of added) {
    if (pem.length > blockMaxChars) throw new AppError("trust.pem_invalid", { detail: `${id} is larger than a record may be` });
    if (kind === "certificate" && judgeWhole(() => openTrustStore(pem)).anchors.length === 0) {
      throw new AppError("trust.pem_invalid", {
        detail: `${id} is no self-signed authority; intermediates travel with the signature, a single publisher is trusted by its public key`,
      });
    }
  }
}

/** What openTrustStore refuses is the sender's fault here. @throws {trust.pem_invalid} */
function judgeWhole<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!hasCode(error, "trust.bundle_invalid")) throw error;
    throw new AppError("trust.pem_invalid", { detail: String(error.params["detail"] ?? error.message) }, { cause: error });
  }
}

function listOf({ rows, store }: Snapshot, fromFile: TrustStore): TrustList {
  const inFile = new Set([...fromFile.publisherKeys.map(keyIdOf), ...fromFile.anchors.map(({ sha256 }) => `x509:${sha256}`)]);
  const originOf = (id: string) => {
    const row = rows.get(id);
    return row === undefined || inFile.has(id) ? { source: "file" as const } : { source: "instance" as const, addedAt: row.addedAt };
  };
  const anchors = new Map<string, TrustList["anchors"][number]>();
  for (const key of store.publisherKeys) {
    const id = keyIdOf(key);
    anchors.set(id, { id, kind: "key", subject: id, ...originOf(id) });
  }
  for (const { sha256, subjectText, notAfter } of store.anchors) {
    const id = `x509:${sha256}`;
    const until = Number.isNaN(notAfter.getTime()) ? {} : { notAfter: notAfter.toISOString() };
    anchors.set(id, { id, kind: "certificate", subject: subjectText, ...until, ...originOf(id) });
  }
  // The file's lists come first when the two are merged, then the records in the order of their keys.
  const lists = store.revocationLists ?? [];
  const ids = [...rows].filter(([, row]) => row.kind === "revocation-list").map(([id]) => id);
  const revocationLists = lists.map((entry, index) => {
    const issuer = store.anchors.find(({ subject }) => subject === entry.issuer)?.subjectText ?? entry.issuer;
    const id = ids[index - (lists.length - ids.length)] ?? `file:${index + 1}`;
    return { id, issuer, ...(Number.isNaN(entry.nextUpdate) ? {} : { nextUpdate: new Date(entry.nextUpdate).toISOString() }) };
  });
  return { anchors: [...anchors.values()], revocationLists };
}
