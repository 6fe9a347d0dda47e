/** Encrypting an instance and changing its key: everything is there afterwards, nothing stands in the clear, and a kill leaves the one or the other. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openCollections, type BusConnection } from "@althing/bus";
import { isAppError } from "@althing/contract";
import { openFolderObjects, openSqliteStore } from "@althing/store";
import { findNatsServer, repositoryRoot, tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { filesWith, hashOf, keyedConfig, newKeyFile } from "../../test/at-rest-tools.ts";
import { backUp, recorded, restore, verify } from "../../test/backup-tools.ts";
import { openDataSource } from "../backup/data-source.ts";
import { dataPaths, openDataFolder } from "../data-folder.ts";
import { beforePlace, incomingPlace, plainAtRest, readAtRest, type AtRest } from "./at-rest.ts";
import { readStreams } from "./private-streams.ts";
import { finishCutOff, putBack } from "./folder-places.ts";
import { removeBefore, rewriteData } from "./rewrite-data.ts";

const timeout = 120_000;
let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );

interface Content {
  readonly handles: readonly string[];
  readonly endpoints: readonly string[];
  readonly rooms: number;
  readonly blobs: readonly string[];
  readonly records: readonly string[];
  readonly streams: unknown;
  /** Subjects and payloads. */
  readonly messages: readonly string[];
}

async function messagesOf({ account }: BusConnection): Promise<Pick<Content, "streams" | "messages">> {
  const { streams, samples } = await readStreams(account);
  return { streams, messages: samples.map((sample) => Buffer.from(sample).toString("base64")) };
}

/** Read as a hub would: through the keys, the store, the objects and a nats-server. */
async function contentOf(data: string, keyFile?: string): Promise<Content> {
  const source = await openDataSource({ config: keyedConfig(data, keyFile), natsServer: await findNatsServer() });
  const opened: (() => unknown)[] = [() => source.close()];
  try {
    mkdirSync(at("scratch"), { recursive: true });
    const nats = await source.connect(at("scratch"));
    opened.push(() => nats.close());
    const store = await openSqliteStore({ path: source.paths.stateDb, migrations: [], ...source.atRest.sqlite });
    opened.push(() => store.close());
    const objects = openFolderObjects({ path: source.paths.blobs, ...source.atRest.objects });
    opened.push(() => objects.close());
    const { users, endpoints, rooms, members, blobs } = openCollections(store);
    const lists = await Promise.all([users, endpoints, rooms, members, blobs].map((collection) => collection.list({ limit: 1_000 })));
    const hashes = (await blobs.list()).records.map(({ key }) => key[0] ?? "");
    return {
      handles: (await users.list()).records.map(({ value }) => value.handle),
      endpoints: (await endpoints.list()).records.map(({ key }) => key[0] ?? ""),
      rooms: (await rooms.list()).records.length,
      blobs: await Promise.all(hashes.map(async (hash) => `${hash} ${(await objects.get(hash)).length}`)),
      records: lists.flatMap(({ records }) => records.map((record) => JSON.stringify(record))),
      ...(await messagesOf(nats.connection)),
    };
  } finally {
    // Also what was opened before something that cannot be: a messaging server that stays would go on writing into the folder.
    for (const close of opened.toReversed()) await close();
  }
}

/** Restored with claims and uploads as a hub that has run leaves them. */
async function plainInstance(data: string): Promise<Content> {
  await restore(recorded, data);
  const folder = await openDataFolder(data, "sqlite");
  folder.close();
  return contentOf(data);
}

async function rewrite(data: string, from: AtRest, to: AtRest, more: Partial<Parameters<typeof rewriteData>[0]> = {}) {
  return rewriteData({ data, from, to, natsServer: await findNatsServer(), progress: () => undefined, ...more });
}

/** Texts of every kind that the plain folder has. */
function knownTexts({ endpoints, blobs, records }: Content): string[] {
  return [
    ...endpoints,
    ...blobs.map((blob) => blob.slice(0, 64)),
    ...records.map((record) => record.slice(40, 80)),
    '"handle":',
    "R0.",
    "instance",
  ];
}

test("every record, object and message is there afterwards, and none of it can be read without the key", { timeout }, async () => {
  const data = at("data");
  const before = await plainInstance(data);
  expect(filesWith(data, before.endpoints).length).toBeGreaterThan(0);
  const instanceKeys = JSON.parse(readFileSync(join(data, "keys", "instance.json"), "utf8"));
  const keyFile = newKeyFile(at("one.key"));
  const to = await readAtRest(keyFile, data);
  const report = await rewrite(data, plainAtRest, to);
  expect(report).toMatchObject({ objects: 1, messages: 3 });
  expect(report.rows).toBeGreaterThan(before.records.length);

  expect(await contentOf(data, keyFile)).toEqual(before);
  const texts = knownTexts(before).filter((text) => text !== "instance" && text !== "R0.");
  expect(filesWith(data, [...texts, instanceKeys.nameKey, instanceKeys.secretsKey])).toEqual([]);
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true }))
    if (entry.name !== "lock.db") expect(statSync(join(entry.parentPath, entry.name)).mode & 0o077, entry.name).toBe(0);

  expect(existsSync(beforePlace(data))).toBe(true);
  expect(await removeBefore(data)).toBe(true);
  expect(readdirSync(dir.path).toSorted()).toEqual(["data", "one.key", "scratch"]);

  // Another key: the old one opens nothing any more.
  const second = newKeyFile(at("two.key"));
  await rewrite(data, to, await readAtRest(second, data));
  expect(await contentOf(data, second)).toEqual(before);
  expect(await codeOf(contentOf(data, keyFile))).toBe("encryption.key_wrong");
  expect(filesWith(data, texts)).toEqual([]);
});

