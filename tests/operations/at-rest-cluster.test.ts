/**
 * Encryption at rest of a cluster, as an operator meets it: nodes with keys from the first byte, and a plain cluster that gets its keys node by node while people use it.
 * What was acknowledged is there once, and known words stand nowhere below the three data folders, in a file's name neither.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { repositoryRoot, startCluster, type TestCluster, type TestNode } from "@althing/testkit";
import { expect, test } from "vitest";
import { filesOf, filesWith, newKeyFile } from "../../packages/hub/test/at-rest-tools.ts";

const program = ["--disable-warning=ExperimentalWarning", join(repositoryRoot, "packages/cli/src/main.ts")];

async function althing(
  node: TestNode,
  ...args: string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_")));
  const child = spawn(process.execPath, [...program, ...args, "--json"], { cwd: node.home, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([readStream(child.stdout), readStream(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

async function done(node: TestNode, ...args: string[]): Promise<unknown> {
  const ran = await althing(node, ...args);
  expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
  return JSON.parse(ran.stdout);
}

async function refusalOf(node: TestNode, ...args: string[]): Promise<string> {
  const ran = await althing(node, ...args);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string } }).error.code;
}

interface Life {
  readonly client: AlthingClient;
  readonly room: RoomHandle;
  /** What was said, in words. */
  readonly spoken: readonly string[];
}

/** The words are long enough to stand nowhere by chance, and plain: with encrypted rooms only their frames would be there. */
async function live(cluster: TestCluster): Promise<Life> {
  const link = cluster.nodes.map(({ adminLink }) => adminLink).find((text) => text !== undefined) ?? "";
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await claimInstance({ url: cluster.urls[0] ?? "", token: /=([\w-]{43})$/.exec(link)?.[1] ?? "", handle: "wisteria-keeper", identity });
  const client = createClient({ identity, urls: cluster.urls, state: openMemoryState() });
  const room = await client.rooms.create({ name: "the-orchard-room", policy: { persist: true, encrypt: false } });
  await room.send("a quiet word under the quince");
  await client.call("communities.create", { body: { name: "the-garden-of-quinces" } });
  return { client, room, spoken: ["wisteria-keeper", "the-orchard-room", "a quiet word under the quince", "the-garden-of-quinces"] };
}

const readable = (nodes: readonly TestNode[], texts: readonly string[]) =>
  nodes.flatMap((node) => filesWith(node.data, texts).map((hit) => `${node.name}${hit}`));

async function saidIn(room: RoomHandle): Promise<string[]> {
  const texts: string[] = [];
  for (let after = 0; ;) {
    const events = await room.history({ after, limit: 1_000 });
    texts.push(...events.flatMap((event) => (event.kind === "message" ? [event.text ?? ""] : [])));
    const next = Math.max(after, ...events.map((event) => ("seq" in event ? (event.seq ?? 0) : 0)));
    if (next === after) return texts;
    after = next;
  }
}

async function atRestOf({ url }: TestNode): Promise<string> {
  const health = (await (await fetch(`${url}/healthz`)).json()) as { posture: { at_rest: string } };
  return health.posture.at_rest;
}

test(
  "nodes with keys of their own are one instance from the first byte; without the right key a node touches nothing",
  { timeout: 300_000 },
  async () => {
    await using cluster = await startCluster({ atRest: true });
    const [one, two, three] = cluster.nodes;
    if (one === undefined || two === undefined || three === undefined) throw new TypeError("three nodes were asked for");
    const { client, room, spoken } = await live(cluster);
    try {
      const subject = (await room.info()).subjects?.publish ?? "";
      expect(subject).toMatch(/^r\./);
      const keys = cluster.nodes.map(({ atRestKeyFile }) => readFileSync(atRestKeyFile, "utf8").trim());
      expect(new Set(keys).size).toBe(3);
      const shared = JSON.parse(readFileSync(join(cluster.folder, "authority", "instance.json"), "utf8")) as Record<string, string>;
      const secrets = [shared["nameKey"] ?? "", shared["secretsKey"] ?? "", shared["receiptKey"] ?? ""];
      const nothing = () => {
        expect(readable(cluster.nodes, [...spoken, ...keys, ...secrets])).toEqual([]);
        // The access list names rooms' opaque subjects (docs/architecture/at-rest.md, "What is not").
        expect(cluster.nodes.flatMap(({ data }) => filesWith(join(data, "nats", "js"), [subject]))).toEqual([]);
      };
      for (const node of cluster.nodes) expect(await atRestOf(node), node.name).toBe("on");
      nothing();

      // A lost machine comes back as `cluster replace` prepares it: the instance's keys alone, and a new key of its own.
      await two.kill();
      rmSync(two.data, { recursive: true });
      mkdirSync(join(two.data, "keys"), { recursive: true, mode: 0o700 });
      cpSync(join(cluster.folder, "authority", "instance.json"), join(two.data, "keys", "instance.json"));
      rmSync(two.atRestKeyFile);
      keys[1] = readFileSync(newKeyFile(two.atRestKeyFile), "utf8").trim();
      await two.start();
      expect(await atRestOf(two)).toBe("on");
      await room.send("and the gate is open again");
      expect(await saidIn(room)).toEqual(["a quiet word under the quince", "and the gate is open again"]);
      nothing();

      await three.stop();
      const before = filesOf(join(three.data, "nats")).map((path) => [path, readFileSync(path, "latin1")]);
      newKeyFile(join(three.home, "other.key"));
      expect(await refusalOf(three, "up", "--at-rest-key-file", "other.key")).toBe("encryption.key_wrong");
      rmSync(three.atRestKeyFile);
      expect(await refusalOf(three, "up")).toBe("encryption.key_unreadable");
      expect(filesOf(join(three.data, "nats")).map((path) => [path, readFileSync(path, "latin1")])).toEqual(before);
    } finally {
      await client.close();
    }
  },
);

