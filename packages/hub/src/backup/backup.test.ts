/** Backups as files: what is refused, where, and that nothing half-done is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openCollections } from "@althing/bus";
import { isAppError, roomIdSchema, sessionNkeySchema, type AppError } from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { findNatsServer, tempDir, type TempDir } from "@althing/testkit";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  backUp,
  configOf,
  nowMs,
  offsetsIn,
  oneShot,
  processesNaming,
  readTar,
  recorded,
  restore,
  verify,
  writeTar,
  type TarPart,
} from "../../test/backup-tools.ts";

let dir: TempDir;
const at = (...names: string[]) => join(dir.path, ...names);
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

async function refused(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error("it was taken");
}

const leftovers = () => readdirSync(dir.path).filter((name) => name.startsWith(".althing-"));

/** Records of a state, but for what a restore takes out. */
async function recordsOf(data: string): Promise<string[]> {
  const store = await openSqliteStore({ path: join(data, "state", "state.db"), migrations: [] });
  const { users, rooms, blobs, members } = openCollections(store);
  const lists = await Promise.all([users, rooms, blobs, members].map((collection) => collection.list({ limit: 1_000 })));
  await store.close();
  return lists.flatMap(({ records }) => records.map((record) => JSON.stringify(record)));
}

function bytesOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    entries.map((entry) => [
      join(entry.parentPath, entry.name).slice(folder.length),
      readFileSync(join(entry.parentPath, entry.name), "hex"),
    ]),
  );
}

async function altered(change: (parts: TarPart[]) => TarPart[]): Promise<string> {
  const file = at("altered.backup");
  await writeTar(file, change(await readTar(recorded)));
  return file;
}

const asText = (part: TarPart, change: (text: string) => string): TarPart => ({
  ...part,
  bytes: Buffer.from(change(part.bytes.toString("utf8"))),
});

