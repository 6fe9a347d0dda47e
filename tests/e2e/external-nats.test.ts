/** An instance on a nats-server that the operator runs: taken over, fenced in every way the instance may die, and never ended. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient, identityFromPhrase, openMemoryState, type AlthingClient } from "@althing/client";
import { findNatsServer, repositoryRoot } from "@althing/testkit";
import { describe, expect, test } from "vitest";
import { eventually, healthStatus, isAlive, openWorkplace, type Running, type Workplace } from "./althing-process.ts";

const cutOffLimitMs = 2_000;

interface OwnServer {
  readonly pid: number;
  logs(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const dieWithParent =
  process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0
    ? ["setpriv", "--pdeathsig", "KILL"]
    : [];

async function startServer(configFile: string): Promise<OwnServer> {
  const words = [...dieWithParent, await findNatsServer(), "-c", configFile];
  const child: ChildProcess = spawn(words[0] ?? "", words.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = once(child, "exit");
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(text);
    return text.includes("Server is ready");
  }, "nats-server serves");
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return { pid: child.pid ?? 0, logs: () => text, kill, [Symbol.asyncDispose]: () => kill("SIGTERM") };
}

interface Ground {
  readonly place: Workplace;
  readonly folder: string;
  readonly configFile: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Settings for a server of one's own, and its configuration as the command prints it, changed or not. */
