/**
 * What rules cost: effective policies a second, and what asking for a permission adds to a signed request.
 *
 * Times are CPU times, so that a machine that is busy with other things is not measured. The first is `effectivePolicy` of a community that sets most keys below
 * an instance with defaults, ceilings and a lock. The second goes through the whole hub: another process sends signed GETs to a real hub process, in turn of a
 * route that asks a community (`events/head`: rows of community, member and role, then one record of its own) and of one that asks none (`/api/me`); the kernel
 * says what CPU time the hub took. In turn with it one question is asked by itself, over a store of the same kind in this process, each in a callback of the
 * event loop of its own as in a hub, where what others wrote is asked for once a callback (docs/architecture/store.md); the callbacks alone are measured and taken
 * off. What a question adds is its time to the rest of the request's. Prints a table with the limit beside each figure and one line of JSON; exits 1 when a limit is missed.
 * `--quick` measures a tenth as long and judges nothing.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { identityFromPhrase, newRecoveryPhrase } from "@althing/crypto";
import { effectivePolicy } from "@althing/policy";
import type { InstancePluginPolicy, PluginPolicyChange } from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { openCommunityWorld } from "../packages/community/test/community-world.ts";
import { startHubProcess, testConfig, type HubProcess } from "../packages/hub/test/hub-process.ts";
import { callAs } from "../packages/hub/test/serve-hub.ts";
import type { Order, Outcome } from "./guests/signed-load.ts";

const quick = process.argv.includes("--quick");
const scale = quick ? 0.1 : 1;
const rounds = 3;
const policyMs = 1_500 * scale;
const authorizeMs = 800 * scale;
const loadMs = 2_500 * scale;
const members = 100;
const limits = { policiesPerSecond: 500_000, addedPercent: 5 };

interface Row {
  readonly name: string;
  readonly observed: number;
  readonly unit: string;
  readonly limit: string;
  readonly missed: boolean;
}
const rows: Row[] = [];
const note = (name: string, observed: number, unit: string, limit = "", met = true) =>
  void rows.push({ name, observed, unit, limit, missed: !met && !quick });
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

// --- policies ---

const instance: InstancePluginPolicy = {
  defaults: { backgroundJobs: true, limits: { timeMs: 5_000, fuel: 100_000_000 } },
  ceilings: {
    limits: { timeMs: 10_000, memoryBytes: 128 * 1024 * 1024 },
    outboundHttp: { enabled: true, allowlist: ["*.example.org", "api.example.com", "*.example.net"] },
  },
  locks: ["trust"],
};
const community: PluginPolicyChange = {
  publicEndpoints: true,
  registryAllowlist: ["registry.example.org"],
  outboundHttp: {
    enabled: true,
    allowlist: ["api.example.org", "feeds.example.org", "api.example.com", "elsewhere.example", "*.news.example.net"],
  },
  limits: { timeMs: 20_000, memoryBytes: 64 * 1024 * 1024, concurrency: 2, requestsPerSecond: 50 },
};

/** Of CPU time. */
function policiesPerSecond(): number {
  const [startedMs, before] = [performance.now(), process.cpuUsage()];
  let count = 0;
  let checked = 0;
  while (performance.now() - startedMs < policyMs) {
    for (let i = 0; i < 500; i++) checked += effectivePolicy(instance, community).values.limits.timeMs;
    count += 500;
  }
  if (checked !== count * 10_000) throw new Error("the policy is another than expected");
  const { user, system } = process.cpuUsage(before);
  return (count * 1_000_000) / (user + system);
}

// --- permissions ---

/** CPU time of all threads of a process; the kernel counts in hundredths of a second. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function authorizing(folder: string) {
  const store = await openSqliteStore({ path: join(folder, "bench.db"), migrations: [] });
  const world = openCommunityWorld({ store });
  const id = await world.found();
  const ben = await world.member(id, "ben");
  for (let at = 1; at < members; at++) await world.member(id, `member-${at}`);
  const { authority } = world.plane;
  /** CPU time of one turn of the event loop with this in it, microseconds. */
  async function turnUs(work: () => Promise<unknown>): Promise<number> {
    const [startedMs, before] = [performance.now(), process.cpuUsage()];
    let count = 0;
    while (performance.now() - startedMs < authorizeMs) {
      for (let i = 0; i < 100; i++) {
        await nextTurn();
        await work();
      }
      count += 100;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  }
  return {
    /** CPU time of one question, microseconds. */
    async costUs(): Promise<number> {
      const empty = await turnUs(() => Promise.resolve());
      return (await turnUs(() => authority.require(ben, id, "events.read"))) - empty;
    },
    close: () => store.close(),
  };
}

