/**
 * Runners on other machines, as an operator sets them up: certificates by the commands of the guide, `althing up` here, two `althing runner` as if elsewhere,
 * all of them real processes. A real guest runs through them; one is killed under load; whoever lacks a certificate or a token gets nothing.
 */
import { execFile, type ChildProcess } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { createPeerConnector, type PeerTls } from "@althing/extension/peer-tls";
import { freePorts, makePeerAuthority, repositoryRoot, tempDir, type TempDir } from "@althing/testkit";
import { Agent, request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, isAlive } from "./althing-process.ts";
import { buildMenace, menaceId, menaceManifest } from "../hostile/extension-guests.ts";
import { killed, openExtensionWorld, processTree, told, type ExtensionWorld } from "../hostile/extension-world.ts";

const workers = 6;
const limits = {
  ...{ requestsPerSecond: 5_000, communityRequestsPerSecond: 5_000, concurrency: workers, communityConcurrency: workers },
  ...{ fuelPerHour: 1e15, wallTimeMsPerHour: 1e9, fuel: 1e13 },
};

interface Far {
  readonly child: ChildProcess;
  readonly ready: Record<string, string>;
  readonly pid: () => number;
  said(): string;
}

let dir: TempDir;
let world: ExtensionWorld;
let hubUrl: string;
let runnerUrls: readonly string[];
let pagesPorts: readonly number[];
const far: Far[] = [];
const agents: Agent[] = [];

/** The commands of the operator's guide, run as they stand there. */
async function makeCertificatesByTheGuide(folder: string): Promise<void> {
  const guide = await readFile(join(repositoryRoot, "docs/guides/operator.md"), "utf8");
  const block = /<!-- certificates -->\n```sh\n([\s\S]*?)```/.exec(guide)?.[1];
  if (block === undefined) throw new Error("the guide has no commands for certificates");
  const script = block
    .replaceAll("hub.example", "localhost")
    .replaceAll("DNS:runner1.example", "IP:127.0.0.1")
    .replaceAll("runner1.example", "far");
  await promisify(execFile)("sh", ["-e", "-c", script], { cwd: folder });
}

function runnerToml(name: string, url: string, pagesPort: number): string {
  return [
    `node_name = "${name}"`,
    `data = "./data"`,
    `internal_tls_url = "${url}"`,
    ...Object.entries({ cert: "far.pem", key: "far.key", ca: "ca.pem" }).map(
      ([what, name]) => `internal_tls_${what} = "${join(dir.path, name)}"`,
    ),
    `hub_internal_url = ["${hubUrl}"]`,
    `runner_port = ${pagesPort}`,
    `origins = ["${world.url}"]`,
  ].join("\n");
}

async function startFar(name: string, at: 0 | 1): Promise<Far> {
  const folder = join(dir.path, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "althing.toml"), runnerToml(name, runnerUrls[at] ?? "", pagesPorts[at] ?? 0));
  const child = world.place.spawn(["runner", "--json"], { cwd: folder });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const line = await new Promise<string>((resolve, reject) => {
    if (child.stdout === null) return reject(new Error("no output"));
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${text}`)));
  });
  const pid = () => processTree(child.pid ?? 0).find(({ command }) => command.includes("runner/src/main.ts"))?.pid ?? 0;
  return { child, ready: JSON.parse(line) as Record<string, string>, pid, said: () => text };
}

beforeAll(async () => {
  dir = await tempDir();
  await makeCertificatesByTheGuide(dir.path);
  const [hubPort, one, two, ...pages] = await freePorts(5);
  pagesPorts = pages;
  hubUrl = `https://localhost:${hubPort}`;
  runnerUrls = [`https://127.0.0.1:${one}`, `https://127.0.0.1:${two}`];
  const component = buildMenace();
  world = await openExtensionWorld(
    [
      `internal_tls_url = "${hubUrl}"`,
      ...["cert", "key"].map((what) => `internal_tls_${what} = "${join(dir.path, `localhost.${what === "cert" ? "pem" : "key"}`)}"`),
      `internal_tls_ca = "${join(dir.path, "ca.pem")}"`,
      `runner_base_url = ${JSON.stringify(runnerUrls)}`,
    ].join("\n"),
  );
  far.push(await startFar("r1", 0), await startFar("r2", 1));
  await world.setInstancePolicy({ ceilings: { limits } });
  await world.found("garden");
  await world.setPolicy("garden", { limits });
  await world.install("garden", menaceManifest({ component: await component }));
}, 120_000);
afterAll(async () => {
  for (const agent of agents) await agent.destroy();
  await world?.[Symbol.asyncDispose]();
  await dir?.remove();
});

