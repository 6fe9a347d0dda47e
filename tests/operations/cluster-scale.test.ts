/**
 * docs/guides/cluster.md, "More copies": a cluster that was made with one copy is raised while people use it, by the steps of `cluster scale` itself. Stopped half-way the
 * same steps go on; afterwards every node has everything on its own disk, and one that leads may die.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readNodesFile, runSteps, scalePlan, streamLeader, type PlanInput, type RanProgram, type Step, type StepWorld } from "@althing/cli";
import {
  claimInstance,
  createClient,
  fetchHealth,
  identityFromPhrase,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type RoomHandle,
} from "@althing/client";
import { streams } from "@althing/contract";
import { prepareCluster, type TestCluster } from "@althing/testkit";
import { expect, test } from "vitest";
import { openWorkplace } from "../e2e/althing-process.ts";
import { inProcess } from "../e2e/in-process.ts";

/** As `cluster scale` names its look at each machine before the first is changed. */
const lookTitle = "look that it can be worked on";

/** Before a first start, as `replicas = 1` in the nodes file does. */
async function clusterWithOneCopy(): Promise<TestCluster> {
  const cluster = await prepareCluster();
  for (const { home } of cluster.nodes) {
    const file = join(home, "althing.toml");
    writeFileSync(file, `replicas = 1\n${readFileSync(file, "utf8")}`);
  }
  for (const node of cluster.nodes) node.launch();
  await Promise.all(cluster.nodes.map((node) => node.ready()));
  return cluster;
}

/** The plan for this cluster, word for word as on machines of their own. */
function planFor(cluster: TestCluster): readonly Step[] {
  const file = join(cluster.folder, "..", "nodes.toml");
  const plan = readNodesFile(file, readFileSync(file, "utf8"));
  const input: PlanInput = { plan, from: cluster.folder, programRoot: "/nowhere", machine: "Linux x86_64", version: "?", instanceText: "" };
  return scalePlan(input, 3);
}

function inShell(command: string): Promise<RanProgram> {
  return new Promise((resolve) => {
    execFile("sh", ["-c", command], (error, _out, err) => resolve({ code: error === null ? 0 : 1, detail: err.trim() }));
  });
}

/** Does a plan's steps on the nodes of this machine: what ssh would hand to a shell goes to one, the unit is the node. @param cutOff the step that does not get through */
function worldOf(cluster: TestCluster, steps: readonly Step[], cutOff?: Step): StepWorld & { readonly said: readonly string[] } {
  const said: string[] = [];
  return {
    said,
    async run(program, args) {
      const step = steps.find((each) => each.kind === "run" && each.args === args);
      if (step === undefined || program !== "ssh") throw new TypeError("a step of another plan");
      if (step === cutOff) return { code: 255, detail: "connection timed out" };
      const command = args.at(-1) ?? "";
      // This machine need not be one of a cluster: it may have neither rsync nor a root.
      if (step.what === lookTitle) return { code: 0, detail: "" };
      if (command !== "systemctl restart althing") return inShell(command);
      const node = cluster.node(step.node);
      await node.stop();
      node.launch();
      return { code: 0, detail: "" };
    },
    health: (url) => fetchHealth(url).catch(() => undefined),
    sleep: (ms) => sleep(ms),
    nowMs: () => performance.now(),
    say: (text) => said.push(text),
  };
}

interface Life {
  readonly client: AlthingClient;
  readonly room: RoomHandle;
  readonly said: string[];
  readonly founded: string[];
  /** Not acknowledged: it may have happened or not. */
  readonly unsure: Set<string>;
  end(): Promise<void>;
}

/** Somebody says and founds things all the time; nothing is done again under the same name. */
async function startLife(cluster: TestCluster): Promise<Life> {
  const link = cluster.nodes.map(({ adminLink }) => adminLink).find((text) => text !== undefined) ?? "";
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await claimInstance({ url: cluster.urls[0] ?? "", token: /=([\w-]{43})$/.exec(link)?.[1] ?? "", handle: "alice", identity });
  const client = createClient({ identity, urls: cluster.urls, state: openMemoryState() });
  const room = await client.rooms.create({ name: "garden" });
  const [said, founded, unsure]: [string[], string[], Set<string>] = [[], [], new Set()];
  let isOver = false;
  const repeat = async (everyMs: number, name: (n: number) => string, act: (name: string) => Promise<unknown>, acknowledged: string[]) => {
    for (let n = 0; !isOver; n += 1) {
      await act(name(n)).then(
        () => acknowledged.push(name(n)),
        () => unsure.add(name(n)),
      );
      await sleep(everyMs);
    }
  };
  const loops = [
    repeat(
      30,
      (n) => `line ${n}`,
      (text) => room.send(text),
      said,
    ),
    repeat(
      300,
      (n) => `shed-${n}`,
      (name) => client.rooms.create({ name, policy: { persist: false } }),
      founded,
    ),
  ];
  const end = async () => {
    isOver = true;
    await Promise.all(loops);
  };
  return { client, room, said, founded, unsure, end };
}