describe("there and back", () => {
  test(
    "a restored folder is private, has every record, key, object and message, and a backup of it is the same again",
    { timeout: 60_000 },
    async () => {
      const first = await restore(recorded, at("one"));
      expect(first.backup.counts).toMatchObject({ users: 2, rooms: 1, communities: 1, messages: 3, blobs: 1 });
      const made = await backUp(at("one"), at("again.backup"));
      expect(made).toMatchObject({ instance: first.backup.instance, counts: first.backup.counts, encrypted: false });
      const second = await restore(at("again.backup"), at("two"));
      expect(second.backup.id).toBe(made.id);
      expect(await recordsOf(at("two"))).toEqual(await recordsOf(at("one")));
      for (const part of ["keys", "blobs"]) expect(bytesOf(at("two", part))).toEqual(bytesOf(at("one", part)));
      for (const entry of readdirSync(at("two"), { recursive: true, withFileTypes: true }))
        expect(statSync(join(entry.parentPath, entry.name)).mode & 0o077, entry.name).toBe(0);
      expect(leftovers()).toEqual([]);
    },
  );

  test("sessions and the one-time link are not in it, and the folder says when it was restored", async () => {
    await restore(recorded, at("one"));
    const open = () => openSqliteStore({ path: at("one", "state", "state.db"), migrations: [] });
    const before = await open();
    const row = {
      nkey: `U${"A".repeat(55)}`,
      inbox: "i".repeat(32),
      openedAt: "2026-11-22T00:00:00.000Z",
      expiresAt: "2030-01-01T00:00:00.000Z",
    };
    const kept = openCollections(before);
    const [user] = (await kept.endpoints.list()).records;
    const sessionRow = sessionNkeySchema.parse(row.nkey);
    await kept.sessions.put([user?.key[0] ?? ""], { open: [{ ...row, nkey: sessionRow }] });
    await kept.adminLink.put(["current"], { hash: "h".repeat(43), expiresAt: row.expiresAt });
    await before.close();
    await backUp(at("one"), at("with-sessions.backup"));
    await restore(at("with-sessions.backup"), at("two"));
    const after = await openSqliteStore({ path: at("two", "state", "state.db"), migrations: [] });
    const { sessions, adminLink } = openCollections(after);
    expect((await sessions.list()).records).toEqual([]);
    expect(await adminLink.get(["current"])).toBeUndefined();
    await after.close();
    expect(JSON.parse(readFileSync(at("two", "restored.json"), "utf8"))).toMatchObject({ restoredAt: new Date(nowMs).toISOString() });
    expect(existsSync(at("two", "state", "claims.db"))).toBe(false);
  });

  test("an object that goes while the backup is made takes its record with it, or the backup is refused", { timeout: 60_000 }, async () => {
    await restore(recorded, at("one"));
    const [name = ""] = Object.keys(bytesOf(at("one", "blobs")));
    const path = at("one", "blobs", name);
    // The room is deleted after the state was copied: record, then object.
    let copies = 0;
    const remove = async () => {
      if ((copies += 1) > 1) return;
      const store = await openSqliteStore({ path: at("one", "state", "state.db"), migrations: [] });
      const { blobs } = openCollections(store);
      for (const { key } of (await blobs.list()).records) await blobs.delete(key);
      await store.close();
      rmSync(path);
    };
    const made = await backUp(at("one"), at("moving.backup"), { onStateCopied: remove });
    expect([made.counts.blobs, copies]).toEqual([0, 2]);
    await verify(at("moving.backup"), dir.path);

    await restore(recorded, at("two"));
    rmSync(at("two", "blobs", name));
    const why = await refused(backUp(at("two"), at("lost.backup")));
    expect([why.code, why.params["part"]]).toEqual(["backup.incomplete", `blobs/${name.split("/").at(-1) ?? ""}`]);
    expect(existsSync(at("lost.backup"))).toBe(false);
    expect((await backUp(at("two"), at("lost.backup"), { acceptMissing: true })).missing).toHaveLength(1);
    await restore(at("lost.backup"), at("three"));
  });

  test(
    "a room that goes while it is made is not in it; when each try loses one, the instance is too busy",
    { timeout: 60_000 },
    async () => {
      await restore(recorded, at("one"));
      const withRooms = async (work: (rooms: ReturnType<typeof openCollections>["rooms"]) => Promise<void>) => {
        const store = await openSqliteStore({ path: at("one", "state", "state.db"), migrations: [] });
        await work(openCollections(store).rooms);
        await store.close();
      };
      const removeOne = () =>
        withRooms(async (rooms) => {
          const [room] = (await rooms.list()).records;
          if (room !== undefined) await rooms.delete(room.key);
        });
      await withRooms(async (rooms) => {
        const [room] = (await rooms.list()).records;
        if (room === undefined) throw new Error("the recorded backup has a room");
        for (let n = 0; n < 5; n += 1) {
          const id = roomIdSchema.parse(`${room.value.id.slice(0, -1)}${n}`);
          if (id !== room.value.id) await rooms.put([id], { ...room.value, id });
        }
      });
      const why = await refused(backUp(at("one"), at("busy.backup"), { onStateCopied: removeOne }));
      expect([why.code, existsSync(at("busy.backup")), leftovers()]).toEqual(["backup.busy", false, []]);
      const made = await backUp(at("one"), at("calm.backup"), { onStateCopied: removeOne });
      expect(made.counts.rooms).toBe(0);
    },
  );
});

