/**
 * What encryption at rest costs: an instance with a key against one without, for each store, in one run.
 *
 * Both instances run at once and take turns slice by slice, the first of each pair alternating, so that a busy machine slows both; the median of the pairs' shares is
 * judged. Requests and messages are made by this process through the client library, as many at once as keep the hub busy. `--quick`: few rounds, judges nothing.
 * Prints a table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { handleSchema } from "@althing/contract";
import { startInstance, type TestInstance } from "@althing/testkit";

const quick = process.argv.includes("--quick");
const rounds = quick ? 2 : 11;
const sliceMs = quick ? 300 : 1_500;
const burst = quick ? 200 : 1_500;
const atOnce = 48;
const people = 24;
const messageBytes = 1_024;
const costMaxPercent = 30;

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly limit: number;
  readonly missed: boolean;
  readonly detail: string;
}

interface Side {
  readonly instance: TestInstance;
  readonly client: AlthingClient;
  /** Clients of people of a community, and not one person 48 times at once. */
  readonly writers: readonly AlthingClient[];
  readonly room: RoomHandle;
}
type Sides = Readonly<Record<"plain" | "keyed", Side>>;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function openSide(args: readonly string[], atRest: "on" | "off"): Promise<Side> {
  const instance = await startInstance({ args, env: { ALTHING_CHANGES_PER_PERSON_PER_SECOND: "100000" } });
  const identity = await identityFromPhrase(newRecoveryPhrase());
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity });
  const client = createClient({ identity, urls: [instance.url], state: openMemoryState() });
  const health: unknown = await (await fetch(`${instance.url}/healthz`)).json();
  if (!JSON.stringify(health).includes(`"at_rest":"${atRest}"`)) throw new Error(`the instance is not what it is to be: ${atRest}`);
  const room = await client.rooms.create({ name: "stored", policy: { persist: true } });
  const writers: AlthingClient[] = [];
  for (let i = 0; i < people; i += 1) {
    const writer = await identityFromPhrase(newRecoveryPhrase());
    await client.call("users.add", { body: { signPub: writer.signPub, handle: handleSchema.parse(`writer-${i}`), role: "admin" } });
    writers.push(createClient({ identity: writer, urls: [instance.url], state: openMemoryState() }));
  }
  return { instance, client, writers, room };
}

/** Each writes a record and a nonce, and waits for the disk. @returns per second */
async function signedWrites({ writers }: Side): Promise<number> {
  const started = performance.now();
  let count = 0;
  const write = async (_: unknown, i: number) => {
    const client = writers[i % people];
    if (client === undefined) throw new TypeError("somebody writes");
    while (performance.now() - started < sliceMs) {
      await client.call("invitations.create", { body: {} });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, write));
  return (count * 1_000) / (performance.now() - started);
}

/** Encrypted, signed, persisted; as many under way as a client has. @returns acknowledged per second */
async function messages({ room }: Side): Promise<number> {
  const payload = randomBytes(messageBytes);
  const started = performance.now();
  await Promise.all(Array.from({ length: burst }, () => room.send(payload)));
  return (burst * 1_000) / (performance.now() - started);
}

async function compare(name: string, sides: Sides, rate: (side: Side) => Promise<number>): Promise<Row> {
  for (const side of [sides.plain, sides.keyed]) await rate(side);
  const found = { plain: [] as number[], keyed: [] as number[] };
  const shares: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (["plain", "keyed"] as const) : (["keyed", "plain"] as const);
    const rates = { plain: 0, keyed: 0 };
    for (const side of order) found[side].push((rates[side] = await rate(sides[side])));
    shares.push(rates.keyed / rates.plain);
  }
  const observed = Math.round((1 - median(shares)) * 1_000) / 10;
  const [plain, keyed] = [median(found.plain), median(found.keyed)].map((value) => Math.round(value).toLocaleString("en"));
  const missed = !quick && observed > costMaxPercent;
  return { name, observed, limit: costMaxPercent, missed, detail: `${keyed ?? ""}/s with the key, ${plain ?? ""}/s without` };
}

async function measure(store: "sqlite" | "kv", keyFile: string): Promise<Row[]> {
  const args = ["--store", store];
  const plain = await openSide(args, "off");
  try {
    const keyed = await openSide([...args, "--at-rest-key-file", keyFile], "on");
    try {
      const sides = { plain, keyed };
      const written = await compare(`signed writes, store = ${store}`, sides, signedWrites);
      return [written, await compare(`persisted messages of 1 KiB, store = ${store}`, sides, messages)];
    } finally {
      for (const client of [keyed.client, ...keyed.writers]) await client.close();
      await keyed.instance.stop();
    }
  } finally {
    for (const client of [plain.client, ...plain.writers]) await client.close();
    await plain.instance.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), "althing-bench-"));
const started = performance.now();
const rows: Row[] = [];
try {
  const keyFile = join(folder, "at-rest.key");
  writeFileSync(keyFile, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  for (const store of ["sqlite", "kv"] as const) rows.push(...(await measure(store, keyFile)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${"what the key costs".padEnd(46)} ${"observed".padStart(10)} ${"limit".padStart(8)}  detail`);
for (const { name, observed, limit, missed, detail } of rows)
  console.log(`${name.padEnd(46)} ${`${observed} %`.padStart(10)} ${`≤ ${limit} %`.padStart(8)}  ${detail}${missed ? " MISSED" : ""}`);
console.log(JSON.stringify({ bench: "at-rest", seconds: Math.round((performance.now() - started) / 100) / 10, quick, rows }));
if (rows.some(({ missed }) => missed)) process.exitCode = 1;