/** By what this life's person reads: nothing that was acknowledged is missing, nothing is there twice, nothing that was never said. */
async function requireWhole({ client, room, said, founded, unsure }: Life): Promise<void> {
  const texts: string[] = [];
  for (let after = 0, isMore = true; isMore;) {
    const events = await room.history({ after, limit: 1_000 });
    texts.push(...events.flatMap((event) => (event.kind === "message" ? [event.text ?? ""] : [])));
    const next = Math.max(after, ...events.map((event) => ("seq" in event ? (event.seq ?? 0) : 0)));
    isMore = next > after;
    after = next;
  }
  const names = (await client.rooms.list()).map(({ name }): string => name).filter((name) => name !== "garden");
  for (const [there, acknowledged] of [
    [texts, said],
    [names, founded],
  ] as const) {
    expect(there.length, "doubled").toBe(new Set(there).size);
    expect(
      acknowledged.filter((name) => !there.includes(name)),
      "lost",
    ).toEqual([]);
    expect(
      there.filter((name) => !acknowledged.includes(name) && !unsure.has(name)),
      "never said",
    ).toEqual([]);
  }
}

/** Elections take their time; what is asked here changes nothing and may be asked again. */
async function eventuallyWhole(life: Life): Promise<void> {
  const failed = /unavailable|unreachable|timed? ?out/i;
  for (let tries = 1; ; tries += 1) {
    try {
      return await requireWhole(life);
    } catch (error) {
      if (tries === 60 || !failed.test(String(error))) throw error;
      await sleep(500);
    }
  }
}

async function copiesOf(cluster: TestCluster): Promise<number[]> {
  return Promise.all(cluster.urls.map(async (url) => (await fetchHealth(url)).posture.cluster.replicas));
}

/** By what lies on the node's disk, whatever anybody says. */
function streamsOn(data: string): string[] {
  const js = join(data, "nats", "js", "jetstream");
  return readdirSync(js)
    .flatMap((account) => (account === "SYS" ? [] : readdirSync(join(js, account, "streams"))))
    .toSorted();
}

test(
  "one copy becomes three while the cluster is used; cut off, the same steps go on; then a node may die, also one that leads",
  { timeout: 400_000 },
  async () => {
    await using cluster = await clusterWithOneCopy();
    await using place = await openWorkplace();
    const life = await startLife(cluster);
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new TypeError("three nodes were asked for");
    try {
      expect(await copiesOf(cluster)).toEqual([1, 1, 1]);
      const status = async () =>
        ((await inProcess({ ...place, path: first.home }).json("cluster", "status")) as { faults: string[] }).faults;
      expect((await status()).join("\n")).toContain("cluster scale");
      const doctor = JSON.parse((await inProcess({ ...place, path: first.home }).run(["doctor", "--json"])).stdout) as {
        findings: { name: string; grade: string; observed: string }[];
      };
      expect(doctor.findings.find(({ name }) => name === "cluster")).toMatchObject({
        grade: "warn",
        observed: expect.stringContaining("replicas 1"),
      });

      const steps = planFor(cluster);
      const cutOff = steps.find((step) => step.kind === "run" && step.node === second.name && step.what !== lookTitle);
      await expect(runSteps(steps, worldOf(cluster, steps, cutOff))).rejects.toMatchObject({
        code: "cluster.connection_lost",
        params: { node: second.name, detail: "connection timed out" },
      });
      // The first node gave everything its copies before another one was to be touched.
      expect((await copiesOf(cluster))[0]).toBe(3);
      const again = planFor(cluster);
      await runSteps(again, worldOf(cluster, again));
      expect(await copiesOf(cluster)).toEqual([3, 3, 3]);
      expect(await status()).toEqual([]);
      const [all = [], ...others] = cluster.nodes.map(({ data }) => streamsOn(data));
      expect(all.length).toBeGreaterThanOrEqual(6);
      expect(others).toEqual([all, all]);
      await life.end();
      expect(life.said.length).toBeGreaterThan(20);
      expect(life.founded.length).toBeGreaterThan(3);
      await eventuallyWhole(life);
      for (const stream of [streams.state, streams.rooms]) {
        const node = cluster.node((await streamLeader(cluster.nodes, stream)) ?? "no leader");
        await node.kill();
        await eventuallyWhole(life);
        await node.start();
        await expect.poll(async () => (await fetchHealth(node.url)).posture.cluster.heard, { timeout: 60_000, interval: 200 }).toBe(3);
      }
    } finally {
      await life.end();
      await life.client.close();
    }
  },
);
