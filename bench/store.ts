/**
 * What the store costs over the engine below it: compare-and-set one after the other, the same record, the same fsync setting.
 *
 * Baseline and subject run in alternating slices of one process, so that a busy machine slows both; medians are compared. The value is an object
 * of a user's size, checked by a schema on the store's side and bare JSON text on the other. Prints a table with the limit beside
 * each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJetStreamStore, openMemoryStore, openSqliteClaims, openSqliteStore, type Key, type Store } from "@althing/store";
import { startNats } from "@althing/testkit";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { z } from "zod";

const sliceMs = 250;
const slices = 9;
const schema = z.object({ handle: z.string(), role: z.enum(["admin", "member"]), status: z.string(), signPub: z.string(), n: z.number() });
const valueOf = (n: number) => ({
  handle: "ada.lovelace",
  role: "member" as const,
  status: "active",
  signPub: "0123456789abcdef".repeat(4),
  n,
});
type Step = () => unknown;

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: "% of raw" | "per s" | "ms";
  readonly limit?: number;
  readonly detail: string;
}
const rows: Row[] = [];

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function rate(step: Step): Promise<number> {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < sliceMs) {
    for (let i = 0; i < 10; i += 1) await step();
    count += 10;
  }
  return (count * 1000) / (performance.now() - start);
}

async function compare(name: string, limit: number, raw: Step, ours: Step): Promise<void> {
  const baselines: number[] = [];
  const subjects: number[] = [];
  const shares: number[] = [];
  await rate(raw);
  await rate(ours);
  for (let slice = 0; slice < slices; slice += 1) {
    const baseline = await rate(raw);
    const subject = await rate(ours);
    baselines.push(baseline);
    subjects.push(subject);
    shares.push((100 * subject) / baseline);
  }
  rows.push({
    name,
    observed: Math.round(median(shares)),
    unit: "% of raw",
    limit,
    detail: `${Math.round(median(subjects))}/s, raw ${Math.round(median(baselines))}/s`,
  });
}

async function casStep(store: Store): Promise<Step> {
  const users = store.collection({ name: "users", schema });
  const key: Key = ["by-key", "0123456789abcdef"];
  let revision = await users.put(key, valueOf(0));
  let n = 0;
  return async () => {
    revision = await users.put(key, valueOf((n += 1)), revision);
  };
}

function rawSqlite(path: string, synchronous: "FULL" | "NORMAL"): { step: Step; close(): void } {
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE records (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value TEXT NOT NULL) STRICT`,
  );
  database.prepare("INSERT INTO records VALUES (?, 1, ?)").run("users/by-key/0123456789abcdef", JSON.stringify(valueOf(0)));
  const update = database.prepare("UPDATE records SET value = ?, revision = revision + 1 WHERE key = ? AND revision = ?");
  let revision = 1;
  return {
    step: () => {
      const { changes } = update.run(JSON.stringify(valueOf(revision)), "users/by-key/0123456789abcdef", revision);
      if (changes !== 1) throw new Error("the baseline lost its record");
      revision += 1;
    },
    close: () => database.close(),
  };
}

/** What the log of executions does at each call: two records at once, of which neither may be there. */
function batchStep(store: Store): Step {
  const open = store.collection({ name: "open", schema: z.object({ community: z.string() }) });
  const rows = store.collection({ name: "rows", schema });
  let n = 0;
  return () => {
    const id = String((n += 1)).padStart(10, "0");
    return store.batch([open.toPut(["n1", id], { community: "garden" }, 0), rows.toPut(["garden", id], valueOf(n), 0)]);
  };
}

