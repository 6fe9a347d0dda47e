/**
 * A backup of a cluster whose nodes have at-rest keys: made on one node while people write on all of them. The file shows nothing and opens with that node's key alone;
 * on one machine, plain or under a key of its own, everything that was acknowledged before is there and life goes on.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient, identityFromPhrase, openMemoryState, type AlthingClient, type RoomHandle } from "@althing/client";
import { startCluster, type TestCluster } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesOf, newKeyFile } from "../../packages/hub/test/at-rest-tools.ts";
import { eventually, openWorkplace, type Workplace } from "../e2e/althing-process.ts";
import { inProcess, type InProcess } from "../e2e/in-process.ts";

let cluster: TestCluster;
let place: Workplace;
/** On the machine of node n2, with its settings, its key among them. */
let onNode: InProcess;
let alone: InProcess;
const at = (...names: string[]) => join(place.path, ...names);
const alice = ["--as", "alice.id"] as const;
const inVillage = ["--community", "village", ...alice] as const;
const urlOf = (name: string) => ["--url", cluster.node(name).url];
const keyOf = (name: string) => cluster.node(name).atRestKeyFile;
const file = () => at("live.backup");
const hello = "org.example.hello";
/** Long enough to stand nowhere by chance. */
const spoken = ["wisteria-keeper", "the-orchard-room", "a quiet word under the quince", "potting-shed-"];
const packageSecret = "s3cr3t-of-the-package-of-the-orchard";

interface Report {
  readonly id: string;
  readonly encrypted: boolean;
  readonly counts: Readonly<Record<string, number>>;
}

interface Acknowledged {
  messages: string[];
  rooms: string[];
  blobs: { reference: string; text: string }[];
}
const acknowledged: Acknowledged = { messages: [], rooms: [], blobs: [] };
let before: Acknowledged;
let made: Report;
/** Stands in a plain folder: words, a package's name, and once such a folder is there a package's bytes, which people do not encrypt themselves; one character a byte. */
const known = [...spoken, hello];
/** Stands in no folder, plain or not: the package's secret. With `known` and the instance's keys: what an encrypted file must not have. */
const never = [packageSecret];

const holds = (path: string, text: string): boolean => path.includes(text) || readFileSync(path).includes(text, 0, "latin1");
const foundIn = (folder: string, texts: readonly string[]): string[] =>
  texts.filter((text) => filesOf(folder).some((path) => holds(path, text)));

async function asAlice(urls: readonly string[]): Promise<AlthingClient> {
  const { phrase } = (await alone.json("identity", "backup", "alice.id", "--yes")) as { phrase: string };
  return createClient({ identity: await identityFromPhrase(phrase), urls: [...urls], state: openMemoryState() });
}

async function refusalOf(cli: InProcess, ...args: string[]): Promise<string> {
  const ran = await cli.run([...args, "--json"]);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string } }).error.code;
}

/** A signed package with a setting of its own and a secret that the instance keeps. */
async function installPackage(): Promise<void> {
  const bundle = `hello/${hello}-0.1.0.althing`;
  await alone.ok("ext", "key", "new", "publisher.key");
  await alone.ok("ext", "new", "hello", "--key", "publisher.key");
  await alone.ok("ext", "pack", "--project", "hello");
  await alone.ok("ext", "sign", bundle, "--key", "publisher.key");
  await alone.ok("trust", "add", "publisher.key.pub", ...alice, ...urlOf("n1"));
  await alone.ok("package", "install", bundle, "--yes", ...inVillage, ...urlOf("n3"));
  writeFileSync(at("secret.txt"), `${packageSecret}\n`, { mode: 0o600 });
  const secret = ["--secret", "API_KEY=@secret.txt", "--secret-host", "API_KEY=api.example.com"];
  await alone.ok("package", "settings", hello, ...secret, ...inVillage, ...urlOf("n1"));
}

