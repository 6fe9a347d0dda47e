/** docs/guides/cluster.md, "Lose two nodes": from the one disk that is left the whole instance comes back, as the guide says it. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { prepareCluster, repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";

const program = ["--disable-warning=ExperimentalWarning", join(repositoryRoot, "packages/cli/src/main.ts")];

async function althing(cwd: string, args: readonly string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_")));
  return (await promisify(execFile)(process.execPath, [...program, ...args], { cwd, env })).stdout;
}

test("two disks are gone, the third is copied to them, and everything is there on every node", { timeout: 400_000 }, async () => {
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
  const checked = await althing(cluster.folder, ["check", "--messages", "20", "--persist", "--as", identity, "--url", lost[0]?.url ?? ""]);
  expect(checked).toContain("golden ok: 20/20 decrypted");
});