describe("encrypted", () => {
  test("under a passphrase: it opens with that alone, and nothing of it is readable", { timeout: 60_000 }, async () => {
    await restore(recorded, at("one"));
    const file = at("sealed.backup");
    const made = await backUp(at("one"), file, { encryption: { passphrase: "correct horse battery" } });
    expect(made.encrypted).toBe(true);
    expect(readFileSync(file).includes("althing-backup")).toBe(false);
    expect((await refused(verify(file, dir.path))).code).toBe("backup.key");
    expect((await refused(verify(file, dir.path, { unlock: { passphrase: "wrong" } }))).code).toBe("backup.key");
    const restored = await restore(file, at("two"), { unlock: { passphrase: "correct horse battery" } });
    expect(restored.backup.id).toBe(made.id);
  });

  test("to a recipient: changed or cut anywhere it is refused", { timeout: 60_000 }, async () => {
    await restore(recorded, at("one"));
    const file = at("sealed.backup");
    const identity = await generateX25519Identity();
    await backUp(at("one"), file, { encryption: { recipients: [await identityToRecipient(identity)] } });
    const unlock = { identities: [identity] };
    await verify(file, dir.path, { unlock });
    expect((await refused(verify(file, dir.path, { unlock: { identities: [await generateX25519Identity()] } }))).code).toBe("backup.key");
    const whole = readFileSync(file);
    for (const share of [0.1, 0.5, 0.99]) {
      const bytes = Buffer.from(whole);
      const spot = Math.floor(bytes.length * share);
      bytes[spot] = (bytes[spot] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      expect((await refused(restore(file, at("two"), { unlock }))).code).toBe("backup.damaged");
    }
    // At the border of age's chunks, where a shorter file would be well formed.
    for (const size of [whole.length - 1, whole.length - 600, 300 + 64 * 1_024]) {
      writeFileSync(file, whole.subarray(0, size));
      expect((await refused(restore(file, at("two"), { unlock }))).code).toBe("backup.damaged");
    }
    expect(existsSync(at("two"))).toBe(false);
  });

  test("to something that is no recipient is wrong usage, and leaves nothing", async () => {
    await restore(recorded, at("one"));
    expect((await refused(backUp(at("one"), at("x.backup"), { encryption: { recipients: ["age1nonsense"] } }))).code).toBe("cli.usage");
    expect(existsSync(at("x.backup"))).toBe(false);
  });
});

describe("a file that is not what it was", () => {
  test("one flipped byte in any part is found, and the part is named", { timeout: 120_000 }, async () => {
    const whole = readFileSync(recorded);
    const parts = offsetsIn(recorded);
    expect(parts.map(({ name }) => name)).toContain("streams/R0.snapshot");
    for (const part of parts) {
      const bytes = Buffer.from(whole);
      const spot = part.at + Math.floor(part.size / 2);
      bytes[spot] = (bytes[spot] ?? 0) ^ 0x04;
      writeFileSync(at("flipped.backup"), bytes);
      const why = await refused(restore(at("flipped.backup"), at("data")));
      expect(["backup.damaged", "backup.foreign"], part.name).toContain(why.code);
      // What the head and the seal say is told by the manifest's place.
      if (!part.name.startsWith("manifest") && part.name !== "althing-backup.json") expect(why.params["part"]).toBe(part.name);
      expect([existsSync(at("data")), leftovers()]).toEqual([false, []]);
    }
  });

  test("a flipped bit anywhere is refused or changes nothing", { timeout: 120_000 }, async () => {
    const whole = readFileSync(recorded);
    const { id } = await verify(recorded, dir.path);
    for (let n = 0; n < 120; n += 1) {
      const bytes = Buffer.from(whole);
      const spot = Math.floor(((n + 0.37) / 120) * bytes.length);
      bytes[spot] = (bytes[spot] ?? 0) ^ (1 << (n % 8));
      writeFileSync(at("flipped.backup"), bytes);
      const outcome = await verify(at("flipped.backup"), dir.path).then(
        (report) => report.id,
        (error: unknown) => (isAppError(error) ? error.code.split(".")[0] : error),
      );
      expect(["backup", id], `byte ${spot}`).toContain(outcome);
    }
  });

  test("cut anywhere it is refused", { timeout: 60_000 }, async () => {
    const whole = readFileSync(recorded);
    const borders = offsetsIn(recorded).flatMap(({ at: from, size }) => [from - 512, from, from + size]);
    for (const size of [0, 1, 511, 700, ...borders, whole.length - 1_025]) {
      writeFileSync(at("cut.backup"), whole);
      truncateSync(at("cut.backup"), size);
      const outcome = await verify(at("cut.backup"), dir.path).catch((error: unknown) => (isAppError(error) ? error.code : error));
      // Behind the last part nothing but zeros is missing.
      if (size >= (borders.at(-1) ?? 0)) continue;
      expect(["backup.damaged", "backup.foreign"], `${size} bytes`).toContain(outcome);
    }
  });

  test("of another kind it is foreign", async () => {
    writeFileSync(at("text"), "these are not the bytes you are looking for\n".repeat(100));
    expect((await refused(verify(at("text"), dir.path))).code).toBe("backup.foreign");
    expect((await refused(verify(at("nothing"), dir.path))).code).toBe("backup.not_found");
    await writeTar(at("other.tar"), [{ header: { name: "readme.txt" }, bytes: Buffer.from("hello") }]);
    expect((await refused(verify(at("other.tar"), dir.path))).code).toBe("backup.foreign");
  });

  test("of a newer version it says which, before it reads on", async () => {
    const versions: readonly (readonly [string, (head: Record<string, unknown>) => void])[] = [
      ["format", (head) => (head["version"] = 2)],
      ["schema", (head) => (head["schema"] = 7)],
      ["data folder", (head) => (head["dataFormat"] = 9)],
    ];
    for (const [part, change] of versions) {
      const file = await altered((parts) =>
        parts.slice(0, 2).map((entry, n) =>
          n > 0
            ? entry
            : asText(entry, (text) => {
                const head = JSON.parse(text) as Record<string, unknown>;
                change(head);
                return JSON.stringify(head);
              }),
        ),
      );
      const why = await refused(restore(file, at("data")));
      expect([why.code, why.params["part"]]).toEqual(["backup.version", part]);
    }
  });

  const evil: readonly (readonly [string, (parts: TarPart[]) => TarPart[]])[] = [
    ["a name that climbs", (parts) => [...parts.slice(0, 2), { header: { name: "../evil" }, bytes: Buffer.from("x") }, ...parts.slice(2)]],
    [
      "a name that climbs from within",
      (parts) => [...parts.slice(0, 2), { header: { name: "blobs/../../evil" }, bytes: Buffer.from("x") }, ...parts.slice(2)],
    ],
    ["an absolute name", (parts) => [...parts.slice(0, 2), { header: { name: "/tmp/evil" }, bytes: Buffer.from("x") }, ...parts.slice(2)]],
    [
      "a link",
      (parts) => [
        ...parts.slice(0, 2),
        { header: { name: "state/state.db", type: "symlink", linkname: "/etc/passwd" }, bytes: Buffer.alloc(0) },
        ...parts.slice(2),
      ],
    ],
    [
      "a link to a folder",
      (parts) => [
        ...parts.slice(0, 1),
        { header: { name: "blobs", type: "symlink", linkname: "/tmp" }, bytes: Buffer.alloc(0) },
        ...parts.slice(1),
      ],
    ],
    [
      "a hard link",
      (parts) => [
        ...parts.slice(0, 2),
        { header: { name: "keys/hub.nkey", type: "link", linkname: "/etc/shadow" }, bytes: Buffer.alloc(0) },
        ...parts.slice(2),
      ],
    ],
    [
      "a folder",
      (parts) => [...parts.slice(0, 2), { header: { name: "state", type: "directory" }, bytes: Buffer.alloc(0) }, ...parts.slice(2)],
    ],
    [
      "a device",
      (parts) => [
        ...parts.slice(0, 2),
        { header: { name: "state/state.db", type: "character-device", devmajor: 1, devminor: 3 }, bytes: Buffer.alloc(0) },
        ...parts.slice(2),
      ],
    ],
    ["a part twice", (parts) => [...parts.slice(0, 3), ...parts.slice(2)]],
    [
      "a part nobody knows",
      (parts) => [...parts.slice(0, 2), { header: { name: "acl.conf" }, bytes: Buffer.from("x") }, ...parts.slice(2)],
    ],
    ["something after the end", (parts) => [...parts, { header: { name: `blobs/${"a".repeat(64)}` }, bytes: Buffer.from("x") }]],
    ["no head", (parts) => parts.slice(1)],
  ];
  test.each(evil)("%s in it is foreign, and reaches no file", async (_, change) => {
    const why = await refused(restore(await altered(change), at("data")));
    expect(why.code).toBe("backup.foreign");
    expect(readdirSync(dir.path)).toEqual(["altered.backup"]);
    expect([existsSync(join(dir.path, "..", "evil")), existsSync("/tmp/evil")]).toEqual([false, false]);
  });

  test("a part that is missing, and an object that the state refers to, are named", async () => {
    for (const name of ["keys/sys.nkey", "state/executions.db", "streams/R0.snapshot"]) {
      const why = await refused(restore(await altered((parts) => parts.filter(({ header }) => header.name !== name)), at("data")));
      expect([why.code, why.params["part"]]).toEqual(["backup.damaged", name]);
      rmSync(at("altered.backup"));
    }
    const why = await refused(
      restore(await altered((parts) => parts.filter(({ header }) => !header.name.startsWith("blobs/"))), at("data")),
    );
    expect(why.code).toBe("backup.damaged");
  });
});

describe("a place that is taken", () => {
  test("by anything is left as it is", async () => {
    mkdirSync(at("full"));
    writeFileSync(at("full", "mine"), "keep");
    expect((await refused(restore(recorded, at("full")))).code).toBe("restore.not_empty");
    expect(readdirSync(at("full"))).toEqual(["mine"]);
    writeFileSync(at("a-file"), "keep");
    expect((await refused(restore(recorded, at("a-file")))).code).toBe("restore.not_empty");
    symlinkSync(at("nowhere"), at("dangling"));
    expect((await refused(restore(recorded, at("dangling")))).code).toBe("restore.not_empty");
    expect(existsSync(at("nowhere"))).toBe(false);
    await restore(recorded, at("one"));
    writeFileSync(at("there.backup"), "keep");
    expect((await refused(backUp(at("one"), at("there.backup")))).code).toBe("backup.exists");
    expect(readFileSync(at("there.backup"), "utf8")).toBe("keep");
    expect((await refused(backUp(at("nothing"), at("x.backup")))).code).toBe("data.not_found");
  });

  test("by an empty folder is used", async () => {
    mkdirSync(at("empty"), { mode: 0o755 });
    await restore(recorded, at("empty"));
    expect(statSync(at("empty")).mode & 0o777).toBe(0o700);
  });
});

async function killedAt(mode: string, data: string, file: string, step: string): Promise<void> {
  const script = new URL("../../test/backup-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, mode, data, file, step], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const early = gone.then(() => {
    throw new Error(`it ended before ${step}`);
  });
  early.catch(() => undefined);
  await Promise.race([once(child.stdout, "data"), early]);
  child.kill("SIGKILL");
  await gone;
}