const count = () => world.call({ community: "garden", extension: menaceId, path: "/count", method: "POST", body: new Uint8Array(1) });
/** Of the last 500 calls. */
const statuses = async () => (await world.log("garden", menaceId)).map(({ status }) => status);
const pem = (name: string) => readFile(join(dir.path, name), "utf8");
const tlsOf = async (name: string): Promise<PeerTls> => ({
  ...{ cert: await pem(`${name}.pem`), key: await pem(`${name}.key`), ca: await pem("ca.pem") },
});

function agentOf(tls: PeerTls): Agent {
  const agent = new Agent({ connect: createPeerConnector(tls, 2_000) });
  agents.push(agent);
  return agent;
}

/** Status and code of what the hub's listener for other machines answers. */
async function ask(dispatcher: Agent, path: string, body?: string): Promise<[number, string | undefined]> {
  const answer = await request(`${hubUrl}${path}`, { dispatcher, method: body === undefined ? "GET" : "POST", body: body ?? null });
  const text = await answer.body.text();
  return [answer.statusCode, answer.statusCode === 200 ? undefined : (JSON.parse(text) as { code: string }).code];
}

async function look(runner: number, path: string): Promise<string> {
  const agent = new Agent({ connect: createPeerConnector(await tlsOf("localhost"), 2_000) });
  try {
    return await (await request(`${runnerUrls[runner]}${path}`, { dispatcher: agent })).body.text();
  } finally {
    await agent.destroy();
  }
}