function rawBatch(path: string, synchronous: "FULL" | "NORMAL"): { step: Step; close(): void } {
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE records (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value TEXT NOT NULL) STRICT`,
  );
  const [begin, commit] = [database.prepare("BEGIN IMMEDIATE"), database.prepare("COMMIT")];
  const insert = database.prepare("INSERT INTO records VALUES (?, ?, ?)");
  let n = 0;
  return {
    step: () => {
      const id = String((n += 1)).padStart(10, "0");
      begin.run();
      insert.run(`open/n1/${id}`, 2 * n, JSON.stringify({ community: "garden" }));
      insert.run(`rows/garden/${id}`, 2 * n + 1, JSON.stringify(valueOf(n)));
      commit.run();
    },
    close: () => database.close(),
  };
}

/** The state and the claims are opened at FULL, the log of executions at NORMAL. */
async function benchSqlite(folder: string): Promise<void> {
  for (const [fsync, synchronous] of [
    ["always", "FULL"],
    ["interval", "NORMAL"],
  ] as const) {
    const raw = rawSqlite(join(folder, `raw-${fsync}.db`), synchronous);
    const store = await openSqliteStore({ path: join(folder, `store-${fsync}.db`), migrations: [], fsync });
    await compare(`sqlite CAS, synchronous ${synchronous}`, 60, raw.step, await casStep(store));
    if (fsync === "interval") {
      const bare = rawBatch(join(folder, "raw-batch.db"), synchronous);
      await compare(`sqlite batch of two, synchronous ${synchronous}`, 60, bare.step, batchStep(store));
      bare.close();
    }
    if (fsync === "always") {
      const users = store.collection({ name: "users", schema });
      let n = 0;
      const many = await rate(() => Promise.all(Array.from({ length: 64 }, () => users.put(["many", String((n += 1) % 500)], valueOf(n)))));
      rows.push({ name: "sqlite put, 64 at once, FULL", observed: Math.round(many * 64), unit: "per s", detail: "they share commits" });
    }
    raw.close();
    await store.close();
  }
  const claims = openSqliteClaims({ path: join(folder, "claims.db") });
  let n = 0;
  const taken = await rate(() => Promise.all(Array.from({ length: 64 }, () => claims.claim(`nonce ${(n += 1)}`, Date.now() + 65_000))));
  rows.push({ name: "sqlite claims, 64 at once, FULL", observed: Math.round(taken * 64), unit: "per s", detail: "nonces of requests" });
  await claims.close();
}

async function benchJetStream(folder: string): Promise<void> {
  for (const sync of ["always", "2m"]) {
    const dir = join(folder, `nats-${sync}`);
    mkdirSync(dir);
    const nats = await startNats({ dir, config: `jetstream { store_dir: ${JSON.stringify(join(dir, "js"))}, sync_interval: ${sync} }` });
    const connection = await connect({ servers: nats.url });
    const kv = await new Kvm(connection).create("raw", { history: 1 });
    let revision = await kv.put("users.by-key.0123456789abcdef", JSON.stringify(valueOf(0)));
    const raw = async () => {
      revision = await kv.put("users.by-key.0123456789abcdef", JSON.stringify(valueOf(revision)), { previousSeq: revision });
    };
    const store = await openJetStreamStore({ connection, stream: "STATE", replicas: 1, migrations: [] });
    await compare(`jetstream CAS, sync_interval ${sync}`, 70, raw, await casStep(store));
    if (sync === "always") await benchLists("jetstream", store);
    await store.close();
    await connection.close();
    await nats.stop();
  }
}

/** 100,000 records in, a page of 1,000 out, in time a person would notice. */
async function benchLists(name: string, store: Store): Promise<void> {
  const users = store.collection({ name: "many", schema });
  const start = performance.now();
  for (let at = 0; at < 100_000; at += 1_000) {
    await store.batch(Array.from({ length: 1_000 }, (_, n) => users.toPut([`g${n % 10}`, String(at + n).padStart(6, "0")], valueOf(n))));
  }
  rows.push({
    name: `${name} inserts in batches of 1,000`,
    observed: Math.round((100_000 * 1000) / (performance.now() - start)),
    unit: "per s",
    detail: "100,000 records",
  });
  const pages: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const began = performance.now();
    await users.list({ prefix: [`g${n % 10}`], limit: 1_000 });
    pages.push(performance.now() - began);
  }
  rows.push({
    name: `${name} page of 1,000 of 100,000`,
    observed: Math.round(median(pages) * 10) / 10,
    unit: "ms",
    detail: "median of 20",
  });
}

const folder = mkdtempSync(join(tmpdir(), "althing-bench-"));
const started = performance.now();
try {
  await benchSqlite(folder);
  const store = await openSqliteStore({ path: join(folder, "lists.db"), migrations: [] });
  await benchLists("sqlite", store);
  await store.close();
  await benchLists("memory", openMemoryStore());
  await benchJetStream(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const missed = rows.filter((row) => row.limit !== undefined && row.observed < row.limit);
console.log(`${"what".padEnd(40)} ${"observed".padStart(18)} ${"limit".padStart(8)}  detail`);
for (const row of rows) {
  const mark = row.limit === undefined ? "" : row.observed < row.limit ? " MISSED" : " ok";
  console.log(
    `${row.name.padEnd(40)} ${`${row.observed} ${row.unit}`.padStart(18)} ${(row.limit === undefined ? "-" : `≥ ${row.limit}`).padStart(8)}  ${row.detail}${mark}`,
  );
}
console.log(JSON.stringify({ bench: "store", seconds: Math.round((performance.now() - started) / 100) / 10, rows }));
if (missed.length > 0) process.exitCode = 1;
