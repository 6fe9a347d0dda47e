/** The supervisor with its real children: start, fence, restart, stop, and every way it may die. */
import { spawn } from "node:child_process";
import { readFileSync, existsSync, writeFileSync, chmodSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { eventually, healthStatus, isAlive, openWorkplace, type Running, type Workplace } from "./althing-process.ts";

const fenceLimitMs = 2_000;

function processesOf(running: Running): number[] {
  return [running.pid, running.hubPid(), running.natsPid()];
}

async function allGone(pids: readonly number[], timeoutMs = 3_000): Promise<void> {
  await eventually(() => pids.every((pid) => !isAlive(pid)), `processes ${pids.join(" ")} are gone`, timeoutMs);
}

const isFenced = (place: Workplace): boolean =>
  readFileSync(join(place.data, "nats/acl.conf"), "utf8") === readFileSync(join(place.data, "nats/fence.conf"), "utf8");

describe("start and stop", () => {
  test("up answers healthy, starts again, and Ctrl-C leaves no process and no run file", async () => {
    await using place = await openWorkplace();
    const first = await place.up();
    expect(await healthStatus(first.url)).toBe(200);
    expect(first.url).toBe(`http://localhost:${place.ports.hub}`);
    expect(first.adminLink).toContain("#");
    expect(statSync(join(place.data, "run/up.json")).mode & 0o777).toBe(0o600);
    const pids = processesOf(first);
    process.kill(first.pid, "SIGINT");
    expect(await first.exited).toEqual({ code: 0, signal: null });
    await allGone(pids);
    expect(existsSync(join(place.data, "run/up.json"))).toBe(false);

    const second = await place.up();
    expect(await healthStatus(second.url)).toBe(200);
    const later = processesOf(second);
    expect((await place.run(["stop"])).code).toBe(0);
    expect((await second.exited).code).toBe(0);
    await allGone(later);
    expect((await place.run(["stop"])).code).toBe(1);
  });

  test("a Ctrl-C that arrives twice at once, as npm passes it on, still stops in order", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const pids = processesOf(running);
    process.kill(running.pid, "SIGINT");
    process.kill(running.pid, "SIGINT");
    expect((await running.exited).code).toBe(0);
    await allGone(pids);
  });

  test("a second Ctrl-C forces a hub that hangs", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const pids = processesOf(running);
    process.kill(running.hubPid(), "SIGSTOP");
    process.kill(running.pid, "SIGINT");
    await running.said("once more forces it");
    await new Promise((done) => setTimeout(done, 800));
    process.kill(running.pid, "SIGINT");
    expect((await running.exited).code).toBe(130);
    await allGone(pids);
  });

  test("the admin link is neither printed without a terminal nor written to a log", async () => {
    await using place = await openWorkplace();
    const child = place.spawn(["up"]);
    let text = "";
    child.stdout?.on("data", (chunk) => (text += String(chunk)));
    child.stderr?.on("data", (chunk) => (text += String(chunk)));
    await eventually(() => text.includes("ready at http://localhost:"), "ready", 20_000);
    await eventually(() => text.includes("althing bootstrap"), "the hint");
    expect(text).not.toMatch(/claim/);
    for (const log of ["hub.log", "nats-server.log"])
      expect(readFileSync(join(place.data, "logs", log), "utf8")).not.toMatch(/claim#|token=/);
  });

  test("at a terminal the link is shown, Ctrl-C reaches the supervisor alone, and nothing stays", { timeout: 60_000 }, async () => {
    await using place = await openWorkplace();
    const child = spawn("script", ["-qfec", "exec ./althing up", "/dev/null"], {
      cwd: place.path,
      env: { ...place.env, TERM: "xterm" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += String(chunk)));
    await eventually(() => out.includes("/claim#token="), "the link", 20_000);
    const card = JSON.parse(readFileSync(join(place.data, "run/up.json"), "utf8")) as { pid: number };
    const pids = [card.pid, ...["hub.pid", "nats.pid"].map((file) => Number(readFileSync(join(place.data, "run", file), "utf8")))];
    const closed = new Promise<number | null>((done) => child.once("close", done));
    child.stdin.write("\u0003");
    const ended = await Promise.race([closed, sleep(20_000, `still there after: ${out}`, { ref: false })]);
    // Without its terminal the supervisor stops by SIGHUP, so that a failure leaves nothing either.
    child.kill();
    expect(ended).toBe(0);
    expect(out).toContain("stopped");
    await allGone(pids);
  });

  test("logs are JSON lines, private", async () => {
    await using place = await openWorkplace();
    await place.up();
    for (const log of ["hub.log", "nats-server.log"]) {
      const path = join(place.data, "logs", log);
      await eventually(() => readFileSync(path, "utf8").includes("\n"), `${log} has lines`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      for (const line of readFileSync(path, "utf8").trim().split("\n"))
        expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), time: expect.any(String), msg: expect.any(String) });
    }
  });
});

