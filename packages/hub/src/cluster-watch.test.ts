/** Hubs that hear each other over a real nats-server: for whom an answer waits that says where a change is in force. */
import type { Cluster } from "@althing/contract";
import { startNats } from "@althing/testkit";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { openClusterWatch, type ClusterWatch } from "./cluster-watch.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const node = (name: string) => ({ name, url: "", nats: "", route: "" });
const nodes = ["n1", "n2", "n3"].map(node);
const clusterAs = (name: string): Cluster => ({ size: 3, majority: 2, nodes, self: node(name) });
/** Far more than anything here takes. */
const patienceMs = 40_000;

async function world() {
  const nats = await startNats();
  ends.push(() => nats.stop());
  return async (name: string, inForce?: () => number): Promise<ClusterWatch> => {
    const account = await connect({ servers: nats.url });
    const watch = openClusterWatch({ cluster: clusterAs(name), account, monotonicMs: () => performance.now(), nowMs: Date.now });
    if (inForce !== undefined) watch.setSources({ position: inForce, inForce, heardOf: () => undefined });
    ends.push(async () => {
      watch.close();
      await account.close();
    });
    return watch;
  };
}

const hearsAll = (watch: ClusterWatch) => expect.poll(() => watch.view().missing, { timeout: 10_000 }).toEqual([]);

test("it waits until those that are there have it in force", async () => {
  const open = await world();
  let behind = 4;
  const [here] = [await open("n1", () => 5), await open("n2", () => behind), await open("n3", () => 5)];
  await hearsAll(here);
  const current = here.peers.current(5, patienceMs);
  setTimeout(() => (behind = 5), 300);
  expect(await current).toEqual({ current: 2, of: 2 });
});

test("a hub that has just begun is not waited for: it reads everything before it admits anybody", async () => {
  const open = await world();
  const [here] = [await open("n1", () => 5), await open("n2", () => 5), await open("n3")];
  await hearsAll(here);
  const beganMs = performance.now();
  expect(await here.peers.current(5, patienceMs)).toEqual({ current: 1, of: 2 });
  expect(performance.now() - beganMs).toBeLessThan(patienceMs / 2);
});

test("a hub that fell silent is not waited for until it counts as gone", async () => {
  const open = await world();
  const [here, there] = [await open("n1", () => 5), await open("n2", () => 4), await open("n3", () => 5)];
  await hearsAll(here);
  there.close();
  expect(await here.peers.current(5, patienceMs)).toEqual({ current: 1, of: 2 });
  expect(here.view().missing).toEqual([]);
});

test("a life of another node is here, then silent, then over; and over at once when a later one is heard", async () => {
  const open = await world();
  const [here, there] = [await open("n1", () => 5), await open("n2", () => 5), await open("n3", () => 5)];
  await hearsAll(here);
  const life = (of: string) => expect.poll(() => here.lifeOf("n2", of), { timeout: 20_000, interval: 50 });
  await life(there.boot).toBe("here");
  await life("of which nothing was ever heard").toBe("here");
  expect(here.lifeOf("n1", here.boot)).toBe("here");
  there.close();
  await life(there.boot).toBe("silent");
  await life(there.boot).toBe("over");
  const again = await open("n2", () => 5);
  await hearsAll(here);
  await life(again.boot).toBe("here");
  expect(here.lifeOf("n2", there.boot)).toBe("over");
});

test("a minority takes nobody for silent", async () => {
  const open = await world();
  const [here, there] = [await open("n1", () => 5), await open("n2", () => 5)];
  await expect.poll(() => here.view().missing, { timeout: 10_000 }).toEqual(["n3"]);
  there.close();
  await expect.poll(() => here.view().hasQuorum, { timeout: 10_000 }).toBe(false);
  expect(here.lifeOf("n2", there.boot)).toBe("here");
  expect(here.lifeOf("n3", undefined)).toBe("here");
});