async function openGround(change: (config: string) => string = (config) => config): Promise<Ground> {
  const place = await openWorkplace();
  const folder = join(place.path, "own-nats");
  mkdirSync(folder, { mode: 0o755 });
  const settings = {
    nats_url: `nats://127.0.0.1:${place.ports.nats}`,
    nats_acl_file: "own-nats/acl.conf",
    nats_pid_file: "own-nats/nats.pid",
  };
  const toml = join(place.path, "althing.toml");
  const lines = Object.entries(settings).map(([name, value]) => `${name} = "${value}"\n`);
  writeFileSync(toml, readFileSync(toml, "utf8") + lines.join(""));
  const configFile = join(folder, "nats.conf");
  writeFileSync(configFile, change(await place.ok("config", "--nats-config")));
  return { place, folder, configFile, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

/** No system account for the hub: the list is reloaded by signal. */
const withoutSystem = (config: string): string => config.replace(/^ {2}SYS: .*$/m, "  SYS: { }");

async function makeAdmin(place: Workplace): Promise<void> {
  await place.ok("identity", "new", "alice.id");
  await place.ok("bootstrap", "--as", "alice.id", "--handle", "alice");
}

async function clientOf(place: Workplace, running: Running, file: string): Promise<AlthingClient> {
  const { phrase } = (await place.json("identity", "backup", file, "--yes")) as { phrase: string };
  return createClient({ identity: await identityFromPhrase(phrase), urls: [running.url], state: openMemoryState() });
}

/** Connects somebody, does harm, and measures how long it takes until NATS has closed the connection. */
async function cutOffAfter(place: Workplace, running: Running, harm: () => void, undo: () => void = () => undefined): Promise<number> {
  const client = await clientOf(place, running, "alice.id");
  try {
    const room = await client.rooms.create({ name: `held-${Date.now()}` });
    await room.send("before");
    const cut = Promise.withResolvers<number>();
    client.on("connection", ({ plane, state }) => {
      if (plane === "nats" && state !== "connected") cut.resolve(performance.now());
    });
    const beganMs = performance.now();
    harm();
    return (await cut.promise) - beganMs;
  } finally {
    undo();
    await client.close();
  }
}

const isFenced = ({ place, folder }: Ground): boolean =>
  readFileSync(join(folder, "acl.conf"), "utf8") === readFileSync(join(place.data, "nats/fence.conf"), "utf8");

async function refusalOf(place: Workplace, ...args: string[]): Promise<{ code: string; text: string }> {
  const ran = await place.run(["up", "--json", ...args]);
  expect(ran.code).toBeGreaterThan(0);
  const { error } = JSON.parse(ran.stdout) as { error: { code: string } };
  return { code: error.code, text: JSON.stringify(error) };
}

describe.each([
  ["with the system account", (config: string) => config],
  ["without it, by signal", withoutSystem],
])("an instance on the operator's server, %s", (_name, change) => {
  test("people talk, a revoked one is cut off at once, and after stop the server runs on, closed", { timeout: 60_000 }, async () => {
    await using ground = await openGround(change);
    const { place } = ground;
    await using server = await startServer(ground.configFile);
    const running = await place.up();
    expect(existsSync(join(place.data, "nats/nats.conf"))).toBe(false);
    await makeAdmin(place);
    await place.ok("identity", "new", "bob.id");
    const { token } = (await place.json("invite", "--as", "alice.id")) as { token: string };
    await place.ok("join", token, "--as", "bob.id", "--handle", "bob");
    const [alice, bob] = await Promise.all([clientOf(place, running, "alice.id"), clientOf(place, running, "bob.id")]);
    try {
      const own = await bob.rooms.create({ name: "bobs" });
      await own.send("hello");
      const room = await alice.rooms.create({ name: "garden" });
      await room.send("there");
      expect((await room.history({ last: 10 })).map((event) => (event.kind === "message" ? event.text : ""))).toEqual(["there"]);
      const cut = Promise.withResolvers<number>();
      bob.on("connection", ({ plane, state }) => {
        if (plane === "nats" && state !== "connected") cut.resolve(performance.now());
      });
      const beganMs = performance.now();
      await alice.call("users.revoke", { params: { signPub: bob.identity.signPub } });
      expect((await cut.promise) - beganMs).toBeLessThan(cutOffLimitMs);
      await room.send("still here");
    } finally {
      await Promise.all([alice.close(), bob.close()]);
    }
    expect((await place.run(["stop"])).code).toBe(0);
    expect(await running.exited).toEqual({ code: 0, signal: null });
    expect(isAlive(server.pid)).toBe(true);
    expect(isFenced(ground)).toBe(true);
  });

  test("kill -9 of the hub cuts everybody off within the time of the fence, and it comes back", { timeout: 60_000 }, async () => {
    await using ground = await openGround(change);
    const { place } = ground;
    await using server = await startServer(ground.configFile);
    const running = await place.up();
    await makeAdmin(place);
    expect(await cutOffAfter(place, running, () => process.kill(running.hubPid(), "SIGKILL"))).toBeLessThan(cutOffLimitMs);
    await running.said("the hub is back", 20_000);
    expect(await healthStatus(running.url)).toBe(200);
    expect(isAlive(server.pid)).toBe(true);
  });
});

describe("the fence on the operator's server", () => {
  test("a hub that hangs is fenced, and lifts the fence when it is back", { timeout: 60_000 }, async () => {
    await using ground = await openGround();
    const { place } = ground;
    await using _ = await startServer(ground.configFile);
    const running = await place.up();
    await makeAdmin(place);
    const hub = running.hubPid();
    let closed = false;
    const undo = (): void => {
      closed = isFenced(ground);
      process.kill(hub, "SIGCONT");
    };
    expect(await cutOffAfter(place, running, () => process.kill(hub, "SIGSTOP"), undo)).toBeLessThan(cutOffLimitMs);
    expect(closed).toBe(true);
    await running.said("fence lifted");
    expect(await healthStatus(running.url)).toBe(200);
  });

  test("kill -9 of the supervisor, and of hub and supervisor together, leaves a closed server behind", { timeout: 60_000 }, async () => {
    await using ground = await openGround();
    const { place } = ground;
    await using server = await startServer(ground.configFile);
    const first = await place.up();
    await makeAdmin(place);
    const hub = first.hubPid();
    expect(await cutOffAfter(place, first, () => first.child.kill("SIGKILL"))).toBeLessThan(cutOffLimitMs);
    await eventually(() => isFenced(ground) && !isAlive(hub), "closed, and the hub gone");
    const second = await place.up();
    const both = (): void => {
      process.kill(second.hubPid(), "SIGSTOP");
      second.child.kill("SIGKILL");
    };
    expect(await cutOffAfter(place, second, both)).toBeLessThan(cutOffLimitMs);
    await eventually(() => isFenced(ground), "closed again");
    expect(isAlive(server.pid)).toBe(true);
    const third = await place.up();
    expect(await healthStatus(third.url)).toBe(200);
  });

  test("a pid file that is gone keeps the supervisor trying until the fence is closed", { timeout: 60_000 }, async () => {
    await using ground = await openGround();
    const { place, folder } = ground;
    await using _ = await startServer(ground.configFile);
    const running = await place.up();
    await makeAdmin(place);
    const pidFile = join(folder, "nats.pid");
    const cut = cutOffAfter(place, running, () => {
      renameSync(pidFile, `${pidFile}.away`);
      process.kill(running.hubPid(), "SIGKILL");
    });
    await running.said("the fence could not be installed");
    renameSync(`${pidFile}.away`, pidFile);
    await cut;
    await running.said("the hub is back", 20_000);
  });

  test("a server that is killed and started again is taken over again", { timeout: 60_000 }, async () => {
    await using ground = await openGround();
    const { place } = ground;
    const first = await startServer(ground.configFile);
    const running = await place.up();
    await first.kill("SIGKILL");
    await eventually(async () => (await healthStatus(running.url)) === 503, "closed");
    await using _ = await startServer(ground.configFile);
    await eventually(async () => (await healthStatus(running.url)) === 200, "healthy again", 20_000);
    await makeAdmin(place);
    expect(await cutOffAfter(place, running, () => process.kill(running.hubPid(), "SIGKILL"))).toBeLessThan(cutOffLimitMs);
  });
});

describe("refused", () => {
  test("without the files that make the list ours, by name, before anything is written", async () => {
    await using place = await openWorkplace();
    const url = `nats://127.0.0.1:${place.ports.nats}`;
    const bare = await refusalOf(place, "--nats-url", url);
    expect(bare).toMatchObject({ code: "nats.acl_unmanaged", text: expect.stringMatching(/--nats-acl-file.*--nats-pid-file/) });
    const half = await refusalOf(place, "--nats-url", url, "--nats-acl-file", "acl.conf");
    expect(half.code).toBe("nats.acl_unmanaged");
    expect(half.text).toContain('"--nats-pid-file"');
    expect(half.text).not.toContain('"--nats-acl-file"');
    expect(existsSync(place.data)).toBe(false);
  });

  test("a server that is too old, by the version it greets with", async () => {
    await using place = await openWorkplace();
    const { createServer } = await import("node:net");
    const old = createServer((socket) => socket.end(`INFO ${JSON.stringify({ server_id: "x", version: "2.10.27" })}\r\n`));
    await new Promise<void>((done) => old.listen(place.ports.nats, "127.0.0.1", done));
    const files = ["--nats-acl-file", "acl.conf", "--nats-pid-file", "nats.pid"];
    expect(await refusalOf(place, "--nats-url", `nats://127.0.0.1:${place.ports.nats}`, ...files)).toMatchObject({
      code: "nats.version",
      text: expect.stringContaining("2.10.27"),
    });
    expect(existsSync(place.data)).toBe(false);
    old.close();
  });

  test("a server that reads another access list, with the hub's key in it", { timeout: 30_000 }, async () => {
    await using ground = await openGround((config) => config.replace("./acl.conf", "./other.conf"));
    writeFileSync(join(ground.folder, "other.conf"), readFileSync(join(ground.folder, "acl.conf")));
    await using _ = await startServer(ground.configFile);
    expect(await refusalOf(ground.place)).toMatchObject({
      code: "nats.acl_unmanaged",
      text: expect.stringContaining("does not include this file"),
    });
  });

  test("a server that admits clients without a key", { timeout: 30_000 }, async () => {
    const open = (config: string): string =>
      config.replace(/^accounts \{$/m, "no_auth_user: anybody\naccounts {\n  OPEN: { users: [ { user: anybody, password: x } ] }");
    await using ground = await openGround(open);
    await using _ = await startServer(ground.configFile);
    expect(await refusalOf(ground.place)).toMatchObject({ code: "nats.acl_unmanaged", text: expect.stringContaining("without any key") });
  });

  test("a pid file that names another program, which gets no signal", { timeout: 30_000 }, async () => {
    await using ground = await openGround((config) => config.replace("own-nats/nats.pid", "own-nats/real.pid"));
    await using _ = await startServer(ground.configFile);
    // SIGHUP would end it.
    const bystander = spawn("sleep", ["60"], { stdio: "ignore" });
    const ended = once(bystander, "exit");
    try {
      writeFileSync(join(ground.folder, "nats.pid"), `${bystander.pid ?? 0}\n`);
      expect(await refusalOf(ground.place)).toMatchObject({
        code: "nats.acl_unmanaged",
        text: expect.stringContaining("names no running nats-server"),
      });
      expect(isAlive(bystander.pid ?? 0)).toBe(true);
    } finally {
      bystander.kill("SIGKILL");
      await ended;
    }
  });

  test("an access list in a folder that others may write", async () => {
    await using ground = await openGround();
    chmodSync(ground.folder, 0o777);
    const ran = await ground.place.run(["config", "--nats-config", "--json"]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "data.mode" } });
  });
});

describe("the operator's guide", () => {
  const guide = readFileSync(join(repositoryRoot, "docs/guides/operator.md"), "utf8");

  function block(kind: string): string {
    const found = new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(guide)?.[1];
    if (found === undefined) throw new Error(`the guide has no ${kind} block`);
    return found;
  }

  test(
    "shows the configuration that the command prints, and nats-server serves an instance with exactly that",
    { timeout: 60_000 },
    async () => {
      await using ground = await openGround();
      const { place, folder, configFile } = ground;
      const printed = readFileSync(configFile, "utf8");
      const key = /nkey: (U[A-Z2-7]{55})/.exec(printed)?.[1] ?? "";
      const shown = block("conf")
        .replace("SYSTEM_KEY", key)
        .replaceAll("/srv/althing/data", place.data)
        .replaceAll("/srv/althing/nats", folder)
        .replaceAll("127.0.0.1:4251", `127.0.0.1:${place.ports.natsWs}`)
        .replaceAll("port: 4250", `port: ${place.ports.nats}`);
      expect(shown.trim()).toBe(printed.trim());
      writeFileSync(configFile, shown);
      await using _ = await startServer(configFile);
      const running = await place.up();
      expect(await healthStatus(running.url)).toBe(200);
    },
  );

  test("its line for systemd closes the fence with nothing of the instance's help", { timeout: 60_000 }, async () => {
    await using ground = await openGround();
    const { place, folder } = ground;
    await using server = await startServer(ground.configFile);
    const running = await place.up();
    await makeAdmin(place);
    const line = /^ExecStopPost=(.*)$/m.exec(guide)?.[1] ?? "";
    expect(line).not.toBe("");
    // A unit's own quoting ends at the shell's; $$ is systemd's $.
    const script = (/^\/bin\/sh -c '(.*)'$/.exec(line)?.[1] ?? "")
      .replaceAll("$$", "$")
      .replaceAll("/srv/althing/data", place.data)
      .replaceAll("/srv/althing/nats", folder);
    const close = () => expect(spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    let closed = false;
    // The instance lives, so that nothing else closes the fence.
    expect(await cutOffAfter(place, running, close, () => (closed = isFenced(ground)))).toBeLessThan(cutOffLimitMs);
    expect(closed).toBe(true);
    expect(isAlive(server.pid)).toBe(true);
  });
});