test("a wrong key, a missing one, and one too many are refused, and not a byte is changed", { timeout }, async () => {
  const data = at("data");
  await plainInstance(data);
  const [keyFile, other] = [newKeyFile(at("one.key")), newKeyFile(at("other.key"))];
  const plain = hashOf(data);
  expect(await codeOf(openDataFolder(data, "sqlite", keyFile))).toBe("encryption.not_enabled");
  expect(hashOf(data)).toBe(plain);
  await rewrite(data, plainAtRest, await readAtRest(keyFile, data));
  const sealed = hashOf(data);
  expect(await codeOf(openDataFolder(data, "sqlite", other))).toBe("encryption.key_wrong");
  expect(await codeOf(openDataFolder(data, "sqlite"))).toBe("encryption.key_missing");
  expect(await codeOf(openDataFolder(data, "sqlite", at("none.key")))).toBe("encryption.key_unreadable");
  expect(hashOf(data)).toBe(sealed);
});

test("what fails before the end leaves the old folder as it was", { timeout }, async () => {
  const data = at("data");
  await plainInstance(data);
  const to = await readAtRest(newKeyFile(at("one.key")), data);
  const plain = hashOf(data);
  const spoil = async () => {
    throw new Error("the disk is gone");
  };
  expect(await codeOf(rewrite(data, plainAtRest, to, { onBuilt: spoil }))).toBe("encryption.failed");
  // A damaged object is found and named, not carried over.
  const [blob = ""] = readdirSync(join(data, "blobs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const bytes = readFileSync(blob);
  writeFileSync(blob, Buffer.concat([bytes, Buffer.from("x")]));
  expect(await codeOf(rewrite(data, plainAtRest, to))).toBe("store.corrupt");
  writeFileSync(blob, bytes);
  expect(hashOf(data).slice(0, 8)).toBe(plain.slice(0, 8));
  expect(readdirSync(dir.path).toSorted()).toEqual(["data", "one.key", "scratch"]);
});

test("the folder of before comes back whole when the new one does not serve", { timeout }, async () => {
  const data = at("data");
  await plainInstance(data);
  const plain = hashOf(data);
  await rewrite(data, plainAtRest, await readAtRest(newKeyFile(at("one.key")), data));
  await putBack(data, beforePlace(data));
  expect(hashOf(data)).toBe(plain);
  expect(readdirSync(dir.path).toSorted()).toEqual(["data", "one.key", "scratch"]);
});

test("cut off between the two renames, nothing is made anew, and the new folder is put into its place", { timeout }, async () => {
  const data = at("data");
  const before = await plainInstance(data);
  const keyFile = newKeyFile(at("one.key"));
  await rewrite(data, plainAtRest, await readAtRest(keyFile, data));
  renameSync(data, incomingPlace(data));
  expect(await codeOf(openDataFolder(data, "sqlite", keyFile))).toBe("encryption.unfinished");
  expect(existsSync(data)).toBe(false);
  expect(await finishCutOff(data)).toBe(true);
  expect(await finishCutOff(data)).toBe(false);
  expect(await contentOf(data, keyFile)).toEqual(before);
});

const hasAll = (all: readonly string[], some: readonly string[]) => some.every((one) => all.includes(one));
const hubProgram = join(repositoryRoot, "packages", "hub", "src", "main.ts");

test("killed at any moment, the folder is the old or the new one, and the command goes on from there", { timeout: 300_000 }, async () => {
  const before = await plainInstance(at("first"));
  const keyFile = newKeyFile(at("one.key"));
  const outcomes = new Set<string>();
  const moments = [
    ["records:", 0],
    ["objects:", 0],
    ["objects:", 400],
    ["messages:", 0],
    ["looking", 0],
    ["looking", 60],
    ["looking", 250],
    ["nothing of it", 0],
  ] as const;
  for (const [word, afterMs] of moments) {
    const data = at("data");
    cpSync(at("first"), data, { recursive: true });
    const child = spawn(process.execPath, [hubProgram, "one-shot", "at-rest-enable", "--data", data, "--at-rest-key-file", keyFile], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    const said = new Promise<void>((resolve) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        if (line.startsWith(word)) resolve();
      });
    });
    child.stdin.end(JSON.stringify({ natsServer: await findNatsServer() }));
    const ended = once(child, "exit");
    await Promise.race([ended, said.then(() => sleep(afterMs))]);
    child.kill("SIGKILL");
    await ended;
    await finishCutOff(data);
    const { atRest } = JSON.parse(readFileSync(join(data, "format.json"), "utf8"));
    outcomes.add(atRest === undefined ? "old" : "new");
    expect(await contentOf(data, atRest === undefined ? undefined : keyFile)).toEqual(before);
    if (atRest === undefined) {
      await rewrite(data, plainAtRest, await readAtRest(keyFile, data));
      expect(await contentOf(data, keyFile)).toEqual(before);
    }
    for (const folder of [data, beforePlace(data)]) rmSync(folder, { recursive: true, force: true });
    expect(readdirSync(dir.path).filter((name) => name.startsWith(".althing-"))).toEqual([]);
  }
  expect([...outcomes].toSorted()).toEqual(["new", "old"]);
});