async function untilNobodyNames(text: string): Promise<void> {
  for (let n = 0; n < 400 && processesNaming(text).length > 0; n += 1) await sleep(25);
  expect(processesNaming(text)).toEqual([]);
}

describe("killed", () => {
  test.each(["state:", "objects:", "messages:"])(
    "in the middle of a backup (%s): there is no file, no server, and the next run cleans up",
    { timeout: 60_000 },
    async (step) => {
      await restore(recorded, at("one"));
      await killedAt("backup", at("one"), at("x.backup"), step);
      expect(existsSync(at("x.backup"))).toBe(false);
      expect(leftovers()).not.toEqual([]);
      await untilNobodyNames(dir.path);
      await backUp(at("one"), at("x.backup"));
      expect(leftovers()).toEqual([]);
      await verify(at("x.backup"), dir.path);
    },
  );

  test.each(["verified", "messages"])(
    "in the middle of a restore (%s): there is no folder, no server, and the next run cleans up",
    { timeout: 60_000 },
    async (step) => {
      await killedAt("restore", at("one"), recorded, step);
      expect(existsSync(at("one"))).toBe(false);
      expect(leftovers()).not.toEqual([]);
      await untilNobodyNames(dir.path);
      await restore(recorded, at("one"));
      expect(leftovers()).toEqual([]);
    },
  );

  test("asked to end, it ends and leaves nothing", { timeout: 60_000 }, async () => {
    await restore(recorded, at("one"));
    const task = oneShot("backup", at("one"), { config: configOf(at("one")), natsServer: await findNatsServer(), file: at("x.backup") });
    await task.said("state:");
    task.child.kill("SIGTERM");
    await task.answer;
    // It may have been too late to give up.
    if (existsSync(at("x.backup"))) await verify(at("x.backup"), dir.path);
    expect(leftovers()).toEqual([]);
  });
});

describe("a disk that is full", () => {
  test.each([100, 150, 200])(
    "ends a backup with backup.write_failed and leaves nothing (%i blocks a file)",
    { timeout: 60_000 },
    async (blocks) => {
      await restore(recorded, at("one"));
      const input = { config: configOf(at("one")), natsServer: await findNatsServer(), file: at("x.backup") };
      const { code, value } = await oneShot("backup", at("one"), input, blocks).answer;
      expect(value).toMatchObject({ code: "backup.write_failed" });
      expect([code, existsSync(at("x.backup")), leftovers()]).toEqual([1, false, []]);
      await verify((await backUp(at("one"), at("x.backup"))).file, dir.path);
    },
  );

  test("ends a restore with backup.write_failed and leaves nothing", { timeout: 60_000 }, async () => {
    const input = { config: configOf(at("one")), natsServer: await findNatsServer(), file: recorded, unlock: {} };
    const { value } = await oneShot("restore", at("one"), input, 100).answer;
    expect(value).toMatchObject({ code: "backup.write_failed" });
    expect(readdirSync(dir.path)).toEqual([]);
  });
});
