/**
 * How fast an instance is copied, verified and restored, in MB a second of what it holds: state, blobs and messages together.
 *
 * A data folder of its own is filled once: a state of about 60 MB, 150 MB of blobs, 90 MB of messages. Each step runs three times and the median counts. The instance stands
 * still, so the messages come through a server of the backup's own, its start included. Beside the wall clock, the processor time of this process is told: on a machine
 * that does other things as well it is the steadier figure. Prints a table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { nativeNkeyAuthenticator, nkeyOfSeed, openCollections } from "@althing/bus";
import { blobHashSchema, resolveConfig } from "@althing/contract";
import { createBackup, restoreBackup, verifyBackup } from "@althing/hub/backup";
import { openFolderObjects, openSqliteStore } from "@althing/store";
import { findNatsServer, repositoryRoot, startNats, tempDir } from "@althing/testkit";
import { connect } from "@nats-io/transport-node";
import { z } from "zod";

const limitMBs = 50;
const rounds = 3;
const mega = 1_000_000;
const recorded = join(repositoryRoot, "tests", "operations", "recorded", "schema-0.backup");
await using dir = await tempDir();
const at = (...names: string[]) => join(dir.path, ...names);
const natsServer = await findNatsServer();
const deps = { migrations: [], nowMs: Date.now, progress: () => undefined };
const configOf = (data: string) => resolveConfig({ flags: { data }, env: {}, file: {} }).config;

function bytesBelow(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

async function fillState(): Promise<void> {
  const store = await openSqliteStore({ path: at("data", "state", "state.db"), migrations: [], fsync: "interval" });
  const rows = store.collection({ name: "bench-rows", schema: z.object({ text: z.string() }) });
  for (let n = 0; n < 60; n += 1)
    await store.batch(
      Array.from({ length: 500 }, (_, k) => rows.toPut([String(n), String(k)], { text: randomBytes(1_000).toString("base64") })),
    );
  const objects = openFolderObjects({ path: at("data", "blobs") });
  const { blobs, endpoints } = openCollections(store);
  const [owner] = (await endpoints.list()).records;
  for (let n = 0; n < 300; n += 1) {
    const bytes = randomBytes(512 * 1_024);
    const hash = blobHashSchema.parse(createHash("sha256").update(bytes).digest("hex"));
    await objects.put(hash, bytes);
    await blobs.put([hash, owner?.key[0] ?? ""], { bytes: bytes.length, own: true, rooms: [], at: new Date().toISOString() });
  }
  await objects.close();
  await store.close();
}

/** By the room's own subject, as members write. */
async function fillMessages(): Promise<void> {
  const seed = readFileSync(at("data", "keys", "hub.nkey"), "utf8").trim();
  const accounts = `accounts { A: { jetstream: enabled, users: [ { nkey: ${nkeyOfSeed(seed)} } ] } }`;
  mkdirSync(at("nats"));
  cpSync(at("data", "nats", "js"), at("nats", "js"), { recursive: true });
  const nats = await startNats({ dir: at("nats"), config: `max_payload: 1048576\n${accounts}` });
  const connection = await connect({ servers: nats.url, authenticator: nativeNkeyAuthenticator(seed) });
  for (let n = 0; n < 22_000; n += 1) {
    connection.publish(`r.${n % 8}.${String(n % 200).padStart(22, "A")}`, randomBytes(4_096));
    if (n % 500 === 499) await connection.flush();
  }
  await connection.flush();
  await connection.close();
  await nats.stop();
  rmSync(at("data", "nats", "js"), { recursive: true });
  cpSync(at("nats", "js"), at("data", "nats", "js"), { recursive: true });
  rmSync(at("nats"), { recursive: true });
}

interface Rates {
  /** MB a second by the wall clock, and of this process's processor time. */
  readonly observed: number;
  readonly cpu: number;
}

function middle(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0);
}

async function median(bytes: number, step: (round: number) => Promise<unknown>): Promise<Rates> {
  const [walls, cpus]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const [begunMs, begunCpu] = [performance.now(), process.cpuUsage()];
    await step(round);
    const cpu = process.cpuUsage(begunCpu);
    walls.push(bytes / mega / ((performance.now() - begunMs) / 1_000));
    cpus.push(bytes / (cpu.user + cpu.system));
  }
  return { observed: middle(walls), cpu: middle(cpus) };
}

await restoreBackup({ ...deps, config: configOf(at("data")), natsServer, file: recorded, unlock: {} });
await fillState();
await fillMessages();
const held = bytesBelow(at("data", "state")) + bytesBelow(at("data", "blobs")) + bytesBelow(at("data", "nats"));
const file = (round: number) => at(`${round}.backup`);
const create = (target: string, passphrase?: string) =>
  createBackup({
    ...{ ...deps, config: configOf(at("data")), natsServer, file: target, program: "bench" },
    ...(passphrase === undefined ? {} : { encryption: { passphrase } }),
  });

const results = [
  { name: "backup", ...(await median(held, (round) => create(file(round)))), limit: limitMBs },
  {
    name: "backup, encrypted",
    ...(await median(held, (round) => create(at(`s${round}.backup`), "a passphrase for the bench"))),
    limit: undefined,
  },
  {
    name: "verify",
    ...(await median(held, () => verifyBackup({ ...deps, file: file(0), unlock: {}, scratch: dir.path }))),
    limit: limitMBs,
  },
  {
    name: "restore",
    limit: limitMBs,
    ...(await median(held, async (round) => {
      await restoreBackup({ ...deps, config: configOf(at(`r${round}`)), natsServer, file: file(0), unlock: {} });
      rmSync(at(`r${round}`), { recursive: true });
    })),
  },
];
for (const { name, observed, cpu, limit } of results)
  process.stdout.write(
    `${name.padEnd(20)} ${String(observed).padStart(5)} MB/s${limit === undefined ? "            " : `  (limit ${limit})`}  ${cpu} MB per s of CPU\n`,
  );
process.stdout.write(`held: ${Math.round(held / mega)} MB\n`);
const ok = results.every(({ observed, limit }) => limit === undefined || observed >= limit);
process.stdout.write(`${JSON.stringify({ bench: "backup", ok, heldBytes: held, results })}\n`);
process.exitCode = ok ? 0 : 1;
