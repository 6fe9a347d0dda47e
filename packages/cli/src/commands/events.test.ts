/** `althing events` as a person runs it: on a real instance, on files that were touched, and against a server that lies. */
import { claimInstance, createPackagesClient, identityFromPhrase, newRecoveryPhrase, type Identity } from "@althing/client";
import { AppError, toProblem, type Community, type CommunityId, type EventRecord } from "@althing/contract";
import { chainStart, encodeIdentityFile, hashEvent, sealPersonalField } from "@althing/crypto";
import { startInstance, tempDir, type TestInstance } from "@althing/testkit";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
let instance: TestInstance;
let ada: Identity;
let garden: Community;
let client: ReturnType<typeof createPackagesClient>;
const servers: Server[] = [];

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
async function run(argv: readonly string[], { input = "", url = instance.url, onLine = () => undefined as void } = {}): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const host: CliHost = {
    terminal: undefined,
    stdin: Readable.from([input]),
    stdout: {
      write: (text) => {
        stdout += text;
        onLine();
      },
    },
    stderr: { write: (text) => (stderr += text) },
    env: { ALTHING_URL: url, ALTHING_IDENTITY: "ada.id" },
    cwd: dir.path,
    now: Date.now,
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  return { code: await runProgram(host, argv), stdout, stderr };
}
const verifyJson = async (...argv: string[]) => JSON.parse((await run(["events", "verify", ...argv, "--json"])).stdout) as never;

/** Something that the log tells of. */
const change = (enabled: boolean, community = "garden") =>
  client.call("modules.change", { params: { community, module: "announcements" }, body: { enabled, settings: {} } });
const head = async () => (await client.call("events.head", { params: { community: "garden" } })).index;

beforeAll(async () => {
  dir = await tempDir();
  instance = await startInstance();
  const phrase = newRecoveryPhrase();
  ada = await identityFromPhrase(phrase);
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  writeFileSync(join(dir.path, "ada.id"), await encodeIdentityFile(phrase), { mode: 0o600 });
  client = createPackagesClient({ identity: ada, urls: [instance.url] });
  garden = await client.call("communities.create", { body: { name: "garden" } });
  await client.call("communities.create", { body: { name: "orchard" } });
  for (const enabled of [false, true, false]) await change(enabled);
});
afterAll(async () => {
  for (const server of servers) server.close();
  await client?.close();
  await instance?.stop();
  await dir?.remove();
});

