/**
 * docs/guides/runbooks.md, "Lose a node" and "Lose two": administration goes on while the node that leads is down, and from the one disk that is left the whole
 * instance comes back.
 */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetchHealth } from "@althing/client";
import { streams } from "@althing/contract";
import { prepareCluster, repositoryRoot, type TestCluster, type TestNode } from "@althing/testkit";
import { expect, test } from "vitest";
import { streamLeader } from "@althing/cli";

const program = ["--disable-warning=ExperimentalWarning", join(repositoryRoot, "packages/cli/src/main.ts")];

async function althing(cwd: string, args: readonly string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_")));
  return (await promisify(execFile)(process.execPath, [...program, ...args], { cwd, env })).stdout;
}

/** On a busy machine an election outlasts the patience of one command, and a person types it again. */
async function admitted(type: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await type();
    } catch (error) {
      if (tries === 3 || !/\[(?:store|system|nats)\.unavailable\]|\[auth\.nonce_unavailable\]/.test(String(error))) throw error;
    }
  }
}

/** Kills the node that leads the state, and admits a person on another at once. @returns what the command printed */
async function admitWithoutLeader(cluster: TestCluster, identity: string): Promise<string> {
  const name = await streamLeader(cluster.nodes, streams.state);
  const leader = cluster.node(name ?? "no leader");
  const asked = cluster.nodes.flatMap((node) => (node === leader ? [] : ["--url", node.url]));
  await leader.kill();
  const words = ["user", "add", "--handle", "bob", "--sign-pub", "ab".repeat(32), "--as", identity, ...asked];
  const printed = await admitted(() => althing(cluster.folder, words));
  await leader.start();
  const hearsAll = async ({ url }: TestNode) => (await fetchHealth(url).catch(() => undefined))?.posture.cluster.heard === 3;
  await expect
    .poll(() => Promise.all(cluster.nodes.map(hearsAll)), { timeout: 60_000, interval: 200 })
    .toEqual(cluster.nodes.map(() => true));
  return printed;
}

test(
  "with the leader down a person is admitted; then two disks are gone, the third is copied to them, and everything is there on every node",
  { timeout: 400_000 },
  async () => {
    await using cluster = await prepareCluster();
    const [left, ...lost] = cluster.nodes;
    if (left === undefined) throw new TypeError("three nodes were asked for");
    for (const node of cluster.nodes) node.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    const identity = join(cluster.folder, "alice.id");
    const as = ["--as", identity, "--url", left.url];
    await althing(cluster.folder, ["identity", "new", identity]);
    await althing(cluster.folder, ["bootstrap", "--as", identity, "--handle", "alice", "--data", left.data]);
    await althing(cluster.folder, ["room", "create", "garden", ...as]);
    await althing(cluster.folder, ["room", "send", "garden", "the gate is open", ...as]);
    // Two of the others are asked for, one of them is down: one has it, and the one that is down will read it before it admits anybody.
    expect(await admitWithoutLeader(cluster, identity)).toContain("replicas current 1/2");
    for (const node of cluster.nodes)
      expect(await althing(cluster.folder, ["user", "list", "--as", identity, "--url", node.url]), node.name).toMatch(/\bbob\b/);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    for (const node of lost) {
      await rm(node.data, { recursive: true });
      await promisify(execFile)("cp", ["-a", left.data, node.data]);
      await rm(join(node.data, "run"), { recursive: true });
    }
    for (const node of cluster.nodes) node.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    for (const node of cluster.nodes)
      expect(await althing(cluster.folder, ["room", "history", "garden", "--as", identity, "--url", node.url]), node.name).toContain(
        "the gate is open",
      );
    const checked = await althing(cluster.folder, [
      "check",
      "--messages",
      "20",
      "--persist",
      "--as",
      identity,
      "--url",
      lost[0]?.url ?? "",
    ]);
    expect(checked).toContain("golden ok: 20/20 decrypted");
  },
);