beforeAll(async () => {
  [cluster, place] = await Promise.all([startCluster({ atRest: true }), openWorkplace()]);
  alone = inProcess(place);
  onNode = inProcess({ ...place, path: cluster.node("n2").home });
  await alone.ok("identity", "new", "alice.id");
  await onNode.ok("bootstrap", "--as", at("alice.id"), "--handle", "wisteria-keeper");
  await alone.ok("community", "create", "village", ...alice, ...urlOf("n1"));
  await installPackage();
}, 240_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

/** Says things through one node and founds things through the two others until it is told to end. */
async function live(room: RoomHandle, state: { readonly ended: boolean }): Promise<void> {
  const talk = async () => {
    for (let n = 0; !state.ended; n += 1) {
      await room.send(`${spoken[2]}, ${n}.`);
      acknowledged.messages.push(`${spoken[2]}, ${n}.`);
    }
  };
  const found = async () => {
    for (let n = 0; !state.ended; n += 1) {
      const name = `potting-shed-${n}`;
      await alone.ok("room", "create", name, ...alice, ...urlOf("n1"));
      acknowledged.rooms.push(name);
      const text = `leaf ${n}`;
      writeFileSync(at("leaf.txt"), text);
      const put = (await alone.json("blob", "put", "leaf.txt", "--room", name, ...alice, ...urlOf("n3"))) as { reference: string };
      acknowledged.blobs.push({ reference: put.reference, text });
    }
  };
  await Promise.all([talk(), found()]);
}

test("made beside people who write on every node, the file says that it is encrypted and shows nothing", { timeout: 240_000 }, async () => {
  const state = { ended: false };
  const client = await asAlice(cluster.urls);
  // Plain, so that the words themselves are in the stream: with an encrypted room nobody could read them anyway.
  const room = await client.rooms.create({ name: "the-orchard-room", policy: { persist: true, encrypt: false } });
  const working = live(room, state);
  // Awaited below; until then nobody may see it as unhandled.
  working.catch(() => undefined);
  try {
    await eventually(() => acknowledged.blobs.length > 1 && acknowledged.messages.length > 6, "people write", 60_000);
    before = structuredClone(acknowledged);
    made = (await onNode.json("backup", file())) as Report;
  } finally {
    state.ended = true;
    await working;
    await client.close();
  }
  expect(made.encrypted).toBe(true);
  expect(made.counts["messages"]).toBeGreaterThanOrEqual(before.messages.length);
  const bytes = readFileSync(file());
  expect(bytes.subarray(0, 21).toString("latin1")).toBe("age-encryption.org/v1");
  const shared = JSON.parse(readFileSync(join(cluster.folder, "authority", "instance.json"), "utf8")) as Record<string, string>;
  const keys = ["nameKey", "secretsKey", "receiptKey"].map((name) => shared[name] ?? "");
  const hashes = before.blobs.map(({ reference }) => /[0-9a-f]{64}/.exec(reference)?.[0] ?? "");
  expect([...known, ...never, ...keys, ...hashes].filter((text) => text === "" || bytes.includes(text, 0, "latin1"))).toEqual([]);
  expect(readdirSync(place.path).filter((name) => name.startsWith(".althing-"))).toEqual([]);
});

test("the key of that node opens it, the key of another node or none does not, and what was refused leaves nothing", async () => {
  // Reads it whole: state against objects, messages and chains.
  expect(await onNode.json("backup", "verify", file())).toMatchObject({ id: made.id, encrypted: true });
  expect(await alone.json("backup", "verify", file(), "--key-file", keyOf("n2"))).toMatchObject({ id: made.id });
  const onOther = inProcess({ ...place, path: cluster.node("n1").home });
  expect(await refusalOf(onOther, "backup", "verify", file())).toBe("backup.key");
  expect(await refusalOf(alone, "backup", "verify", file())).toBe("backup.key");
  expect(await refusalOf(alone, "restore", file(), "--data", at("no"), "--key-file", keyOf("n3"))).toBe("backup.key");
  expect(await refusalOf(alone, "restore", file(), "--data", at("no"))).toBe("backup.key");
  expect([existsSync(at("no")), readdirSync(place.path).filter((name) => name.startsWith(".althing-"))]).toEqual([false, []]);
});

/** Components that a runner has ready on disk. */
const preparedIn = (folder: string): string[] =>
  readdirSync(at(folder, "runner", "components")).filter((name) => /^[0-9a-f]{64}$/.test(name));

async function saidIn(room: RoomHandle): Promise<Set<string>> {
  const texts = new Set<string>();
  for (let after = 0; ;) {
    const events = await room.history({ after, limit: 1_000 });
    for (const event of events) if (event.kind === "message") texts.add(event.text ?? "");
    const next = Math.max(after, ...events.map((event) => ("seq" in event ? (event.seq ?? 0) : 0)));
    if (next === after) return texts;
    after = next;
  }
}

async function requireAllOf(url: readonly string[], folder: string): Promise<void> {
  const rooms = await alone.ok("room", "list", ...alice, ...url);
  expect(before.rooms.filter((name) => !rooms.includes(name))).toEqual([]);
  for (const [n, { reference, text }] of before.blobs.entries()) {
    await alone.ok("blob", "get", reference, "-o", at(`${folder}-${n}`), ...alice, ...url);
    expect(readFileSync(at(`${folder}-${n}`), "utf8")).toBe(text);
  }
  expect(await alone.ok("events", "verify", ...inVillage, ...url)).toMatch(/^chain ok: \d+ events/m);
  expect(await alone.json("package", "settings", hello, ...inVillage, ...url)).toMatchObject({ secrets: [{ name: "API_KEY" }] });
  expect(await alone.json("ext", "call", "GET", "/hello/ada", "--extension", hello, ...inVillage, ...url)).toMatchObject({ status: 200 });
}

test.each([
  { folder: "plain", store: "sqlite", atRest: "off" },
  { folder: "sealed", store: "kv", atRest: "on" },
])("on one machine, $folder, with records in $store, all of it is there and goes on", { timeout: 240_000 }, async (to) => {
  const key = to.atRest === "on" ? ["--at-rest-key-file", newKeyFile(at("new.key"))] : [];
  const where = ["--data", at(to.folder), "--store", to.store, ...key];
  expect(await alone.json("restore", file(), "--key-file", keyOf("n2"), ...where)).toMatchObject({
    backup: { id: made.id },
    store: to.store,
  });
  // In the plain folder they are all where they can be read, so they were in the backup.
  expect(foundIn(at(to.folder), [...known, ...never])).toEqual(to.atRest === "on" ? [] : known);
  if (to.atRest === "off") {
    const [bundle = ""] = filesOf(at(to.folder, "bundles"));
    const bytes = readFileSync(bundle).subarray(64, 128).toString("latin1");
    expect([bytes.length, readFileSync(file()).includes(bytes, 0, "latin1")]).toEqual([64, false]);
    known.push(bytes);
  }
  const running = await place.up(...where);
  try {
    expect(running.adminLink).toBeUndefined();
    const health = (await (await fetch(`${running.url}/healthz`)).json()) as { posture: { at_rest: string } };
    expect(health.posture.at_rest).toBe(to.atRest);
    const url = ["--url", running.url];
    const client = await asAlice([running.url]);
    await eventually(() => client.me(), "a fresh signature is taken", 30_000);
    const said = await saidIn(await client.rooms.open("the-orchard-room"));
    await client.close();
    expect(before.messages.filter((text) => !said.has(text))).toEqual([]);
    // Nobody has called it here yet.
    await eventually(() => preparedIn(to.folder).length === 1, "the package is prepared before it is called", 60_000);
    await requireAllOf(url, to.folder);
    await alone.ok("room", "send", "the-orchard-room", "and the gate is open again", ...alice, ...url);
    expect(await alone.ok("room", "history", "the-orchard-room", ...alice, ...url)).toContain("and the gate is open again");
    // Of a plain instance in SQLite it is run where single machines are restored.
    if (to.atRest === "on") await alone.ok("smoke", ...alice, ...url);
  } finally {
    running.child.kill("SIGTERM");
    await running.exited;
  }
  if (to.atRest === "on") expect(foundIn(at(to.folder), [...known, ...never, "and the gate is open again"])).toEqual([]);
});
