/**
 * Extensions through the gateway of a real instance: how many calls a second, how long each, how much a hostile neighbour costs, how soon a guest that
 * overstays is gone, and what an idle runner holds.
 *
 * The guests are built by the author's kit, packed, signed, uploaded and consented to as any package. Another process sends requests it signed before
 * (guests/signed-load.ts). Rounds of a Fastify handler without a sandbox, of the AssemblyScript guest and of the TypeScript guest take turns, so that a busy
 * machine slows all; quiet and hostile rounds likewise. Limits are for two cores that the sender shares. Prints a table with the limit beside each figure
 * and one line of JSON; exits 1 when a limit is missed. `--quick` measures a tenth as long and judges nothing.
 */
import { execFileSync, fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { claimInstance, createPackagesClient, identityFromPhrase, newRecoveryPhrase, type PackagesClient } from "@althing/client";
import type { PluginLimits } from "@althing/contract";
import { bundleFile, newPublisherKey, packBundle, signBundle, type PublisherKey } from "@althing/extension";
import { freePort, startInstance, type TestInstance } from "@althing/testkit";
import { buildAssemblyScriptGuest, buildTypeScriptGuest } from "./guests/build-guests.ts";
import type { Order, Outcome } from "./guests/signed-load.ts";

const quick = process.argv.includes("--quick");
const scale = quick ? 0.1 : 1;
const rounds = quick ? 1 : 3;
const loadMs = 4_000 * scale;
const connections = 50;
const neighbourMs = 6_000 * scale;
const neighbourRounds = quick ? 1 : 3;
const spinTimeMs = 100;
const spins = quick ? 10 : 150;
const limits = { assemblyScriptPerSecond: 1_500, typeScriptPerSecond: 600, neighbourRatio: 3, killedLateMs: 50, idleRunnerMb: 200 };

/** Ceilings far above the defaults: what is measured is the gateway, not its quotas. */
const wide: Partial<PluginLimits> = {
  ...{ requestsPerSecond: 100_000, communityRequestsPerSecond: 100_000, concurrency: 200, communityConcurrency: 200 },
  ...{ fuel: 1e13, fuelPerHour: 1e15, wallTimeMsPerHour: 1e9 },
};
const places = {
  garden: { extension: "org.example.hello-as", limits: wide },
  orchard: { extension: "org.example.hello-ts", limits: wide },
  /** As many calls at once as a community has by default; no fuel but time ends them. */
  desert: { extension: "org.example.hello-as", limits: { ...wide, concurrency: 4, communityConcurrency: 8, timeMs: 2_000 } },
  lake: { extension: "org.example.hello-as", limits: { ...wide, timeMs: spinTimeMs } },
} as const;
type Place = keyof typeof places;
const pathIn = (place: Place, path: string) => `/api/communities/${place}/ext/${places[place].extension}${path}`;

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
const share = (ascending: readonly number[], part: number) =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? Number.NaN;

/** On a machine with more cores everything below runs on two of them. */
function keepTwoCores(): number {
  const cores = availableParallelism();
  if (cores <= 2) return cores;
  try {
    execFileSync("taskset", ["-pc", "0,1", String(process.pid)], { stdio: "ignore" });
    return 2;
  } catch {
    return cores;
  }
}

// --- processes ---

function start(file: string, args: readonly string[] = []): ChildProcess {
  return fork(file, args, { execArgv: ["--disable-warning=ExperimentalWarning"] });
}

async function load(sender: ChildProcess, order: Order): Promise<Outcome> {
  sender.send(order);
  const [outcome] = (await once(sender, "message")) as [Outcome];
  return outcome;
}

function expectOnly(outcome: Outcome, ...allowed: readonly string[]): void {
  const other = Object.keys(outcome.byStatus).find((status) => !allowed.includes(status));
  if (other !== undefined) throw new Error(`${outcome.byStatus[other]} answers ${other}: ${outcome.samples[other]}`);
}

/** The same answer by a Fastify handler, without signature, policy, log and sandbox. */
async function serveFastify(): Promise<void> {
  const { fastify } = await import("fastify");
  const app = fastify();
  app.get<{ Params: { name: string } }>("/api/communities/:community/ext/:extension/hello/:name", async ({ params }, reply) =>
    reply.type("application/json").send(JSON.stringify({ hello: params.name, from: "fastify" })),
  );
  await app.listen({ host: "127.0.0.1", port: Number(process.argv[3]) });
  process.send?.("ready");
}

interface ProcessSeen {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Of all threads; the kernel counts in hundredths of a second. */
  readonly cpuUs: number;
}

/** A process and all below it. */
function processesBelow(root: number): ProcessSeen[] {
  const all = readdirSync("/proc").flatMap((name): ProcessSeen[] => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
      const cpuUs = (Number(fields[11]) + Number(fields[12])) * 10_000;
      return [{ pid: Number(name), parent: Number(fields[1]), command: readFileSync(`/proc/${name}/cmdline`, "utf8"), cpuUs }];
    } catch {
      return [];
    }
  });
  const found = all.filter(({ pid }) => pid === root);
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid));
  return found;
}

