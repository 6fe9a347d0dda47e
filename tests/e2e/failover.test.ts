/** Processes die while people talk: nothing acknowledged is lost, nothing comes twice. */
import { describe, expect, test } from "vitest";
import { createClient, identityFromPhrase, openMemoryState } from "@althing/client";
import { eventually, healthStatus, openWorkplace, type Running, type Workplace } from "./althing-process.ts";

async function withAdmin(): Promise<{ place: Workplace; running: Running }> {
  const place = await openWorkplace();
  const running = await place.up();
  await place.ok("identity", "new", "alice.id");
  await place.ok("bootstrap", "--as", "alice.id", "--handle", "alice");
  return { place, running };
}

interface LoopResult {
  readonly ok: boolean;
  readonly sent: number;
  readonly received: number;
  readonly doubled: number;
  readonly ticks: readonly { readonly publish: string }[];
}

async function loopThrough(place: Workplace, harm: (ticks: () => number) => Promise<void>): Promise<LoopResult> {
  const child = place.spawn(["check", "--mode", "loop", "--persist", "--duration", "7s", "--interval", "100ms", "--as", "alice.id"]);
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const closed = new Promise<number | null>((done) => child.once("close", done));
  await harm(() => out.split("\n").length - 2);
  expect(await closed, `${err}\n${out}`).toBe(0);
  const last = out.trim().split("\n").at(-1) ?? "";
  const match = /^loop ok: sent (\d+), received (\d+), doubled (\d+), nodes \S+/.exec(last);
  expect(match, last).not.toBeNull();
  return { ok: true, sent: Number(match?.[1]), received: Number(match?.[2]), doubled: Number(match?.[3]), ticks: [] };
}

describe("check --mode loop on a persisted room", () => {
  test("the hub is killed and started again in the middle: sent = received, doubled 0", { timeout: 60_000 }, async () => {
    const { place, running } = await withAdmin();
    await using _ = place;
    const result = await loopThrough(place, async (ticks) => {
      await eventually(() => ticks() > 15, "some ticks");
      process.kill(running.hubPid(), "SIGKILL");
      await running.said("the hub is back", 20_000);
    });
    expect(result).toMatchObject({ sent: 70, received: 70, doubled: 0 });
  });

  test("nats-server is killed and started again in the middle: sent = received, doubled 0", { timeout: 60_000 }, async () => {
    const { place, running } = await withAdmin();
    await using _ = place;
    const result = await loopThrough(place, async (ticks) => {
      await eventually(() => ticks() > 15, "some ticks");
      process.kill(running.natsPid(), "SIGKILL");
      await eventually(async () => (await healthStatus(running.url)) === 200, "healthy", 20_000);
    });
    expect(result).toMatchObject({ sent: 70, received: 70, doubled: 0 });
  });
});

describe("a hub that hangs", () => {
  test("cuts users off NATS within 2 s, and lets them in again when it is back", { timeout: 60_000 }, async () => {
    const { place, running } = await withAdmin();
    await using _ = place;
    const { phrase } = (await place.json("identity", "backup", "alice.id", "--yes")) as { phrase: string };
    const client = createClient({ identity: await identityFromPhrase(phrase), urls: [running.url], state: openMemoryState() });
    try {
      const [cut, back] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
      const room = await client.rooms.create({ name: "held" });
      await room.send("before");
      client.on("connection", ({ plane, state }) => {
        if (plane !== "nats") return;
        if (state === "connected") back.resolve(performance.now());
        else cut.resolve(performance.now());
      });
      process.kill(running.hubPid(), "SIGSTOP");
      const stoppedMs = performance.now();
      expect((await cut.promise) - stoppedMs).toBeLessThan(2_000);
      process.kill(running.hubPid(), "SIGCONT");
      await back.promise;
      await room.send("after");
      expect((await room.history({ last: 10 })).map((event) => (event.kind === "message" ? event.text : ""))).toEqual(["before", "after"]);
    } finally {
      await client.close();
    }
  });
});
