import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { AppError, externalNats, resolveConfig, type RunFile } from "@althing/contract";
import { freePorts, tempDir } from "@althing/testkit";
import { describe, expect, test } from "vitest";
import { createBackOff } from "./back-off.ts";
import { openChildLog, toLogLine } from "./child-log.ts";
import { awaitExternalNats, externalNatsPid } from "./external-nats.ts";
import { installFence } from "./fence.ts";
import { findNatsServer, isNewEnough } from "./find-nats-server.ts";
import { checkPortsFree } from "./ports.ts";
import { isHolderRunning, lockDataFolder, prepareDataFolder, readRunFile, runFilePath } from "./run-file.ts";

describe("back-off", () => {
  test("doubles up to the largest, forgets after a healthy life, gives up after so many short ones", () => {
    const backOff = createBackOff({ firstMs: 100, largestMs: 1_000, healthyMs: 60_000, tries: 6 });
    expect([1, 1, 1, 1, 1, 1].map((lived) => backOff.next(lived))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(backOff.next(1)).toBeUndefined();
    expect(backOff.next(60_000)).toBe(100);
  });
});

describe("logs of children", () => {
  const now = () => "2026-01-01T00:00:00.000Z";

  test("every kind of line becomes one JSON object", () => {
    for (const line of [
      '{"level":"info","time":"x","msg":"m"}',
      "[12] 2026/01/02 03:04:05.678901 [WRN] Slow",
      "plain",
      '{"broken',
      "[1,2]",
      '"text"',
      "\u001b[31mred",
    ]) {
      expect(JSON.parse(toLogLine("nats", line, now).json)).toBeTypeOf("object");
    }
    expect(JSON.parse(toLogLine("nats", "[12] 2026/01/02 03:04:05.678901 [ERR] Slow", now).json)).toMatchObject({
      level: "error",
      name: "nats",
      msg: "Slow",
      time: expect.stringMatching(/^2026-01-0/),
    });
    expect(toLogLine("hub", '{"level":50,"msg":"m"}', now).record).toEqual({ level: "error", text: "m" });
  });

  test("an endless line is cut", () => expect(toLogLine("x", "a".repeat(1_000_000), now).json.length).toBeLessThan(20_000));

  test("the set of files never exceeds its bound, and the newest line is in the newest file", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "hub.log");
    const log = openChildLog({ path, source: "hub", maxBytes: 2_000, files: 3, maxPendingBytes: 1e9 });
    const stream = new PassThrough();
    log.attach(stream);
    for (let n = 0; n < 500; n += 1) stream.write(`line ${n}\n`);
    stream.end();
    await once(stream, "end");
    await log.close();
    const files = readdirSync(dir.path);
    expect(files.length).toBeLessThanOrEqual(3);
    for (const file of files) {
      expect(statSync(join(dir.path, file)).size).toBeLessThanOrEqual(2_000);
      expect(statSync(join(dir.path, file)).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(path, "utf8")).toContain("line 499");
    expect(log.tail().at(-1)).toBe("line 499");
  });
});

describe("the fence file", () => {
  test("replaces the list whole, with mode 0600, and leaves no draft", async () => {
    await using dir = await tempDir();
    const [aclFile, fenceFile] = [join(dir.path, "acl.conf"), join(dir.path, "fence.conf")];
    writeFileSync(aclFile, "users = [many]");
    writeFileSync(fenceFile, "users = [hub]");
    await installFence({ aclFile, fenceFile }, { pid: async () => undefined });
    expect(readFileSync(aclFile, "utf8")).toBe("users = [hub]");
    expect(statSync(aclFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir.path).toSorted()).toEqual(["acl.conf", "fence.conf"]);
  });
});

