/** Parts of the demonstration and of `cluster status` that can be wrong without a cluster: rows, contradictions, leaders, keys. */
import type { Health } from "@althing/contract";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { healthOf } from "../../test/healthy-node.ts";
import { contradictions, statusTable, type NodeAnswer } from "./ask-nodes.ts";
import { demoNodesFile } from "./demo-cluster.ts";
import { arrivedAt, verdictOf } from "./demo-failover.ts";
import { followKeys } from "./demo-keys.ts";
import type { LocalNode } from "./local-node.ts";
import { readNodesFile } from "./nodes-file.ts";
import { leaderSince } from "./stream-leader.ts";

const answer = (node: string, ...differences: readonly [Partial<Health>?, Partial<Health["posture"]["cluster"]>?]): NodeAnswer => ({
  ...{ url: `https://${node}.test`, failure: undefined },
  health: healthOf(node, ...differences),
});
const silent: NodeAnswer = { url: "https://n3.test", health: undefined, failure: "refused [client.unreachable]" };

test("a row a node, the silent one among them, with its reason", () => {
  const rows = statusTable([
    answer("n1"),
    answer("n2", { status: "unavailable", reason: "no majority" }, { quorum: false, heard: 1 }),
    silent,
  ]).split("\n");
  expect(rows[0]).toMatch(/^node +status +replicas +quorum +heard +version +address +reason$/);
  expect(rows[1]).toMatch(/^n1 +ready +3 +yes +3\/3 +1\.2\.3 +https:\/\/n1\.test$/);
  expect(rows[2]).toMatch(/^n2 +unavailable +3 +NO +1\/3 .* no majority$/);
  expect(rows[3]).toMatch(/^\? +no answer .*https:\/\/n3\.test +refused/);
});

test("a node's words cannot draw on the terminal or add a row", () => {
  const rows = statusTable([answer("n1", { reason: "a\nn9  ready\u001b[2J" })]);
  expect(rows.split("\n")).toHaveLength(2);
  expect(rows).not.toContain("\u001b");
});

test("what nodes contradict each other in is said with the next step; agreement says nothing", () => {
  expect(contradictions([answer("n1"), answer("n2"), silent])).toEqual([]);
  expect(contradictions([answer("n1"), answer("n1")])[0]).toContain("two nodes call themselves n1");
  expect(contradictions([answer("n1"), answer("n2", {}, { size: 5 })])[0]).toContain(
    "sizes differ (n1: 3, n2: 5): cluster_nodes must be the same",
  );
  expect(contradictions([answer("n1"), answer("n2", { version: "2.0.0" })])[0]).toContain("versions differ");
  expect(contradictions([answer("n1"), answer("n2", {}, { replicas: 1 })])[0]).toContain("copies differ");
  expect(contradictions([answer("n1", {}, { heard: 2 }), answer("n2", {}, { heard: 2, replicas: 2 })])).toEqual([]);
  expect(contradictions([answer("n1", {}, { replicas: 1 }), answer("n2", {}, { replicas: 1 })])).toEqual([
    "something has one copy only and is lost with its node: `althing cluster scale --replicas N` brings all nodes to one number",
  ]);
});

test("a node that starts contradicts nobody, unless by its name", () => {
  const starting = (name: string) => answer(name, { status: "starting" }, { size: 1, replicas: 1, heard: 0, quorum: false });
  expect(contradictions([answer("n1"), starting("n2")])).toEqual([]);
  expect(contradictions([answer("n1"), starting("n1")])[0]).toContain("two nodes call themselves n1");
});

test("the latest line by which a server became leader of that very stream counts", () => {
  const line = (time: string, stream: string) =>
    JSON.stringify({ level: "info", time, name: "nats-server", msg: `JetStream cluster new stream leader for 'A > ${stream}'` });
  const [early, late] = ["2026-01-01T00:00:01.000Z", "2026-01-01T00:00:09.000Z"];
  expect(leaderSince([line(early, "S0"), line(late, "R0")], "S0")).toBe(Date.parse(early));
  expect(leaderSince([line(early, "S0"), line(late, "S0")], "S0")).toBe(Date.parse(late));
  expect(leaderSince([line(early, "S00"), "no json", ""], "S0")).toBe(0);
});

test("ticks and verdict of the check are read; anything else is none", () => {
  expect(arrivedAt("12.3    120    118    up    n2       4.1ms")).toBe(118);
  for (const line of ["t       sent   recv   up    node     publish", "loop ok: sent 1, received 1, doubled 0, nodes n1", ""])
    expect(arrivedAt(line)).toBe(0);
  const verdict = { sent: 220, received: 220, doubled: 0, nodes: ["n2", "n1"] };
  expect(verdictOf(["12.3 1 1 up n1 -", "loop ok: sent 220, received 220, doubled 0, nodes n2 n1"])).toEqual(verdict);
  expect(verdictOf(["12.3 1 1 up n1 -"])).toBeUndefined();
  expect(verdictOf([])).toBeUndefined();
});

test("the demonstration's own nodes file is taken", () => {
  const ports = Array.from({ length: 18 }, (_, i) => 9000 + i);
  const plan = readNodesFile("nodes.toml", demoNodesFile("/tmp/althing-demo-1", ports));
  expect(plan.nodes.map(({ entry, home }) => [entry.url, home])).toEqual([
    ["http://localhost:9000", "/tmp/althing-demo-1/nodes/n1"],
    ["http://localhost:9006", "/tmp/althing-demo-1/nodes/n2"],
    ["http://localhost:9012", "/tmp/althing-demo-1/nodes/n3"],
  ]);
});

/** Stands for a node's processes, which the keys only switch. */
function switchable(name: string, happened: string[]): LocalNode {
  const plan = readNodesFile(
    "nodes.toml",
    demoNodesFile(
      "/tmp/althing-demo-1",
      Array.from({ length: 18 }, (_, i) => 9000 + i),
    ),
  );
  const node = plan.nodes.find((each) => each.name === name);
  if (node === undefined) throw new TypeError(name);
  let running = true;
  const become = (state: boolean, word: string) => async () => {
    await Promise.resolve();
    running = state;
    happened.push(`${word} ${name}`);
  };
  return {
    ...{ node, isRunning: () => running, adminLink: () => undefined, launch: () => undefined },
    ...{ ready: become(true, "start"), kill: become(false, "kill"), stop: become(false, "stop") },
  };
}

test("keys switch nodes in the order pressed, others are ignored, q ends after what was begun", async () => {
  const happened: string[] = [];
  const input = new PassThrough();
  const nodes = ["n1", "n2", "n3"].map((name) => switchable(name, happened));
  const over = followKeys({ input, nodes, say: () => undefined, showStatus: async () => void happened.push("status") });
  input.write("2x4");
  input.write("\n2s1q3");
  await over;
  expect(happened).toEqual(["kill n2", "start n2", "status", "kill n1"]);
});

test("a node that does not come back is told, and the keys go on", async () => {
  const happened: string[] = [];
  const said: string[] = [];
  const input = new PassThrough();
  const broken: LocalNode = { ...switchable("n1", happened), isRunning: () => false, ready: () => Promise.reject(new Error("no port")) };
  const over = followKeys({
    input,
    nodes: [broken, switchable("n2", happened)],
    say: (text) => said.push(text),
    showStatus: () => Promise.resolve(),
  });
  input.write("12q");
  await over;
  expect(said).toContain("no port");
  expect(happened).toEqual(["kill n2"]);
});