describe("refusals before anything is started", () => {
  test("a port in use is named with its holder and the flag, and nothing is written", async () => {
    await using place = await openWorkplace();
    for (const [name, flag] of [
      ["hub", "--port"],
      ["nats", "--nats-port"],
      ["natsWs", "--nats-ws-port"],
      ["internal", "--internal-port"],
    ] as const) {
      const holder = createServer();
      await new Promise<void>((done) => holder.listen(place.ports[name], "127.0.0.1", done));
      const ran = await place.run(["up", "--json"]);
      expect(ran.code).toBe(1);
      const { error } = JSON.parse(ran.stdout) as { error: { code: string; message: string; fix: string } };
      expect(error.code).toBe("up.port_in_use");
      expect(error.message).toContain(`process ${process.pid} (`);
      expect(error.fix).toContain(flag);
      expect(existsSync(place.data)).toBe(false);
      await new Promise((done) => holder.close(done));
    }
  });

  test("a second instance on the same folder is refused by name, the first goes on", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const ran = await place.run(["up", "--json"]);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "data.locked", params: { pid: running.pid } } });
    expect(await healthStatus(running.url)).toBe(200);
  });

  test("a run file of a dead process, or of another program with its id, does not block a start", async () => {
    await using place = await openWorkplace();
    const first = await place.up();
    const card = readFileSync(join(place.data, "run/up.json"), "utf8");
    const pids = processesOf(first);
    first.child.kill("SIGKILL");
    await allGone(pids);
    expect(existsSync(join(place.data, "run/up.json"))).toBe(true);
    const second = await place.up();
    process.kill(second.pid, "SIGTERM");
    await second.exited;
    writeFileSync(join(place.data, "run/up.json"), JSON.stringify({ ...(JSON.parse(card) as object), pid: process.pid }), { mode: 0o600 });
    const third = await place.up();
    expect(await healthStatus(third.url)).toBe(200);
  });

  test("a nats-server that is too old is refused with the reason", async () => {
    await using place = await openWorkplace();
    const old = join(place.path, "old-nats-server");
    writeFileSync(old, '#!/bin/sh\necho "nats-server: v2.9.10"\n');
    chmodSync(old, 0o755);
    const ran = await place.run(["up", "--json", "--nats-server", old]);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: { code: "nats.version", message: expect.stringMatching(/2\.9\.10.*2\.12\.0.*batches/) },
    });
    expect(existsSync(place.data)).toBe(false);
  });

  test("a data folder that is open to others is refused and not repaired", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    process.kill(running.pid, "SIGTERM");
    await running.exited;
    chmodSync(place.data, 0o755);
    const ran = await place.run(["up", "--json"]);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "data.mode" } });
    expect(statSync(place.data).mode & 0o777).toBe(0o755);
  });
});

describe("the fence", () => {
  test("a silent hub is fenced within 2 s, and lifts the fence when it is back", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    process.kill(running.hubPid(), "SIGSTOP");
    const beganMs = performance.now();
    await running.said("fence closed", fenceLimitMs);
    expect(performance.now() - beganMs).toBeLessThan(fenceLimitMs);
    expect(isFenced(place)).toBe(true);
    process.kill(running.hubPid(), "SIGCONT");
    await running.said("fence lifted");
    expect(await healthStatus(running.url)).toBe(200);
  });

  test("a killed hub is fenced at once and started again; nats-server stays", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const [hub, nats] = [running.hubPid(), running.natsPid()];
    process.kill(hub, "SIGKILL");
    await running.said("fence closed", fenceLimitMs);
    await running.said("the hub is back", 20_000);
    expect(await healthStatus(running.url)).toBe(200);
    expect(running.hubPid()).not.toBe(hub);
    expect(running.natsPid()).toBe(nats);
  });

  test("a killed nats-server is started again and the hub serves again", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const nats = running.natsPid();
    process.kill(nats, "SIGKILL");
    await running.said("nats-server ended");
    await eventually(() => running.natsPid() !== nats && isAlive(running.natsPid()), "a new nats-server", 20_000);
    await eventually(async () => (await healthStatus(running.url)) === 200, "healthy again", 20_000);
  });
});

describe("children cannot outlive the supervisor", () => {
  test("killed -9, its hub and nats-server are gone", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const pids = processesOf(running);
    running.child.kill("SIGKILL");
    await allGone(pids);
  });

  test("killed -9 while the hub hangs, they are gone all the same", async () => {
    await using place = await openWorkplace();
    const running = await place.up();
    const pids = processesOf(running);
    process.kill(running.hubPid(), "SIGSTOP");
    running.child.kill("SIGKILL");
    await allGone(pids);
  });

  test("where the kernel has no parent-death signal, the watchdog does it", async () => {
    await using place = await openWorkplace();
    const child = place.spawn(["up", "--json", "--nats-server", await natsPath()], { env: { PATH: "/nonexistent" } });
    let out = "";
    child.stdout?.on("data", (chunk) => (out += String(chunk)));
    await eventually(() => out.includes("\n"), "ready", 20_000);
    const pids = [child.pid ?? 0, ...["hub.pid", "nats.pid"].map((file) => Number(readFileSync(join(place.data, "run", file), "utf8")))];
    child.kill("SIGKILL");
    await allGone(pids);
  });
});

async function natsPath(): Promise<string> {
  const { findNatsServer } = await import("@althing/testkit");
  return findNatsServer();
}
