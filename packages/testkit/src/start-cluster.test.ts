/** The launcher of clusters, by a cluster: three real nodes, killed, frozen, started again, and nothing left. */
import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { prepareCluster, startCluster } from "./start-cluster.ts";

const gone = (pid: number | undefined): boolean => {
  try {
    process.kill(pid ?? 0, 0);
    return pid === undefined;
  } catch {
    return true;
  }
};

async function statusOf(url: string): Promise<number | string> {
  return fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ status }) => status,
    () => "no answer",
  );
}

/** A node that has just come back may be behind once more for a moment, and says so. */
const serves = (url: string) => expect.poll(() => statusOf(url), { timeout: 60_000 }).toBe(200);

test(
  "three nodes come up in any order, one is killed with all it started and comes back, and nothing is left",
  { timeout: 240_000 },
  async () => {
    const cluster = await startCluster();
    const pids: (number | undefined)[] = [];
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new TypeError("three were asked for");
    try {
      for (const node of cluster.nodes) {
        await serves(node.url);
        const own = [node.pid, await node.hubPid(), await node.natsPid()];
        expect(new Set(own).size).toBe(3);
        expect(own).not.toContain(undefined);
        pids.push(...own);
      }
      const killed = [second.pid, await second.hubPid(), await second.natsPid()];
      await second.kill();
      await expect.poll(() => killed.every(gone), { timeout: 5_000 }).toBe(true);
      expect(second.pid).toBeUndefined();
      expect(await statusOf(second.url)).toBe("no answer");
      await second.start();
      await serves(second.url);
      pids.push(second.pid, await second.natsPid());
      await first.freeze();
      expect(await statusOf(first.url)).toBe("no answer");
      await first.thaw();
      await serves(first.url);
    } finally {
      await cluster[Symbol.asyncDispose]();
    }
    await expect.poll(() => pids.every(gone), { timeout: 5_000 }).toBe(true);
    await expect(stat(cluster.folder)).rejects.toThrow("ENOENT");
  },
);

test(
  "a node alone says for whom it waits; all open when all are there; after a power cut two of them are enough",
  { timeout: 400_000 },
  async () => {
    await using cluster = await prepareCluster();
    const [first, second, third] = cluster.nodes;
    if (first === undefined || second === undefined || third === undefined) throw new TypeError("three were asked for");
    first.launch();
    await expect
      .poll(() => first.logs(), { timeout: 60_000 })
      .toMatch(/waiting for a majority \(2 of 3 nodes; 1 is up\): no answer from n2 \(http.*n3 \(/);
    await expect.poll(() => statusOf(first.url), { timeout: 60_000 }).toBe(503);
    third.launch();
    second.launch();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    third.launch();
    first.launch();
    await Promise.all([third.ready(), first.ready()]);
    for (const node of [third, first]) await serves(node.url);
    await second.start();
    await serves(second.url);
  },
);

test("what a cluster cannot be made of is an error with the command's own words", async () => {
  await expect(prepareCluster({ settings: 'log_level = "loud"' })).rejects.toMatchObject({ code: "up.failed" });
});