interface Load {
  /** What was acknowledged, when the load has ended. */
  end(): Promise<{ readonly said: readonly string[]; readonly founded: readonly string[]; readonly unsure: ReadonlySet<string> }>;
}

/** One says and founds things all the time; what is not acknowledged may have happened or not, and is never done again under the same name. */
function startLoad({ client, room }: Life): Load {
  let isOver = false;
  const [said, founded, unsure]: [string[], string[], Set<string>] = [[], [], new Set()];
  const repeat = async (
    everyMs: number,
    max: number,
    act: (n: number) => Promise<string>,
    name: (n: number) => string,
    acknowledged: string[],
  ) => {
    for (let n = 0; !isOver && n < max; n += 1) {
      await act(n).then(
        (text) => acknowledged.push(text),
        () => unsure.add(name(n)),
      );
      await sleep(everyMs);
    }
  };
  const tick = (n: number) => `tick ${n} of the kitchen clock`;
  const bed = (n: number) => `flower-bed-${n}-of-many`;
  const say = async (n: number) => {
    await room.send(tick(n));
    return tick(n);
  };
  const found = async (n: number) => {
    await client.rooms.create({ name: bed(n), policy: { persist: false, encrypt: false } });
    return bed(n);
  };
  const loops = [repeat(40, Infinity, say, tick, said), repeat(400, 400, found, bed, founded)];
  return {
    async end() {
      isOver = true;
      await Promise.all(loops);
      return { said, founded, unsure };
    },
  };
}

/** The command is killed when the first node is empty: the next one keeps what it has, and the same command goes on with the first. */
async function killedMidway(one: TestNode, two: TestNode): Promise<void> {
  await one.stop();
  const child = spawn(process.execPath, [...program, ...enable, "--json"], { cwd: one.home, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  // The node's own first words: it is on its way, and ends with who started it.
  for await (const chunk of child.stderr) if (/^starting n1 under its key\n.*\S/ms.test((told += String(chunk)))) break;
  child.kill("SIGKILL");
  expect(
    readdirSync(one.home)
      .filter((name) => name.startsWith("data"))
      .toSorted(),
    told,
  ).toEqual(["data", "data.before-at-rest"]);
  await two.stop();
  expect(await refusalOf(two, ...enable)).toBe("encryption.node_needed");
  expect(readdirSync(two.home).filter((name) => name.startsWith("data"))).toEqual(["data"]);
}

const enable = ["at-rest", "enable", "--yes", "--at-rest-key-file", "at-rest.key"] as const;

test(
  "a cluster that is used gets its keys node by node: nothing acknowledged is lost or doubled, and nothing can be read",
  { timeout: 600_000 },
  async () => {
    await using cluster = await startCluster();
    const life = await live(cluster);
    const { client, room, spoken } = life;
    try {
      expect(new Set(readable(cluster.nodes, spoken).map((hit) => hit.split(": ")[1])).size).toBe(spoken.length);
      const load = startLoad(life);
      const change = async (node: TestNode, ...args: readonly string[]) => {
        await node.stop();
        const told = await done(node, ...args);
        expect(told).toMatchObject({ node: node.name, compared: { streams: 6, messages: expect.any(Number) } });
        expect(readdirSync(node.home).filter((name) => name.startsWith("data") || name.startsWith(".althing"))).toEqual(["data"]);
      };
      for (const node of cluster.nodes) newKeyFile(node.atRestKeyFile);
      const [one, two] = cluster.nodes;
      if (one === undefined || two === undefined) throw new TypeError("three nodes were asked for");
      await killedMidway(one, two);
      for (const [n, node] of cluster.nodes.entries()) {
        await Promise.all([change(node, ...enable), n === 0 ? two.start() : undefined]);
        expect(readable([node], spoken)).toEqual([]);
        if (n === 0) expect(await refusalOf(node, "up")).toBe("encryption.key_missing");
        if (n === 2) {
          newKeyFile(join(node.home, "second.key"));
          await change(node, "at-rest", "rotate", "--yes", "--at-rest-key-file", "at-rest.key", "--new-key-file", "second.key");
          expect(await refusalOf(node, "up", "--at-rest-key-file", "at-rest.key")).toBe("encryption.key_wrong");
          renameSync(join(node.home, "second.key"), node.atRestKeyFile);
        }
        // Settings come before the tables of the list of nodes.
        const file = join(node.home, "althing.toml");
        writeFileSync(file, `at_rest_key_file = "at-rest.key"\n${readFileSync(file, "utf8")}`);
        await node.start();
        expect(await atRestOf(node)).toBe("on");
      }
      const { said, founded, unsure } = await load.end();
      expect(said.length).toBeGreaterThan(20);
      expect(founded.length).toBeGreaterThan(5);
      const there = await saidIn(room);
      expect(there.length, "doubled").toBe(new Set(there).size);
      expect(
        said.filter((text) => !there.includes(text)),
        "lost",
      ).toEqual([]);
      expect(
        there.slice(1).filter((text) => !said.includes(text) && !unsure.has(text)),
        "never said",
      ).toEqual([]);
      const names = (await client.rooms.list()).map(({ name }): string => name);
      expect(names.length, "doubled").toBe(new Set(names).size);
      expect(
        founded.filter((name) => !names.includes(name)),
        "lost",
      ).toEqual([]);
      expect(readable(cluster.nodes, [...spoken, "of the kitchen clock", "flower-bed-"])).toEqual([]);
    } finally {
      await client.close();
    }
  },
);
