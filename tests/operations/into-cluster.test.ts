/** From one machine to a cluster: what a single instance had is on every node of a new one, and nobody is served from a part of it. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prepareCluster, repositoryRoot, type TestCluster } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, healthStatus, openWorkplace, type Workplace } from "../e2e/althing-process.ts";
import { inProcess, type InProcess } from "../e2e/in-process.ts";

let place: Workplace;
let cluster: TestCluster;
let alone: InProcess;
let onNode: InProcess;
const at = (name: string) => join(place.path, name);
const alice = () => ["--as", at("alice.id")];
const seen = { history: "", events: "", blob: "" };

const nodeUrl = (n: number) => ["--url", cluster.urls[n] ?? ""];
const allAre = (status: number) =>
  eventually(
    async () => (await Promise.all(cluster.urls.map(healthStatus))).every((found) => found === status),
    `all nodes answer ${status}`,
    120_000,
  );

async function refusal(cli: InProcess, ...args: string[]): Promise<string> {
  const ran = await cli.run([...args, "--json"]);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string } }).error.code;
}

beforeAll(async () => {
  place = await openWorkplace();
  alone = inProcess(place);
  await alone.ok("identity", "new", "alice.id");
  await alone.ok("bootstrap", ...alice(), "--handle", "alice");
  const running = await place.up();
  await alone.ok("room", "create", "garden", ...alice());
  for (const text of ["one", "two", "three"]) await alone.ok("room", "send", "garden", text, ...alice());
  writeFileSync(at("leaf.txt"), "leaf");
  seen.blob = ((await alone.json("blob", "put", "leaf.txt", "--room", "garden", ...alice())) as { reference: string }).reference;
  await alone.ok("community", "create", "village", ...alice());
  await alone.ok("role", "create", "village", "gardener", ...alice());
  seen.history = await alone.ok("room", "history", "garden", ...alice());
  seen.events = await alone.ok("events", "verify", "--community", "village", ...alice());
  await alone.ok("backup", "single.backup");
  await alone.ok("stop");
  await running.exited;
  cluster = await prepareCluster();
  onNode = inProcess({ ...place, path: cluster.node("n2").home });
}, 240_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

test(
  "a cluster whose files were made of the backup takes it; cut off, it serves nobody until it is brought in again",
  { timeout: 400_000 },
  async () => {
    expect(await refusal(onNode, "restore", at("single.backup"), "--into-cluster")).toBe("restore.no_cluster");
    expect(await refusal(onNode, "restore", at("single.backup"))).toBe("cli.usage");
    // The files of the test's cluster with the keys that `cluster init --instance-of` gives.
    const nodes = join(cluster.folder, "..", "nodes.toml");
    await alone.ok("cluster", "init", nodes, "-o", at("made"), "--instance-of", at("single.backup"));
    expect(readFileSync(at("made/authority/instance.json"), "utf8")).toBe(readFileSync(at("data/keys/instance.json"), "utf8"));
    for (const { name, data } of cluster.nodes)
      copyFileSync(at(`made/${name}/data/keys/instance.json`), join(data, "keys", "instance.json"));
    for (const node of cluster.nodes) node.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));

    const child = place.spawn(["restore", at("single.backup"), "--into-cluster"], { cwd: cluster.node("n2").home });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    await eventually(() => said.includes("the hubs are held"), "the restore began", 60_000);
    child.kill("SIGTERM");
    await eventually(() => child.exitCode !== null || child.signalCode !== null, "it ended", 60_000);
    await allAre(503);

    expect(await onNode.json("restore", at("single.backup"), "--into-cluster")).toMatchObject({
      backup: { counts: { users: 1, rooms: 1 } },
    });
    await allAre(200);
    // For some seconds a signature could be one that the old instance took.
    await eventually(() => alone.ok("room", "list", ...alice(), ...nodeUrl(0)), "a fresh signature is taken", 30_000);
    for (const n of [0, 1, 2]) {
      expect(await alone.ok("room", "history", "garden", ...alice(), ...nodeUrl(n))).toBe(seen.history);
      expect(await alone.ok("events", "verify", "--community", "village", ...alice(), ...nodeUrl(n))).toBe(seen.events);
    }
    await alone.ok("blob", "get", seen.blob, "-o", at("leaf.back"), ...alice(), ...nodeUrl(2));
    expect(readFileSync(at("leaf.back"), "utf8")).toBe("leaf");
    await alone.ok("room", "send", "garden", "and on", ...alice(), ...nodeUrl(1));
    expect(await alone.ok("check", "--messages", "20", "--persist", ...alice(), ...nodeUrl(0))).toContain("golden ok: 20/20");
  },
);

test("into a cluster that is used, and from another instance's backup, nothing is brought", { timeout: 120_000 }, async () => {
  expect(await refusal(onNode, "restore", at("single.backup"), "--into-cluster")).toBe("restore.not_empty");
  const other = join(repositoryRoot, "tests/operations/recorded/schema-0.backup");
  expect(await refusal(onNode, "restore", other, "--into-cluster")).toBe("restore.foreign");
  expect(await alone.ok("room", "history", "garden", ...alice(), ...nodeUrl(0))).toContain("and on");
  // With as many copies as the cluster keeps.
  const health = (await (await fetch(`${cluster.urls[0] ?? ""}/healthz`)).json()) as { posture: { cluster: { replicas: number } } };
  expect(health.posture.cluster.replicas).toBe(3);
});
