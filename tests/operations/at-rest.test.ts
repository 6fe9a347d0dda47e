/**
 * Encryption at rest as an operator meets it: an instance with a life behind it is encrypted, lived in, searched for what could be read, given another key,
 * backed up and restored. Known words must stand nowhere below the data folder, in a file's name neither, while it runs and afterwards.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWorkplace, type Running, type Workplace } from "../e2e/althing-process.ts";
import { inProcess, type InProcess } from "../e2e/in-process.ts";

const stores = ["sqlite", "kv"] as const;
const places = new Map<string, Workplace>();
let place: Workplace;
let cli: InProcess;
let running: Running | undefined;
const at = (...names: string[]) => join(place.path, ...names);
const key = "at-rest.key";

/** Of the story of `up --demo` and of what is said here: handles, names, titles, reasons, messages, records' own words. */
const spoken = [
  "demo-garden",
  "avender",
  "Three times about",
  "Be kind",
  '"alice"',
  '"cleo"',
  '"handle":',
  "the-orchard-room",
  "a quiet word",
];

async function stopped(): Promise<void> {
  if (running === undefined) return;
  await place.ok("stop");
  await running.exited;
  running = undefined;
}

/** The demonstration's people keep their identity files there, as they would on machines of their own. */
const ofOthers = ["/demo/"];

/** Of a living folder: what goes while one looks is not there. */
function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

function found(texts: readonly string[]): string[] {
  const entries = readdirSync(place.data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(place.data.length);
    if (ofOthers.some((folder) => name.startsWith(folder))) return [];
    const bytes = bytesOf(path);
    return texts.filter((text) => name.includes(text) || bytes.includes(text)).map((text) => `${name}: ${text}`);
  });
}

async function refusalOf(...args: string[]): Promise<string> {
  const ran = await place.run([...args, "--json"]);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string } }).error.code;
}

const asAlice = ["--as", join("data", "demo", "alice.id")] as const;
const inGarden = ["--community", "demo-garden", ...asAlice] as const;

async function atRestOf(url: string): Promise<string> {
  const health = (await (await fetch(`${url}/healthz`)).json()) as { posture: { at_rest: string } };
  return health.posture.at_rest;
}

/** Both live their lives side by side: most of that time the story waits for its vote to end. */
beforeAll(async () => {
  const live = async (store: string) => {
    const made = await openWorkplace(`store = "${store}"\n`);
    places.set(store, made);
    const up = await made.up("--demo");
    await up.said("go on as one of its people", 170_000);
    expect(await atRestOf(up.url)).toBe("off");
    await made.ok("stop");
    await up.exited;
  };
  await Promise.all(stores.map(live));
}, 220_000);
afterAll(async () => {
  for (const made of places.values()) await made[Symbol.asyncDispose]();
});