const isRunner = ({ command }: ProcessSeen) => command.includes("runner/src/main.ts");

/** Of the runner, its sandboxes and whatever else is below it. */
function memoryOfRunner({ pid }: TestInstance): {
  readonly residentMb: number;
  readonly proportionalMb: number;
  readonly processes: number;
} {
  const found = processesBelow(processesBelow(pid).find(isRunner)?.pid ?? 0);
  const sum = (file: string, field: RegExp) =>
    found.reduce((total, one) => total + Number(field.exec(readFileSync(`/proc/${one.pid}/${file}`, "utf8"))?.[1] ?? 0), 0) / 1_024;
  return { residentMb: sum("status", /VmRSS:\s+(\d+)/), proportionalMb: sum("smaps_rollup", /^Pss:\s+(\d+)/m), processes: found.length };
}

const parts = { hub: "hub/src/main.ts", "runner's service": "runner/src/main.ts", sandboxes: "--frozen-intrinsics" } as const;
type Part = keyof typeof parts;
const partNames = Object.keys(parts) as Part[];

/** CPU time so far, by part of the instance. */
function cpuByPart({ pid }: TestInstance): Record<Part, number> {
  const found = processesBelow(pid);
  const used = (mark: string) => found.reduce((total, { command, cpuUs }) => total + (command.includes(mark) ? cpuUs : 0), 0);
  return { hub: used(parts.hub), "runner's service": used(parts["runner's service"]), sandboxes: used(parts.sandboxes) };
}

// --- packages ---

async function install(client: PackagesClient, key: PublisherKey, place: Place, component: Uint8Array): Promise<void> {
  const { extension: name } = places[place];
  const manifest = {
    ...{
      manifestVersion: 2,
      name,
      version: "1.0.0",
      publisher: { id: key.publisherId, name: "Bench" },
      displayName: "Hello",
      engine: "^1.0.0",
    },
    endpoints: [
      { method: "GET", path: "/hello/:name" },
      { method: "GET", path: "/spin" },
    ],
  };
  const { bundle, contentHash } = await packBundle([
    bundleFile("manifest.json", JSON.stringify(manifest)),
    bundleFile("extension.wasm", component),
  ]);
  const signature = signBundle({ contentHash, name, version: "1.0.0", publisher: key.publisherId }, key);
  await client.call("communities.create", { body: { name: place } });
  await client.call("policy.put", { params: { community: place }, body: { limits: places[place].limits } });
  const { id } = await client.upload(place, { bundle: new Uint8Array(bundle), signature });
  await client.call("packages.change", { params: { community: place, install: id }, body: { consent: { contentHash }, active: true } });
}

interface Bench {
  readonly instance: TestInstance;
  readonly client: PackagesClient;
  readonly phrase: string;
}

async function setUp(instance: TestInstance): Promise<Bench> {
  const [raw, typed] = await Promise.all([buildAssemblyScriptGuest(), buildTypeScriptGuest()]);
  const phrase = newRecoveryPhrase();
  const identity = await identityFromPhrase(phrase);
  const { url } = instance;
  await claimInstance({ url, token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "", handle: "bench", identity });
  const client = createPackagesClient({ identity, urls: [url] });
  const key = newPublisherKey();
  await client.call("trust.add", { body: { pem: key.publicKeyPem } });
  await client.call("instancePolicy.put", { body: { defaults: {}, ceilings: { limits: wide }, locks: [] } });
  for (const place of ["garden", "orchard", "desert", "lake"] as const)
    await install(client, key, place, place === "orchard" ? typed : raw);
  return { instance, client, phrase };
}