describe("a nats-server of the operator's", () => {
  const greeter = async (text: string): Promise<{ port: number; close: () => Promise<void> }> => {
    const server = createServer((socket) => socket.on("error", () => undefined).end(text)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return { port, close: () => new Promise((done) => server.close(() => done())) };
  };
  const at = (port: number, pidFile = "/nonexistent/nats.pid") => ({
    ...{ url: `nats://127.0.0.1:${port}`, host: "127.0.0.1", port, tls: false, aclFile: "/nonexistent/acl.conf", pidFile },
  });

  test("is told by its greeting: version, a foreign service, nobody", async () => {
    const [free = 0] = await freePorts(1);
    await expect(awaitExternalNats(at(free), 50)).rejects.toMatchObject({ code: "nats.unavailable" });
    for (const [text, outcome] of [
      ['INFO {"version":"2.15.1"}\r\n', "2.15.1"],
      ['INFO {"version":"2.12.0-beta.1"}\r\n', "2.12.0"],
      ['INFO {"version":"2.11.9"}\r\n', "nats.version"],
      ['INFO {"version":"dev"}\r\n', "nats.version"],
      ["INFO {broken\r\n", "nats.unavailable"],
      ["SSH-2.0-OpenSSH\r\n", "nats.unavailable"],
      ["", "nats.unavailable"],
      [`INFO ${"x".repeat(200_000)}`, "nats.unavailable"],
    ] as const) {
      const server = await greeter(text);
      const found = await awaitExternalNats(at(server.port), 50).then(
        ({ version }) => version,
        (error: unknown) => (error instanceof AppError ? error.code : error),
      );
      expect(found, text.slice(0, 40)).toBe(outcome);
      await server.close();
    }
  });

  test("has no process when nobody answers, and one that cannot be named is an error while somebody does", async () => {
    await using dir = await tempDir();
    const pidFile = join(dir.path, "nats.pid");
    const server = await greeter('INFO {"version":"2.15.1"}\r\n');
    const [free = 0] = await freePorts(1);
    for (const text of [undefined, "", "many", "-1", "0", "1", String(2 ** 22 - 3), `${process.pid}\n`]) {
      if (text !== undefined) writeFileSync(pidFile, text, { mode: 0o600 });
      expect(await externalNatsPid(at(free, pidFile)), text ?? "no file").toBeUndefined();
      await expect(externalNatsPid(at(server.port, pidFile)), text ?? "no file").rejects.toMatchObject({
        code: "nats.acl_unmanaged",
        faults: [{ path: "--nats-pid-file" }],
      });
    }
    chmodSync(pidFile, 0o666);
    await expect(externalNatsPid(at(free, pidFile))).rejects.toMatchObject({ code: "nats.acl_unmanaged" });
    await server.close();
  });

  test("keeps its ports: they are not asked for, and still may not be two things at once", async () => {
    const [a = 0, b = 0, c = 0, d = 0] = await freePorts(4);
    const files = { nats_acl_file: "/x/acl.conf", nats_pid_file: "/x/nats.pid" };
    const config = (url: string) =>
      resolveConfig({ flags: { port: a, nats_ws_port: c, internal_port: d, nats_url: url, ...files }, env: {}, file: {} }).config;
    const holder = createServer().listen(b, "127.0.0.1");
    await once(holder, "listening");
    await expect(checkPortsFree(config(`nats://127.0.0.1:${b}`))).resolves.toBeUndefined();
    await expect(checkPortsFree(config(`nats://127.0.0.1:${a}`))).rejects.toMatchObject({ code: "config.invalid" });
    await new Promise((done) => holder.close(done));
  });
});

describe("settings of a nats-server of the operator's", () => {
  const files = { nats_acl_file: "/x/acl.conf", nats_pid_file: "/x/nats.pid" };
  const tls = { tls_cert: "/x/c.pem", tls_key: "/x/k.pem" };
  const resolved = (flags: object) => resolveConfig({ flags: { ...flags }, env: {}, file: {} }).config;

  test("what is missing is named, and only that", () => {
    const faultsOf = (flags: object): readonly string[] => {
      try {
        resolved(flags);
        return [];
      } catch (error) {
        expect(error).toMatchObject({ code: "nats.acl_unmanaged" });
        return error instanceof AppError ? error.faults.map(({ path }) => path) : [];
      }
    };
    const nats_url = "nats://localhost:4222";
    expect(faultsOf({ nats_url })).toEqual(["--nats-acl-file", "--nats-pid-file"]);
    expect(faultsOf({ nats_url, nats_acl_file: "/x/acl.conf" })).toEqual(["--nats-pid-file"]);
    expect(faultsOf({ nats_url, nats_pid_file: "/x/nats.pid" })).toEqual(["--nats-acl-file"]);
    expect(faultsOf({ nats_url, ...files })).toEqual([]);
  });

  test("the port is the address's; in the clear it is loopback, with TLS it has our certificate", () => {
    expect(externalNats(resolved({ nats_url: "nats://[::1]:4222", ...files }))).toMatchObject({ host: "::1", port: 4_222, tls: false });
    expect(resolved({ nats_url: "nats://127.0.0.1:4222/", ...files }).ports.nats).toBe(4_222);
    expect(externalNats(resolved({ nats_url: "tls://nats.example:4222", ...files, ...tls }))).toMatchObject({
      host: "nats.example",
      tls: true,
    });
    expect(externalNats(resolved({}))).toBeUndefined();
    for (const flags of [
      { nats_url: "nats://192.0.2.1:4222", ...files },
      { nats_url: "tls://127.0.0.1:4222", ...files },
      { nats_url: "nats://127.0.0.1:4222", nats_port: 4_250, ...files },
      { nats_url: "nats://127.0.0.1:70000", ...files },
      { nats_url: "nats://127.0.0.1:0", ...files },
      { nats_url: "nats://127.0.0.1", ...files },
      { nats_url: "nats://me:secret@127.0.0.1:4222", ...files },
      { nats_url: "http://127.0.0.1:4222", ...files },
      { nats_url: "nats://127.0.0.1:4222", ...files, nats_acl_file: '/x/a" b.conf' },
      { nats_acl_file: "/x/acl.conf" },
      { nats_pid_file: "/x/nats.pid" },
    ])
      expect(() => resolved(flags), JSON.stringify(flags)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("finding nats-server", () => {
  const fake = (folder: string, version: string): string => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "nats-server");
    writeFileSync(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
    chmodSync(path, 0o755);
    return path;
  };

  test("versions compare as numbers", () => {
    expect(isNewEnough("2.9.10")).toBe(false);
    expect(isNewEnough("2.11.99")).toBe(false);
    expect(isNewEnough("2.12.0")).toBe(true);
    expect(isNewEnough("2.15.1")).toBe(true);
    expect(isNewEnough("3.0.0")).toBe(true);
  });

  test("a too old one on PATH is passed over for a newer one; alone it is named; none is none", async () => {
    await using dir = await tempDir();
    const [old, tools] = [join(dir.path, "old"), join(dir.path, "tools")];
    fake(old, "2.10.27");
    const search = (configured?: string) =>
      findNatsServer({ configured, cwd: dir.path, searchPath: `/nonexistent:${old}`, toolsFolder: tools });
    await expect(search()).rejects.toMatchObject({ code: "nats.version", params: { observed: "2.10.27" } });
    const good = fake(tools, "2.15.1");
    await expect(search()).resolves.toEqual({ path: good, version: "2.15.1" });
    await expect(search("old/nats-server")).rejects.toMatchObject({ code: "nats.version" });
    await expect(search("missing")).rejects.toMatchObject({ code: "nats.not_found" });
    await expect(
      findNatsServer({ configured: undefined, cwd: "/", searchPath: "", toolsFolder: join(dir.path, "none") }),
    ).rejects.toMatchObject({ code: "nats.not_found" });
  });
});

describe("ports", () => {
  test("two settings on one port, an address that is not ours, and a port somebody has", async () => {
    const [a = 0, b = 0, c = 0, d = 0] = await freePorts(4);
    const config = (flags: object) =>
      resolveConfig({ flags: { port: a, nats_port: b, nats_ws_port: c, internal_port: d, ...flags }, env: {}, file: {} }).config;
    await expect(checkPortsFree(config({}))).resolves.toBeUndefined();
    await expect(checkPortsFree(config({ nats_port: a }))).rejects.toMatchObject({ code: "config.invalid", params: { key: "nats_port" } });
    await expect(checkPortsFree(config({ host: "192.0.2.1", behind_proxy: true }))).rejects.toMatchObject({ code: "config.invalid" });
    const holder = createServer().listen(c, "127.0.0.1");
    await once(holder, "listening");
    await expect(checkPortsFree(config({}))).rejects.toMatchObject({
      code: "up.port_in_use",
      params: { port: c, flag: "--nats-ws-port N", holder: expect.stringContaining(String(process.pid)) },
    });
    await new Promise((done) => holder.close(done));
  });
});

describe("the lock of a data folder", () => {
  const card = (pid: number, startedAt = new Date()): RunFile => ({
    pid,
    startedAt: startedAt.toISOString(),
    url: "http://localhost:1",
    socket: "s",
    ports: { hub: 1, runner: 2, nats: 3, natsWs: 4, routes: 5, internal: 6 },
  });
  const deadPid = 2 ** 22 - 3;

  test("is taken over a stale card, updated, and released without a trace", async () => {
    await using dir = await tempDir();
    await prepareDataFolder(dir.path);
    writeFileSync(runFilePath(dir.path), JSON.stringify(card(deadPid)), { mode: 0o600 });
    const first = await lockDataFolder(dir.path, card(process.pid));
    expect(await readRunFile(dir.path)).toMatchObject({ pid: process.pid });
    expect(statSync(runFilePath(dir.path)).mode & 0o777).toBe(0o600);
    await first.update({ ...card(process.pid), url: "http://localhost:2" });
    expect(await readRunFile(dir.path)).toMatchObject({ url: "http://localhost:2" });
    await first.release();
    expect(existsSync(runFilePath(dir.path))).toBe(false);
    expect(readdirSync(join(dir.path, "run"))).toEqual([]);
  });

  test("a card whose process is gone, or began long after it, is stale; one that lies broken is set aside", async () => {
    expect(await isHolderRunning(card(deadPid))).toBe(false);
    expect(await isHolderRunning(card(process.pid, new Date(0)))).toBe(false);
    await using dir = await tempDir();
    await prepareDataFolder(dir.path);
    writeFileSync(runFilePath(dir.path), "{half", { mode: 0o600 });
    await expect(readRunFile(dir.path)).rejects.toMatchObject({ code: "data.corrupt" });
    await (await lockDataFolder(dir.path, card(process.pid))).release();
  });

  test("a card of another user's is not believed", async () => {
    await using dir = await tempDir();
    await prepareDataFolder(dir.path);
    writeFileSync(runFilePath(dir.path), JSON.stringify(card(process.pid)), { mode: 0o600 });
    const real = process.getuid;
    if (real?.() === 0) chownSync(runFilePath(dir.path), 4_711, 4_711);
    else process.getuid = () => 4_712;
    try {
      await expect(readRunFile(dir.path)).rejects.toMatchObject({ code: "data.mode", message: expect.stringMatching(/owner \d+/) });
    } finally {
      if (real !== undefined) process.getuid = real;
    }
  });

  test("a folder that is open to others is refused", async () => {
    await using dir = await tempDir();
    chmodSync(dir.path, 0o750);
    await expect(prepareDataFolder(dir.path)).rejects.toMatchObject({ code: "data.mode" });
    chmodSync(dir.path, 0o700);
  });
});
