/** A new folder under a key: what it holds from the first moment, and its objects, whatever happens to their files. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError, isAppError } from "@althing/contract";
import { openFolderObjects, type ObjectStore } from "@althing/store";
import { tempDir, type TempDir } from "@althing/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { filesOf, filesWith, keyedConfig, newKeyFile } from "../../test/at-rest-tools.ts";
import { openDataFolder } from "../data-folder.ts";
import { natsConfigText } from "../nats-files.ts";
import { readAtRest } from "./at-rest.ts";

let dir: TempDir;
let keyFile: string;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
  keyFile = newKeyFile(at("one.key"));
});
afterEach(() => dir.remove());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );

test("a new folder says which key it has, its instance's keys are sealed, and nats-server is told to encrypt without being told with what", async () => {
  const folder = await openDataFolder(at("data"), "sqlite", keyFile);
  const { nameKey } = folder.keys;
  const config = natsConfigText(keyedConfig(at("data"), keyFile), folder);
  expect(config).toContain("cipher: chachapoly, key: $ALTHING_AT_REST_KEY }");
  expect(config).not.toContain(folder.atRest.nats.natsKey ?? "absent");
  folder.close();
  expect(JSON.parse(readFileSync(at("data", "format.json"), "utf8"))).toMatchObject({ atRest: folder.atRest.fingerprint });
  expect(filesWith(at("data"), [Buffer.from(nameKey).toString("base64url"), readFileSync(keyFile, "utf8").trim()])).toEqual([]);
  const again = await openDataFolder(at("data"), "sqlite", keyFile);
  expect(again.keys.nameKey).toEqual(nameKey);
  again.close();
  expect(await codeOf(openDataFolder(at("data"), "sqlite"))).toBe("encryption.key_missing");
});

test("without a key nothing is as it was not before: no mark, plain keys, no cipher", async () => {
  const folder = await openDataFolder(at("data"), "sqlite");
  folder.close();
  expect(readFileSync(at("data", "format.json"), "utf8")).toBe('{"version":1,"store":"sqlite","founded":false}\n');
  expect(JSON.parse(readFileSync(at("data", "keys", "instance.json"), "utf8"))).toHaveProperty("nameKey");
  expect(natsConfigText(keyedConfig(at("data")), folder)).toContain("sync_interval: always }\n");
});

test("keys that were put there before the first start are sealed at it; plain ones in a folder that has data are refused", async () => {
  const first = await openDataFolder(at("first"), "kv");
  first.close();
  const plain = readFileSync(at("first", "keys", "instance.json"));
  mkdirSync(at("node", "keys"), { recursive: true, mode: 0o700 });
  writeFileSync(at("node", "keys", "instance.json"), plain, { mode: 0o600 });
  const node = await openDataFolder(at("node"), "kv", keyFile);
  expect(node.keys.nameKey).toEqual(first.keys.nameKey);
  await node.markFounded();
  node.close();
  expect(readFileSync(at("node", "keys", "instance.json"), "utf8")).not.toContain("nameKey");
  writeFileSync(at("node", "keys", "instance.json"), plain, { mode: 0o600 });
  expect(await codeOf(openDataFolder(at("node"), "kv", keyFile))).toBe("data.corrupt");
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function openObjects(path = at("objects")): Promise<ObjectStore> {
  return openFolderObjects({ path, ...(await readAtRest(keyFile, at("data"))).objects });
}

const text = Buffer.from("a known text, long enough to be looked for ".repeat(5_000));
const inPieces = async function* inPieces() {
  for (let place = 0; place < text.length; place += 30_000) yield text.subarray(place, place + 30_000);
};

test("objects lie under names that tell nothing, come back whole, and are only theirs who have the key", async () => {
  const objects = await openObjects();
  const key = sha256(text);
  expect(await objects.put(key, inPieces())).toEqual({ bytes: text.length });
  expect(await objects.has(key)).toBe(true);
  expect(Buffer.from(await objects.get(key)).equals(text)).toBe(true);
  expect(filesWith(at("objects"), [key, "a known text"])).toEqual([]);
  expect(await codeOf(objects.put(sha256(Buffer.from("other")), text))).toBe("object.hash_mismatch");
  expect(readdirSync(at("objects", "staging"))).toEqual([]);
  await objects.delete(key);
  expect(await codeOf(objects.get(key))).toBe("object.not_found");
  await objects.close();
});

test("a changed, cut or exchanged file is damage, never another object", async () => {
  const objects = await openObjects();
  const [one, two] = [text, randomBytes(100_000)];
  for (const bytes of [one, two]) await objects.put(sha256(bytes), bytes);
  const [first = "", second = ""] = filesOf(at("objects"));
  const whole = readFileSync(first);
  const key = whole.length > 150_000 ? sha256(one) : sha256(two);
  for (const place of [0, 30, 150, 1_000, 66_000, whole.length - 1]) {
    const bytes = Buffer.from(whole);
    bytes[place] = (bytes[place] ?? 0) ^ 4;
    writeFileSync(first, bytes);
    expect(await codeOf(objects.get(key)), `byte ${place}`).toBe("store.corrupt");
  }
  for (const size of [0, 100, 70_000, whole.length - 1]) {
    writeFileSync(first, whole.subarray(0, size));
    expect(await codeOf(objects.get(key)), `cut at ${size}`).toBe("store.corrupt");
  }
  rmSync(first);
  renameSync(second, first);
  await expect(objects.get(key)).rejects.toBeInstanceOf(AppError);
  // Put again it is whole again.
  const bytes = key === sha256(one) ? one : two;
  await objects.put(key, bytes);
  expect(Buffer.from(await objects.get(key)).equals(bytes)).toBe(true);
  await objects.close();
});
