/** The short part of the chaos suite: a node dies, a node hangs, a node is cut off, while people write, act and are revoked. The rest: `npm run chaos`. */
import { tempDir, type TempDir } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientOf, openCrowd, type Crowd } from "./crowd.ts";
import { openGatedCluster, type GatedCluster } from "./gated-cluster.ts";
import { allServe, runRound } from "./round.ts";
import { runCommand } from "./run-command.ts";
import { scenarios } from "./scenarios.ts";

let gated: GatedCluster;
let crowd: Crowd;
let dir: TempDir;

beforeAll(async () => {
  dir = await tempDir();
  gated = await openGatedCluster();
  crowd = await openCrowd(gated.cluster);
}, 180_000);
afterAll(async () => {
  await gated?.[Symbol.asyncDispose]();
  await dir?.remove();
});

// Beside another suite on two cores nothing is judged by the two seconds that are promised: `npm run chaos` does that, alone.
describe("a cluster in use", () => {
  const short = scenarios.filter(({ isShort }) => isShort === true);
  test.each(short.map((scenario, turn) => ({ ...scenario, turn })))(
    "$name: what was acknowledged is there once, in order, on every node; nobody revoked is served",
    { timeout: 180_000 },
    async ({ turn, ...scenario }) => {
      const { faults, acknowledged } = await runRound({ gated, crowd, scenario, turn, scratch: dir.path, closeWithinMs: 10_000 });
      expect(faults).toEqual([]);
      expect(acknowledged).toBeGreaterThan(50);
    },
  );
});

describe("the operator's proof, from outside", () => {
  test("goes on when the node dies that carries it, says so, and loses and doubles nothing", { timeout: 180_000 }, async () => {
    await allServe(gated);
    const admin = clientOf(gated.cluster, crowd.admin);
    const { token } = await admin.call("invitations.create", { body: {} });
    await admin.close();
    const done = async (...args: string[]) => {
      const run = runCommand(args, dir.path);
      expect(await run.exitCode, run.stderr()).toBe(0);
    };
    await done("identity", "new", "oda.id");
    const [first = "", second = ""] = gated.cluster.urls;
    await done("join", token, "--as", "oda.id", "--handle", "oda", "--url", "http://127.0.0.1:1", "--url", second, "--url", first);
    const check = ["check", "--mode", "loop", "--persist", "--duration", "15s", "--interval", "100ms", "--as", "oda.id"];
    const run = runCommand(check, dir.path, { ALTHING_URL: gated.cluster.urls.join(", ") });
    const carrier = () => /\b(n\d) +[\d.]+ms$/m.exec(run.stdout())?.[1];
    await expect.poll(carrier, { timeout: 30_000 }).toBeDefined();
    const dead = carrier() ?? "";
    await gated.cluster.node(dead).kill();
    expect(await run.exitCode, `${run.stderr()}\n${run.stdout()}`).toBe(0);
    expect(run.stderr()).toMatch(new RegExp(`FAILOVER OBSERVED: ${dead} -> n\\d`));
    const last = run.stdout().trim().split("\n").at(-1) ?? "";
    const [, sent, received, nodes] = /^loop ok: sent (\d+), received (\d+), doubled 0, nodes (n\d(?: n\d)+)$/.exec(last) ?? [];
    expect(sent, last).toBe(received);
    expect(Number(sent)).toBeGreaterThan(100);
    expect(nodes).toContain(dead);
    expect(run.stdout()).toMatch(/^t +sent +recv +up +node +publish$/m);
  });

  test("ends with 3 when no address answers", async () => {
    const run = runCommand(["check", "--as", "oda.id", "--url", "http://127.0.0.1:1", "--url", "http://127.0.0.1:2"], dir.path);
    expect(await run.exitCode).toBe(3);
    expect(run.stderr()).toContain("client.unreachable");
  });
});
