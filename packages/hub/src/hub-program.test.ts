/** The hub as a process: the supervisor's protocol, the fence, a lost nats-server, a second start, one-shot bootstrap. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bootstrapSchema, newInstanceKeys } from "@althing/contract";
import { tempDir } from "@althing/testkit";
import { plainRequest, startHubProcess, startNatsServer, testConfig } from "../test/hub-process.ts";
import { callAs, newIdentity } from "../test/serve-hub.ts";
import { readConfig } from "./hub-program.ts";

const program = fileURLToPath(new URL("./main.ts", import.meta.url));

async function oneShot(data: string, input: unknown): Promise<{ code: number | null; answer: Record<string, unknown> }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, "one-shot", "bootstrap", "--data", data], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(input));
  const [out] = await Promise.all([readText(child.stdout), once(child, "exit")]);
  return { code: child.exitCode, answer: JSON.parse(out) as Record<string, unknown> };
}

async function healthOf(url: string): Promise<{
  status: number;
  body: { status: string; reason?: string; claimable: boolean; posture: { acl: { state: string }; fsync: string } };
}> {
  const { status, body } = await plainRequest({ url: `${url}/healthz` });
  return { status, body: JSON.parse(body) as Awaited<ReturnType<typeof healthOf>>["body"] };
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("it did not come");
}

test("start, claim by the one-time link, fence, lost nats-server, stop, second start", { timeout: 60_000 }, async () => {
  await using dir = await tempDir();
  const config = await testConfig(join(dir.path, "data"));
  const hub = await startHubProcess(config);
  try {
    const health = await healthOf(hub.url);
    expect(health).toMatchObject({
      status: 200,
      body: { status: "ready", claimable: true, founding: "admin_only", posture: { acl: { state: "live" }, fsync: "always" } },
    });
    expect((await stat(join(config.data, "run", "hub.sock"))).mode & 0o777).toBe(0o600);

    const token = new URL(hub.adminLink ?? "").hash.replace("#token=", "");
    const admin = await newIdentity();
    const claim = { method: "POST", path: "/api/claim", body: { token, handle: "alice", keys: admin.card } };
    expect((await callAs(hub, await newIdentity(), { ...claim, body: { ...claim.body, token: "A".repeat(43) } })).code).not.toBe(undefined);
    expect((await callAs(hub, admin, claim)).status).toBe(201);
    expect((await callAs(hub, await newIdentity(), claim)).status).toBeGreaterThanOrEqual(400);
    expect((await healthOf(hub.url)).body.claimable).toBe(false);

    hub.send({ type: "fenced" });
    await until(async () => hub.log().includes("open again"));
    expect((await callAs(hub, admin, { method: "GET", path: "/api/me" })).status).toBe(200);

    hub.nats.kill("SIGKILL");
    await until(async () => (await healthOf(hub.url)).status === 503);
    expect((await callAs(hub, admin, { method: "GET", path: "/api/me" })).code).toBe("system.unavailable");
    const folder = {
      natsConfig: join(config.data, "nats", "nats.conf"),
      pidFile: join(config.data, "run", "nats.pid"),
      port: config.ports.nats,
    };
    const again = await startNatsServer(folder);
    try {
      hub.send({ type: "nats-started", pid: again.pid ?? 0 });
      await until(async () => (await healthOf(hub.url)).status === 200);
      expect((await callAs(hub, admin, { method: "GET", path: "/api/me" })).status).toBe(200);
    } finally {
      await hub.stop();
      const gone = once(again, "exit");
      again.kill("SIGTERM");
      await gone;
    }
    expect(hub.hub.exitCode).toBe(0);
    expect(hub.log()).not.toContain(token);
    expect(hub.messages.filter((message) => message.type === "failed")).toEqual([]);

    const second = await startHubProcess(config);
    try {
      expect(second.adminLink).toBe(undefined);
      expect((await callAs(second, admin, { method: "GET", path: "/api/me" })).json).toMatchObject({ handle: "alice", role: "admin" });
      const late = await newIdentity();
      expect((await oneShot(config.data, { handle: "late", signPub: late.signPub, keys: late.card })).answer).toMatchObject({
        code: "data.locked",
      });
      second.hub.disconnect();
      await once(second.hub, "exit");
    } finally {
      await second.stop();
    }
  } finally {
    await hub.stop();
  }
});

test("one-shot bootstrap makes the first admin of a folder where nothing runs, once", { timeout: 30_000 }, async () => {
  await using dir = await tempDir();
  const data = join(dir.path, "data");
  const [first, second] = [await newIdentity(), await newIdentity()];
  const body = (identity: typeof first, handle: string) =>
    bootstrapSchema.parse({ handle, signPub: identity.signPub, keys: identity.card });
  expect(await oneShot(data, { handle: "a" })).toMatchObject({ code: 1, answer: { code: "request.invalid" } });
  expect(await oneShot(data, body(first, "alice"))).toMatchObject({ code: 0, answer: { handle: "alice", role: "admin" } });
  expect(await oneShot(data, body(second, "bob"))).toMatchObject({ code: 1, answer: { code: "bootstrap.closed" } });
  const hub = await startHubProcess(await testConfig(data));
  try {
    expect(hub.adminLink).toBe(undefined);
    expect((await callAs(hub, first, { method: "GET", path: "/api/me" })).status).toBe(200);
  } finally {
    await hub.stop();
  }
});

test("a port in use fails the start with the port and the flag, before nats-server is asked for", { timeout: 20_000 }, async () => {
  await using dir = await tempDir();
  const config = await testConfig(join(dir.path, "data"));
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(config.ports.hub, "::1", resolve));
  try {
    await expect(startHubProcess(config)).rejects.toThrow("up.port_in_use");
  } finally {
    await new Promise((resolve) => squatter.close(resolve));
  }
});

test("the state in JetStream serves as well as SQLite", { timeout: 30_000 }, async () => {
  await using dir = await tempDir();
  const hub = await startHubProcess(await testConfig(join(dir.path, "data"), { store: "kv" }));
  try {
    const admin = await newIdentity();
    const token = new URL(hub.adminLink ?? "").hash.replace("#token=", "");
    expect(
      (await callAs(hub, admin, { method: "POST", path: "/api/claim", body: { token, handle: "alice", keys: admin.card } })).status,
    ).toBe(201);
    expect((await callAs(hub, admin, { method: "GET", path: "/api/me" })).status).toBe(200);
    expect((await plainRequest({ url: `${hub.url}/healthz` })).body).toContain('"kind":"jetstream"');
  } finally {
    await hub.stop();
  }
});

test.each(["kv", "sqlite"])(
  "with another instance's keys a store of %s is refused, and serves again with its own",
  { timeout: 60_000 },
  async (store) => {
    await using dir = await tempDir();
    const config = await testConfig(join(dir.path, "data"), { store });
    await (await startHubProcess(config)).stop();
    const path = join(config.data, "keys", "instance.json");
    const own = await readFile(path, "utf8");
    await writeFile(path, JSON.stringify(newInstanceKeys(() => randomBytes(32).toString("base64url"))));
    await expect(startHubProcess(config)).rejects.toThrow("data.key_foreign");
    await writeFile(path, own);
    const again = await startHubProcess(config);
    try {
      expect((await healthOf(again.url)).status).toBe(200);
    } finally {
      await again.stop();
    }
  },
);

test("the hub alone says how it is started, and settings from the supervisor are checked again", async () => {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], { stdio: ["ignore", "ignore", "pipe"] });
  const [complaint] = await Promise.all([readText(child.stderr), once(child, "exit")]);
  expect([child.exitCode, complaint]).toEqual([2, expect.stringContaining("althing up")]);
  expect(() => readConfig({ host: "0.0.0.0" })).toThrow("certificate");
  expect(() => readConfig({ host: "0.0.0.0", auth: "off" })).toThrow("auth = off");
});