test.each([90, 110])("a disk that is full (%i blocks a file) ends it, and the old folder is as it was", { timeout }, async (blocks) => {
  const data = at("data");
  const before = await plainInstance(data);
  // Whoever locks a folder leaves its process id there.
  const plain = hashOf(data, "/run/");
  const keyFile = newKeyFile(at("one.key"));
  const script = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const args = [process.execPath, hubProgram, "one-shot", "at-rest-enable", "--data", data, "--at-rest-key-file", keyFile];
  const child = spawn("sh", ["-c", script, ...args], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(JSON.stringify({ natsServer: await findNatsServer() }));
  child.stdout.resume();
  const [code] = await once(child, "exit");
  expect(code).toBe(1);
  expect(hashOf(data, "/run/")).toBe(plain);
  expect(readdirSync(dir.path).toSorted()).toEqual(["data", "one.key", "scratch"]);
  expect(await contentOf(data)).toEqual(before);
});

test("a flipped bit in any file is an error, never other data", { timeout: 300_000 }, async () => {
  const data = at("data");
  const before = await plainInstance(data);
  const keyFile = newKeyFile(at("one.key"));
  await rewrite(data, plainAtRest, await readAtRest(keyFile, data));
  await removeBefore(data);
  const { stateDb, blobs, jetStream, keys } = dataPaths(data);
  const inFolder = (folder: string, suffix: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => join(entry.parentPath, entry.name));
  const files = [stateDb, join(keys, "instance.json"), ...inFolder(blobs, ""), ...inFolder(jetStream, ".blk")];
  cpSync(data, at("whole"), { recursive: true });
  const taken: string[] = [];
  for (const path of files) {
    for (const share of [0.02, 0.5, 0.98]) {
      rmSync(data, { recursive: true });
      cpSync(at("whole"), data, { recursive: true });
      const bytes = readFileSync(path);
      const place = Math.floor(bytes.length * share);
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      const seen = await contentOf(data, keyFile).catch(() => undefined);
      if (seen === undefined) continue;
      // Messages that nats-server cannot verify are gone for it, as they are without encryption: what it still gives is what was sent.
      const isSame = (seen.messages.length === before.messages.length || path.endsWith(".blk")) && hasAll(before.messages, seen.messages);
      const [told, was] = [seen, before].map((content) => JSON.stringify({ ...content, streams: 0, messages: 0 }));
      if (told !== was || !isSame) taken.push(`${path} at ${place}`);
    }
  }
  expect(taken).toEqual([]);
});

test(
  "a backup of an encrypted instance is encrypted, holds everything, and restores into a plain folder or one of another key",
  { timeout },
  async () => {
    const data = at("data");
    const before = await plainInstance(data);
    const keyFile = newKeyFile(at("one.key"));
    await rewrite(data, plainAtRest, await readAtRest(keyFile, data));
    const identities = [readFileSync(keyFile, "utf8").trim()];
    const file = at("made.backup");
    const made = await backUp(data, file, { config: keyedConfig(data, keyFile) });
    expect(made.encrypted).toBe(true);
    expect(readFileSync(file).includes("althing-backup.json")).toBe(false);
    expect(await codeOf(verify(file, dir.path))).toBe("backup.key");
    expect(await codeOf(verify(file, dir.path, { unlock: { identities: [readFileSync(newKeyFile(at("no.key")), "utf8").trim()] } }))).toBe(
      "backup.key",
    );
    expect((await verify(file, dir.path, { unlock: { identities } })).id).toBe(made.id);

    const second = newKeyFile(at("two.key"));
    await restore(file, at("two"), { unlock: { identities }, config: keyedConfig(at("two"), second) });
    expect(await contentOf(at("two"), second)).toEqual(before);
    expect(filesWith(at("two"), before.endpoints)).toEqual([]);
    await restore(file, at("three"), { unlock: { identities } });
    expect(await contentOf(at("three"))).toEqual(before);
    // And a plain one into an encrypted folder; under a passphrase it needs no at-rest key.
    await restore(recorded, at("four"), { config: keyedConfig(at("four"), second) });
    expect(await contentOf(at("four"), second)).toEqual(before);
    await backUp(at("two"), at("phrase.backup"), {
      config: keyedConfig(at("two"), second),
      encryption: { passphrase: "correct horse battery" },
    });
    await restore(at("phrase.backup"), at("five"), { unlock: { passphrase: "correct horse battery" } });
    expect(await contentOf(at("five"))).toEqual(before);
  },
);