describe.each(stores)("an instance with store = %s", (store) => {
  beforeAll(() => {
    const made = places.get(store);
    if (made === undefined) throw new TypeError(`no instance with store = ${store}`);
    place = made;
    cli = inProcess(place);
  });
  afterAll(stopped, 30_000);

  test("is encrypted as it stands, and nothing of what happened can be read any more", { timeout: 180_000 }, async () => {
    expect(new Set(found(spoken).map((hit) => hit.split(": ")[1])).size).toBeGreaterThan(4);
    await cli.ok("at-rest", "key", "new", key);
    expect(statSync(at(key)).mode & 0o777).toBe(0o600);
    expect(await refusalOf("up", "--at-rest-key-file", key)).toBe("encryption.not_enabled");
    const told = await place.json("at-rest", "enable", "--yes", "--at-rest-key-file", key);
    expect(told).toMatchObject({ written: { messages: expect.any(Number) } });
    expect(found(spoken)).toEqual([]);
    expect(readdirSync(place.path).filter((name) => name.startsWith("data") || name.startsWith(".althing"))).toEqual(["data"]);
    expect(await place.json("at-rest", "status", "--at-rest-key-file", key)).toMatchObject({ atRest: "on", key: "right", before: null });
    expect(await refusalOf("at-rest", "enable", "--yes", "--at-rest-key-file", key)).toBe("encryption.already");
  });

  test("without its key, or with another, it does not start", { timeout: 120_000 }, async () => {
    expect(await refusalOf("up")).toBe("encryption.key_missing");
    await cli.ok("at-rest", "key", "new", "other.key");
    expect(await refusalOf("up", "--at-rest-key-file", "other.key")).toBe("encryption.key_wrong");
    writeFileSync(at("short.key"), "abc\n", { mode: 0o600 });
    expect(await refusalOf("up", "--at-rest-key-file", "short.key")).toBe("encryption.key_malformed");
    writeFileSync(at("open.key"), readFileSync(at(key)), { mode: 0o644 });
    expect(await refusalOf("up", "--at-rest-key-file", "open.key")).toBe("encryption.key_mode");
    writeFileSync(join(place.data, "in.key"), readFileSync(at(key)), { mode: 0o600 });
    expect(await refusalOf("up", "--at-rest-key-file", join("data", "in.key"))).toBe("encryption.key_place");
    rmSync(join(place.data, "in.key"));
  });

  test(
    "it lives on with the key, and what is said now cannot be read either, while it runs and after it stopped",
    { timeout: 120_000 },
    async () => {
      appendFileSync(at("althing.toml"), `at_rest_key_file = "${key}"\n`);
      running = await place.up();
      expect(await atRestOf(running.url)).toBe("on");
      expect(await cli.ok("events", "verify", ...inGarden)).toMatch(/^chain ok/m);
      await cli.ok("room", "create", "the-orchard-room", ...asAlice);
      for (const text of ["a quiet word", "a quiet word again"]) await cli.ok("room", "send", "the-orchard-room", text, ...asAlice);
      expect(await cli.ok("room", "history", "the-orchard-room", ...asAlice)).toContain("a quiet word again");
      expect(found(spoken)).toEqual([]);

      // The key: in nats-server's environment, derived, and nowhere else.
      const ownKey = readFileSync(at(key), "utf8").trim();
      const environ = (pid: number) => readFileSync(`/proc/${pid}/environ`, "latin1");
      const derived = /ALTHING_AT_REST_KEY=(k[0-9a-f]{64})/.exec(environ(running.natsPid()))?.[1] ?? "";
      expect(derived).toMatch(/^k/);
      for (const pid of [running.hubPid(), running.pid]) expect(environ(pid)).not.toContain(derived);
      for (const pid of [running.hubPid(), running.pid, running.natsPid()]) {
        expect(environ(pid)).not.toContain(ownKey);
        expect(readFileSync(`/proc/${pid}/cmdline`, "latin1")).not.toContain(derived);
        expect(readFileSync(`/proc/${pid}/cmdline`, "latin1")).not.toContain(ownKey);
      }
      await stopped();
      expect(found([...spoken, derived, ownKey])).toEqual([]);
    },
  );

  test("it gets another key, and the old one opens nothing", { timeout: 120_000 }, async () => {
    await stopped();
    await cli.ok("at-rest", "key", "new", "second.key");
    await place.ok("at-rest", "rotate", "--yes", "--new-key-file", "second.key");
    expect(found(spoken)).toEqual([]);
    expect(await refusalOf("up")).toBe("encryption.key_wrong");
    renameSync(at("second.key"), at(key));
    running = await place.up();
    expect(await cli.ok("events", "verify", ...inGarden)).toMatch(/^chain ok/m);
    expect(await cli.ok("room", "history", "the-orchard-room", ...asAlice)).toContain("a quiet word again");
  });

  test(
    "a backup of it, running or not, is encrypted with its key; it restores, upgrades and rolls back",
    { timeout: 240_000 },
    async () => {
      await place.ok("backup", "live.backup");
      expect(readFileSync(at("live.backup")).subarray(0, 21).toString()).toBe("age-encryption.org/v1");
      expect(readFileSync(at("live.backup")).includes("althing.at-rest")).toBe(true);
      await stopped();
      await place.ok("backup", "still.backup");
      expect(await place.ok("backup", "verify", "still.backup")).toContain("backup ok");
      expect(await refusalOf("backup", "verify", "still.backup", "--at-rest-key-file", "other.key")).toBe("backup.key");
      await place.ok("upgrade");
      await place.ok("rollback", "--yes");
      expect(found(spoken)).toEqual([]);
      rmSync(place.data, { recursive: true });
      await place.ok("restore", "live.backup");
      expect(found(spoken)).toEqual([]);
      running = await place.up();
      expect(await atRestOf(running.url)).toBe("on");
      const doctor = await place.run(["doctor", "--json"]);
      const { findings } = JSON.parse(doctor.stdout) as { findings: { name: string; grade: string }[] };
      expect(findings.filter(({ grade }) => grade === "bad")).toEqual([]);
      expect(findings.find(({ name }) => name === "at_rest")).toMatchObject({ grade: "good" });
      expect(existsSync(join(place.data, "restored.json"))).toBe(true);
    },
  );
});