// --- what is measured ---

async function measureThroughput({ instance, phrase }: Bench, sender: ChildProcess, fastifyPort: number): Promise<void> {
  const kinds = [
    { name: "Fastify handler, no sandbox", place: "garden", port: fastifyPort, most: 500, least: 0 },
    { name: "AssemblyScript guest", place: "garden", port: instance.ports.hub, most: 5_000, least: limits.assemblyScriptPerSecond },
    { name: "TypeScript (QuickJS) guest", place: "orchard", port: instance.ports.hub, most: 4_000, least: limits.typeScriptPerSecond },
  ] as const;
  const outcomes = kinds.map(() => [] as Outcome[]);
  const cpuUs = kinds.map(() => ({ hub: 0, "runner's service": 0, sandboxes: 0 }));
  // The first round is not counted: it compiles and opens processes.
  for (let round = -1; round < rounds; round++)
    for (const [index, { place, port, most }] of kinds.entries()) {
      const requests = Math.ceil((most * loadMs) / 1_000);
      const paths = [pathIn(place, "/hello/ada")];
      const before = cpuByPart(instance);
      const outcome = await load(sender, {
        origin: instance.url,
        port,
        phrase,
        paths,
        requests,
        again: port === fastifyPort,
        connections,
        durationMs: loadMs,
        paceMs: 0,
      });
      expectOnly(outcome, "200");
      if (round < 0) continue;
      outcomes[index]?.push(outcome);
      const after = cpuByPart(instance);
      const sum = cpuUs[index];
      if (sum !== undefined) for (const part of partNames) sum[part] += after[part] - before[part];
    }
  for (const [index, { name, least, port }] of kinds.entries()) {
    const own = outcomes[index] ?? [];
    const rate = median(own.map(({ latenciesMs, ms }) => (latenciesMs.length / ms) * 1_000));
    note(`${name}: calls a second`, rate, "/s", least === 0 ? "" : `≥ ${least}`, rate >= least);
    for (const [label, part] of [
      ["p50", 0.5],
      ["p99", 0.99],
    ] as const)
      note(`${name}: latency ${label} at ${connections} connections`, median(own.map(({ latenciesMs }) => share(latenciesMs, part))), "ms");
    const calls = own.reduce((total, { latenciesMs }) => total + latenciesMs.length, 0);
    if (port !== fastifyPort)
      for (const part of partNames) note(`${name}: CPU time a call, ${part}`, (cpuUs[index]?.[part] ?? 0) / calls, "µs");
  }
}

/** 400 calls a second of a neighbour, alone and beside three loops and the calls that keep their extension in service. */
async function measureNeighbour({ instance, phrase }: Bench, sender: ChildProcess, attacker: ChildProcess): Promise<void> {
  const common = { origin: instance.url, phrase };
  const calm: Order = {
    ...common,
    paths: [pathIn("garden", "/hello/ada")],
    requests: 4_000,
    connections: 10,
    durationMs: neighbourMs,
    paceMs: 25,
  };
  const loops: Order = {
    ...common,
    paths: [pathIn("desert", "/spin")],
    requests: 100,
    connections: 3,
    durationMs: neighbourMs + 500,
    paceMs: 0,
  };
  const alive: Order = {
    ...common,
    paths: [pathIn("desert", "/hello/eve")],
    requests: 400,
    connections: 1,
    durationMs: neighbourMs + 500,
    paceMs: 50,
  };
  const second = start(join(import.meta.dirname, "guests/signed-load.ts"));
  const quiet: number[] = [];
  const beside: number[] = [];
  await load(sender, calm);
  for (let round = 0; round < neighbourRounds; round++) {
    const alone = await load(sender, calm);
    expectOnly(alone, "200");
    quiet.push(share(alone.latenciesMs, 0.99));
    const hostile = Promise.all([load(attacker, loops), load(second, alive)]);
    await sleep(300);
    const attacked = await load(sender, calm);
    expectOnly(attacked, "200");
    beside.push(share(attacked.latenciesMs, 0.99));
    const [looped, kept] = await hostile;
    expectOnly(looped, "504");
    expectOnly(kept, "200", "504");
  }
  second.kill();
  const ratio = median(beside) / median(quiet);
  note("neighbour at 400 calls a second: p99, quiet", median(quiet), "ms");
  note("neighbour at 400 calls a second: p99 while a hostile guest loops", median(beside), "ms");
  note("neighbour's p99, hostile to quiet", ratio, "", `≤ ${limits.neighbourRatio}`, ratio <= limits.neighbourRatio);
}