interface Load {
  readonly requestUs: number;
  readonly perSecond: number;
}

async function loaded(hub: HubProcess, sender: ChildProcess, phrase: string, path: string): Promise<Load> {
  const before = cpuUs(hub.pid);
  const origin = `http://127.0.0.1:${hub.config.ports.hub}`;
  const order: Order = { origin, phrase, paths: [path], requests: 20_000 * scale, connections: 48, durationMs: loadMs, paceMs: 0 };
  sender.send(order);
  const [{ byStatus, samples, ms }] = (await once(sender, "message")) as [Outcome];
  const answered = byStatus["200"] ?? 0;
  if (Object.keys(byStatus).length !== 1 || answered === 0) throw new Error(`answers: ${JSON.stringify({ byStatus, samples })}`);
  return { requestUs: (cpuUs(hub.pid) - before) / answered, perSecond: (answered * 1_000) / ms };
}

async function measureAuthorizing(): Promise<void> {
  await using dir = await tempDir();
  const phrase = newRecoveryPhrase();
  const admin = await identityFromPhrase(phrase);
  const hub = await startHubProcess(await testConfig(join(dir.path, "data")));
  const sender = fork(join(import.meta.dirname, "guests/signed-load.ts"), { execArgv: ["--disable-warning=ExperimentalWarning"] });
  const questions = await authorizing(dir.path);
  try {
    const token = new URL(hub.adminLink ?? "").hash.replace("#token=", "");
    await callAs(hub, admin, { method: "POST", path: "/api/claim", body: { token, handle: "bench", keys: admin.card } });
    const founded = await callAs(hub, admin, { method: "POST", path: "/api/communities", body: { name: "garden" } });
    const asking = `/api/communities/${String(founded.json["id"])}/events/head`;
    const measured: { readonly asked: Load; readonly plain: Load; readonly questionUs: number }[] = [];
    // The first round is not counted: it compiles.
    for (let round = -1; round < rounds; round++) {
      const questionUs = await questions.costUs();
      const asked = await loaded(hub, sender, phrase, asking);
      const plain = await loaded(hub, sender, phrase, "/api/me");
      if (round >= 0) measured.push({ asked, plain, questionUs });
    }
    const of = (read: (one: (typeof measured)[number]) => number) => median(measured.map(read));
    const percent = of(({ asked, questionUs }) => (100 * questionUs) / (asked.requestUs - questionUs));
    note(
      "signed GET that asks no community: hub's CPU time",
      of(({ plain }) => plain.requestUs),
      "µs",
    );
    note(
      "signed GET of a community's route: hub's CPU time",
      of(({ asked }) => asked.requestUs),
      "µs",
    );
    note(
      "signed GETs of a community's route",
      of(({ asked }) => asked.perSecond),
      "/s",
    );
    note(
      "one question for a permission by itself: three records",
      of(({ questionUs }) => questionUs),
      "µs",
    );
    note("the question adds to the rest of its request", percent, "%", `≤ ${limits.addedPercent}`, percent <= limits.addedPercent);
  } finally {
    sender.kill();
    await questions.close();
    await hub.stop();
  }
}

policiesPerSecond();
const perSecond = median(Array.from({ length: rounds }, policiesPerSecond));
const wanted = `≥ ${limits.policiesPerSecond}`;
note("effective policies computed, of CPU time", perSecond, "/s", wanted, perSecond >= limits.policiesPerSecond);
await measureAuthorizing();

for (const { name, observed, unit, limit, missed } of rows)
  console.log(`${name.padEnd(84)} ${observed.toFixed(1).padStart(9)} ${unit.padEnd(3)} ${limit.padEnd(10)} ${missed ? "MISSED" : ""}`);
console.log(JSON.stringify({ bench: "communities", quick, rows }));
process.exitCode = rows.some(({ missed }) => missed) ? 1 : 0;