describe("on an instance", () => {
  test("verify says exactly how many events, for one community and for all", async () => {
    const count = await head();
    expect(await run(["events", "verify", "--community", "garden"])).toEqual({
      code: 0,
      stdout: `chain ok: ${count} events, 0 redacted\n`,
      stderr: "",
    });
    const all = await run(["events", "verify"]);
    expect(all.stdout.split("\n").toSorted().slice(1)).toEqual([
      `garden: chain ok: ${count} events, 0 redacted`,
      expect.stringMatching(/^orchard: chain ok: \d+ events, 0 redacted$/),
    ]);
    expect(await verifyJson()).toHaveLength(2);
    expect(await verifyJson("--community", garden.id)).toMatchObject({ events: count, redacted: 0, name: "garden" });
  });

  test("an export verifies as a file, from stdin, and against the log that went on since", async () => {
    const written = await run(["events", "export", "--community", "garden", "-o", "garden.jsonl"]);
    expect(written).toMatchObject({ code: 0, stderr: "" });
    const count = await head();
    expect((await run(["events", "verify", "garden.jsonl"])).stdout).toBe(`chain ok: ${count} events, 0 redacted\n`);
    const { stdout } = await run(["events", "export", "--community", "garden"]);
    expect(stdout).toBe(readFileSync(join(dir.path, "garden.jsonl"), "utf8"));
    await change(true);
    expect((await run(["events", "verify", "-", "--community", "garden"], { input: stdout })).stdout).toBe(
      `chain ok: ${count} events, 0 redacted\n`,
    );
    expect(JSON.parse((await run(["events", "export", "--community", "garden", "--json"])).stdout)).toHaveLength(count + 1);
    expect(await run(["events", "verify", "garden.jsonl", "--community", "orchard"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("[event.chain_broken]"),
    });
  });

  test("an export never goes over another file and leaves nothing half-written", async () => {
    writeFileSync(join(dir.path, "mine.txt"), "mine");
    expect((await run(["events", "export", "--community", "garden", "-o", "mine.txt"])).code).toBe(2);
    expect((await run(["events", "export", "--community", "garden", "-o", "no/such/folder"])).code).toBe(2);
    expect((await run(["events", "export", "--community", "meadow", "-o", "meadow.jsonl"])).code).toBe(1);
    expect(readFileSync(join(dir.path, "mine.txt"), "utf8")).toBe("mine");
    expect(readdirSync(dir.path).filter((name) => name.includes("part") || name.startsWith("meadow"))).toEqual([]);
  });

  test("tail shows what was and what happens, in order, and ends after so many", async () => {
    const count = await head();
    const past = await run(["events", "tail", "--community", "garden", "--since", "0", "--count", String(count), "--json"]);
    expect((JSON.parse(past.stdout) as { index: number }[]).map(({ index }) => index)).toEqual(
      Array.from({ length: count }, (_, i) => i + 1),
    );
    const live = run(["events", "tail", "--community", "garden", "--since", String(count), "--count", "2"]);
    await change(false);
    await change(true);
    const lines = (await live).stdout.trimEnd().split("\n");
    expect(
      lines.map((line) =>
        line
          .split("  ")
          .filter((_, i) => i !== 1)
          .slice(0, 2),
      ),
    ).toEqual([
      [String(count + 1), "module.changed"],
      [String(count + 2), "module.changed"],
    ]);
    expect(lines[0]).toContain(ada.endpoint);
  });

  test("refusals name their code: an event that is not there, a community that is not there", async () => {
    expect((await run(["events", "tail", "--community", "garden", "--since", "100000"])).stderr).toContain("[event.not_found]");
    expect((await run(["events", "verify", "--community", "meadow"])).stderr).toContain("[community.not_found]");
    expect((await run(["events", "verify", "nowhere.jsonl"])).code).toBe(2);
    expect((await run(["events", "tail", "--community", "garden", "--since", "-1"])).code).toBe(2);
  });
});

async function logOf(community: CommunityId, count: number): Promise<EventRecord[]> {
  const log: EventRecord[] = [];
  for (let index = 1; index <= count; index++) {
    const event: Omit<EventRecord, "hash"> = {
      ...{ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", community, index, time: "2026-01-05T12:00:00.000Z", topic: "proposal.created" },
      ...{
        subject: `proposal/${index}`,
        summary: "\u202egnihtemos\u0007",
        data: "{}",
        depth: 0,
        personal: { actor: await sealPersonalField(ada.endpoint) },
      },
      previous: log.at(-1)?.hash ?? chainStart,
    };
    log.push({ ...event, hash: await hashEvent(event) });
  }
  return log;
}
const text = (records: readonly unknown[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

describe("on a file that was touched", () => {
  test("verify ends with 1 and names the event, whatever was done to it", async () => {
    const log = await logOf(garden.id, 4);
    const [first, second, third, fourth] = log;
    const cases: readonly (readonly [number, string])[] = [
      [2, text([first, { ...second, summary: "forged" }, third, fourth])],
      [3, text([first, second, fourth])],
      [3, `${text([first, second])}not json\n${text([third])}`],
      [3, `${text([first, second])}null\n`],
      [1, text([{ ...first, personal: { actor: { ...first?.personal["actor"], value: "x" } } }])],
    ];
    for (const [index, input] of cases) {
      const ran = await run(["events", "verify", "-", "--json"], { input });
      const shown = index === 3 && input.includes('"index":4') ? 4 : index;
      expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([1, { error: { code: "event.chain_broken", params: { index: shown } } }]);
      expect((await run(["events", "verify", "-"], { input })).stdout).toBe("");
    }
    expect((await run(["events", "verify", "-"], { input: text(log) })).stdout).toBe("chain ok: 4 events, 0 redacted\n");
    const erased = { ...fourth, personal: { actor: { digest: fourth?.personal["actor"]?.digest } } };
    expect((await run(["events", "verify", "-"], { input: `${text([first, second, third, erased])}\n` })).stdout).toBe(
      "chain ok: 4 events, 1 redacted\n",
    );
    expect((await run(["events", "verify", "-"])).stdout).toBe("chain ok: 0 events, 0 redacted\n");
  });
});

/** Answers what it is told to, and nothing else. */
async function lyingServer(answers: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const found = Object.entries(answers).find(([end]) => path.endsWith(end));
    if (found === undefined) {
      const problem = toProblem(new AppError("event.not_found", { index: 1 }), "r1");
      response.writeHead(404, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
    } else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(found[1]));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

describe("a server that lies of its log", () => {
  const brokenAt = async (url: string, input?: string) => {
    const file = input === undefined ? [] : ["-"];
    const ran = await run(["events", "verify", ...file, "--community", "garden", "--json"], {
      url,
      ...(input === undefined ? {} : { input }),
    });
    const { error } = JSON.parse(ran.stdout) as { error?: { code: string; params?: { index?: number } } };
    return [ran.code, error?.code, error?.params?.index];
  };

  test("is found out: an altered event, one left out, an end cut off, another head, another community's log", async () => {
    const log = await logOf(garden.id, 4);
    const endOf = (records: readonly EventRecord[]) => ({ index: records.length, hash: records.at(-1)?.hash });
    const serve = (events: readonly unknown[], at: unknown = endOf(log)) =>
      lyingServer({ "/events/head": at, "/events/export": { community: garden.id, events }, "/communities/garden": garden });
    expect(await brokenAt(await serve(log))).toEqual([0, undefined, undefined]);
    expect(await brokenAt(await serve(log.map((event) => (event.index === 3 ? { ...event, summary: "" } : event))))).toEqual([
      1,
      "event.chain_broken",
      3,
    ]);
    expect(await brokenAt(await serve(log.slice(1)))).toEqual([1, "event.chain_broken", 2]);
    expect(await brokenAt(await serve(log.slice(0, 3)))).toEqual([1, "event.chain_broken", 4]);
    expect(await brokenAt(await serve(log, { index: 4, hash: "f".repeat(64) }))).toEqual([1, "event.chain_broken", 4]);
    const elsewhere = await logOf("01ARZ3NDEKTSV4RRFFQ69G5FAW" as CommunityId, 4);
    expect(await brokenAt(await serve(elsewhere, endOf(elsewhere)))).toEqual([1, "event.chain_broken", 1]);
  });

  test("is found out by an earlier export: a log that was rolled back or written anew", async () => {
    const [old, anew] = [await logOf(garden.id, 4), await logOf(garden.id, 4)];
    const { personal: _, data: __, ...kept } = anew[3] as EventRecord;
    const rewritten = await lyingServer({
      "/communities/garden": garden,
      "/events/4": { ...kept, actor: null, data: {}, redacted: ["actor"] },
    });
    expect(await brokenAt(rewritten, text(old))).toEqual([1, "event.chain_broken", 4]);
    expect(await brokenAt(rewritten, text(anew))).toEqual([0, undefined, undefined]);
    const rolledBack = await lyingServer({ "/communities/garden": garden });
    expect(await brokenAt(rolledBack, text(old))).toEqual([1, "event.chain_broken", 4]);
  });
});