/** A guest that never ends by itself, one call at a time; each is followed by a good one, so that it stays in service. */
async function measureKill({ instance, client, phrase }: Bench, sender: ChildProcess): Promise<void> {
  const paths = [pathIn("lake", "/hello/ada"), pathIn("lake", "/spin")];
  const order: Order = { origin: instance.url, phrase, paths, requests: 2 * spins, connections: 1, durationMs: 120_000, paceMs: 0 };
  const outcome = await load(sender, order);
  expectOnly(outcome, "200", "504");
  const late: number[] = [];
  let after: string | undefined;
  do {
    const query = { limit: 500, status: "timeout" as const, ...(after === undefined ? {} : { after }) };
    const page = await client.call("packages.log", { params: { community: "lake", install: places.lake.extension }, query });
    late.push(...page.executions.map(({ durationMs = Number.NaN }) => durationMs - spinTimeMs));
    after = page.next;
  } while (after !== undefined);
  late.sort((a, b) => a - b);
  if (late.length < spins / 2) throw new Error(`only ${late.length} of ${spins} loops are in the log as timed out`);
  const p99 = share(late, 0.99);
  note(`killed after the deadline of ${spinTimeMs} ms: p50 of ${late.length}`, share(late, 0.5), "ms");
  note("answered after the deadline, as the caller sees it: p99", share(outcome.refusedMs, 0.99) - spinTimeMs, "ms");
  note("killed after the deadline: p99", p99, "ms", `≤ ${limits.killedLateMs}`, p99 <= limits.killedLateMs);
}

async function main(): Promise<void> {
  const cores = keepTwoCores();
  await using instance = await startInstance();
  await sleep(quick ? 1_500 : 5_000);
  const idle = memoryOfRunner(instance);
  note(
    `idle runner: service, spare sandbox, spare preparation (${idle.processes} processes), shared pages once`,
    idle.proportionalMb,
    "MB",
    `≤ ${limits.idleRunnerMb}`,
    idle.proportionalMb <= limits.idleRunnerMb,
  );
  note("idle runner: resident sets added up", idle.residentMb, "MB");
  const bench = await setUp(instance);
  const fastifyPort = await freePort();
  const children = [1, 2].map(() => start(join(import.meta.dirname, "guests/signed-load.ts")));
  const handler = start(import.meta.filename, ["fastify", String(fastifyPort)]);
  const [sender, attacker] = children;
  try {
    await once(handler, "message");
    if (sender === undefined || attacker === undefined) throw new Error("no senders");
    await measureThroughput(bench, sender, fastifyPort);
    await measureNeighbour(bench, sender, attacker);
    await measureKill(bench, sender);
    note("runner after the load: shared pages once", memoryOfRunner(instance).proportionalMb, "MB");
  } catch (error) {
    process.stderr.write(instance.logs());
    throw error;
  } finally {
    for (const child of [...children, handler]) child.kill();
    await bench.client.close();
  }
  process.stdout.write(`${cores} cores, shared with the sender${quick ? "; --quick: nothing is judged" : ""}\n`);
  for (const row of rows)
    process.stdout.write(
      `${row.name.padEnd(92)} ${row.observed.toFixed(1).padStart(9)} ${row.unit.padEnd(3)} ${row.limit.padEnd(8)} ${row.missed ? "MISSED" : ""}\n`,
    );
  process.stdout.write(`${JSON.stringify({ bench: "gateway", cores, rows })}\n`);
  if (rows.some(({ missed }) => missed)) process.exitCode = 1;
}

if (process.argv[2] === "fastify") await serveFastify();
else await main();