/** Calls that run there. */
const busy = async (runner: number) => (JSON.parse(await look(runner, "/healthz")) as { slots: { running: number } }).slots.running;
/** Calls that ended there since it started. */
const invocations = async (runner: number): Promise<number> =>
  [...(await look(runner, "/metrics")).matchAll(/^althing_runner_invocations_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );

/** Calls one after the other in several hands until it is told to stop. */
function startWork() {
  const tally = { answered: 0, uncertain: 0, counts: [] as number[], others: new Map<string, number>() };
  let going = true;
  const hand = async () => {
    while (going) {
      const answer = await count();
      if (answer.status === 200) {
        tally.answered += 1;
        tally.counts.push(Number(answer.text));
      } else if (answer.text !== "kv.conflict") {
        // A guest that lost the race for the record twenty times says so: it counted nothing.
        tally.uncertain += 1;
        tally.others.set(told(answer), (tally.others.get(told(answer)) ?? 0) + 1);
      }
    }
  };
  const hands = Promise.all(Array.from({ length: workers }, hand));
  const stop = async () => {
    going = false;
    await hands;
  };
  return { tally, stop };
}

test("a runner says in one line where it is, and a guest's calls and its data go through it", async () => {
  expect(far.map(({ ready }) => ready)).toMatchObject([
    { internal: runnerUrls[0], node: "r1", isolation: expect.stringContaining("permission-model") as string },
    { internal: runnerUrls[1], node: "r2" },
  ]);
  expect([told(await count()), (await world.call({ community: "garden", extension: menaceId, path: "/kv/count" })).text]).toEqual([
    "200",
    "1",
  ]);
  const health = (await (await fetch(`${world.url}/healthz`)).json()) as { posture: { sandbox: string } };
  expect(health.posture.sandbox).toBe(far[0]?.ready["isolation"]);
}, 60_000);

const loop = () => world.call({ community: "garden", extension: menaceId, path: "/loop" });

test("calls side by side are spread over both; a killed runner's end with 503, its neighbour's by themselves, and it comes back", async () => {
  // Each prepares the component when it is asked for it first.
  await eventually(async () => {
    await Promise.all(Array.from({ length: workers }, count));
    return (await invocations(0)) > 0 && (await invocations(1)) > 0;
  }, "both have run calls");
  const hanging = Array.from({ length: workers }, loop);
  await eventually(async () => (await busy(0)) === workers / 2 && (await busy(1)) === workers / 2, "three and three");
  await killed([far[0]?.pid() ?? 0]);
  const ends = (await Promise.all(hanging)).map(told).sort();
  expect(ends).toEqual([...Array<string>(workers / 2).fill("503 ext.unavailable"), ...Array<string>(workers / 2).fill("504 ext.timeout")]);
  expect(await statuses()).not.toContain("started");
  await eventually(async () => (await busy(0)) === 0, "its keeper starts it again");
  expect(told(await count())).toBe("200");
}, 60_000);

test("a machine that is killed under load: the work goes on, nothing is doubled, no row stays open, and it is taken back", async () => {
  const before = Number((await world.call({ community: "garden", extension: menaceId, path: "/kv/count" })).text);
  const work = startWork();
  await eventually(() => work.tally.answered > 20, "the work began");
  const [first] = far;
  const own = processTree(first?.child.pid ?? 0).map(({ pid }) => pid);
  await killed([first?.child.pid ?? 0]);
  await eventually(() => own.every((pid) => !isAlive(pid)), "nothing of it is left behind");
  const at = work.tally.answered;
  await eventually(() => work.tally.answered > at + 50, "the work goes on");
  // Whatever failed did so while the machine died: afterwards all calls go elsewhere.
  const uncertain = work.tally.uncertain;
  expect(uncertain, JSON.stringify([...work.tally.others])).toBeLessThanOrEqual(workers);
  far[0] = await startFar("r1", 0);
  await eventually(async () => (await invocations(0)) > 0, "it is taken back");
  await work.stop();
  const { answered, counts, others } = work.tally;
  const total = Number((await world.call({ community: "garden", extension: menaceId, path: "/kv/count" })).text) - before;
  const explained = `answered ${answered}, uncertain ${uncertain}: ${JSON.stringify([...others])}`;
  expect(new Set(counts).size, "no two calls were told the same number").toBe(counts.length);
  expect(total, explained).toBeGreaterThanOrEqual(answered);
  expect(total, explained).toBeLessThanOrEqual(answered + work.tally.uncertain);
  expect(
    [...others.keys()].filter((what) => what !== "503 ext.unavailable"),
    explained,
  ).toEqual([]);
  expect(await statuses()).not.toContain("started");
}, 120_000);

test("told to stop, a runner lets its calls end and exits 0", async () => {
  const hanging = Array.from({ length: workers }, loop);
  await eventually(async () => (await busy(0)) + (await busy(1)) === workers, "both run calls");
  const [, second] = far;
  const exit = new Promise((resolve) => second?.child.once("exit", (code) => resolve(code)));
  const own = processTree(second?.child.pid ?? 0).map(({ pid }) => pid);
  process.kill(second?.child.pid ?? 0, "SIGTERM");
  // No later call goes there, and the ones that run end by their own deadline.
  expect([...new Set((await Promise.all(hanging)).map(told))]).toEqual(["504 ext.timeout"]);
  expect(await exit).toBe(0);
  expect(own.filter(isAlive)).toEqual([]);
  expect(second?.said()).toContain("stopped");
  await world.alice.client.call("packages.retry", { params: { community: "garden", install: menaceId } });
  expect(told(await count())).toBe("200");
}, 60_000);

test("the hub's listener for other machines takes runners that it was told of, and each call's own token, and serves nothing else", async () => {
  const hash = (await world.state("garden", menaceId)).contentHash;
  const far = agentOf(await tlsOf("far"));
  expect((await ask(far, `/internal/bundles/${hash}`))[0]).toBe(200);
  expect(await ask(far, "/internal/broker", JSON.stringify({ op: "kv.get", key: "count" }))).toEqual([401, "broker.token_invalid"]);
  // A hub is no runner.
  const hub = agentOf(await tlsOf("localhost"));
  for (const path of [`/internal/bundles/${hash}`, `/internal/ext-ui/${menaceId}/${hash}`])
    expect(await ask(hub, path)).toEqual([403, "runner.peer_refused"]);
  expect(await ask(hub, "/internal/broker", "{}")).toEqual([403, "runner.peer_refused"]);
  for (const path of ["/metrics", "/healthz", "/api/node", "/internal/bootstrap", "/claim", "/"])
    expect((await ask(far, path))[0], path).toBe(404);
}, 30_000);

test("without a certificate of the house nobody gets as far as a token", async () => {
  const ca = await pem("ca.pem");
  const house = await makePeerAuthority(join(dir.path, "stranger"));
  const files = await house.issue("127.0.0.1");
  const foreign = { cert: await readFile(files.cert, "utf8"), key: await readFile(files.key, "utf8"), ca };
  const nobody = new Agent({ connect: { ca } });
  agents.push(nobody);
  for (const agent of [nobody, agentOf(foreign)]) {
    const body = JSON.stringify({ op: "kv.get", key: "count" });
    await expect(request(`${hubUrl}/internal/broker`, { dispatcher: agent, method: "POST", body })).rejects.toThrow();
  }
}, 30_000);

test("nothing is left when all are told to stop", async () => {
  const [first] = far;
  const pids = [world.running.pid, first?.child.pid ?? 0].flatMap((pid) => processTree(pid).map((found) => found.pid));
  const exit = new Promise((resolve) => first?.child.once("exit", (code) => resolve(code)));
  process.kill(first?.child.pid ?? 0, "SIGINT");
  process.kill(world.running.pid, "SIGINT");
  expect([await exit, (await world.running.exited).code]).toEqual([0, 0]);
  await eventually(() => pids.every((pid) => !isAlive(pid)), "everything has ended");
}, 60_000);
