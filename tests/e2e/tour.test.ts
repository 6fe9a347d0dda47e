/**
 * README's tour, line by line as it stands there, on a fresh folder with real processes; then what the tour claims, looked at from the outside.
 */
import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient, identityFromPhrase, openMemoryState } from "@althing/client";
import { identitySeeds } from "@althing/crypto";
import { repositoryRoot } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openWorkplace, type Running, type Workplace } from "./althing-process.ts";

/** Words that must be found nowhere on the server's side. */
const plaintexts = ["the gate is open", "after the kick nobody else reads this", "an answer from bob"];

let place: Workplace;
let running: Running;

beforeAll(async () => {
  place = await openWorkplace();
  running = await place.up();
});
afterAll(async () => place?.[Symbol.asyncDispose]());

/** The tour's lines: comments off, `npm start` is the instance that runs already. */
function tourLines(readme: string): string[] {
  const tour = readme.slice(readme.indexOf("## The tour"));
  const block = /```sh\n([\s\S]*?)```/.exec(tour)?.[1] ?? "";
  return block
    .split("\n")
    .map((line) =>
      line
        .replace(/\s+#.*$/, "")
        .replace(/^#.*$/, "")
        .trim(),
    )
    .filter((line) => line !== "" && line !== "npm start");
}

const shell = async (line: string) => {
  const { stdout } = await promisify(execFile)("sh", ["-c", line], { cwd: place.path, env: place.env });
  return { stdout };
};

/** A line that runs until Ctrl-C: the extension answers, then the terminal interrupts the whole job. */
async function untilLive(line: string): Promise<void> {
  const job = spawn("sh", ["-c", line], { cwd: place.path, env: place.env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [job.stdout, job.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
  const exited = new Promise((done) => job.once("exit", done));
  const gone = exited.then(() => {
    throw new Error(`it ended by itself: ${text}`);
  });
  gone.catch(() => undefined);
  try {
    await Promise.race([gone, eventually(() => text.includes("watching for changes"), "the extension is live", 60_000)]);
    expect(text).toMatch(/ {2}althing ext call GET \/hello\/ada --as /);
    const called = await shell("cd hello && ../althing ext call GET /hello/ada --as ../alice.id");
    expect(called.stdout).toContain("ada");
  } finally {
    if (job.pid !== undefined && job.exitCode === null) process.kill(-job.pid, "SIGINT");
    await exited;
  }
}

interface Smoke {
  readonly ok: boolean;
  readonly steps: readonly { readonly step: string; readonly outcome: string; readonly detail: string }[];
  readonly tookMs: number;
}

/** Of a smoke: neither room nor community nor package nor trusted key. The garden is the tour's, and so is the community of `ext dev` with its key. */
async function expectNothingLeft(): Promise<void> {
  const names = async (...args: string[]) =>
    ((await place.json(...args, "--as", "alice.id")) as { name: string }[]).map(({ name }) => name);
  expect(await names("room", "list")).toEqual(["garden"]);
  expect(await names("community", "list")).toEqual(["dev"]);
  expect(await place.json("trust", "list", "--as", "alice.id")).toMatchObject({ anchors: [{}] });
}

interface Message {
  readonly kind: string;
  readonly text?: string;
  readonly handle?: string;
}

describe("the tour", () => {
  test("every line of README works as written", { timeout: 150_000 }, async () => {
    const lines = tourLines(readFileSync(join(repositoryRoot, "README.md"), "utf8"));
    expect(lines.length).toBeGreaterThanOrEqual(8);
    for (const line of lines) {
      if (line.includes("ext dev")) {
        await untilLive(line);
        continue;
      }
      const { stdout } = await shell(line);
      if (line.includes("room tail")) expect(stdout).toContain("the gate is open");
      if (line.includes("althing check")) expect(stdout.trim().split("\n").at(-1)).toMatch(/^golden ok: 1000\/1000 decrypted, node \S+$/);
    }
  });

  test("the kicked one can neither read what follows nor what came before, by any command", { timeout: 60_000 }, async () => {
    await place.ok("room", "send", "garden", plaintexts[1] ?? "", "--as", "alice.id");
    for (const args of [
      ["room", "history", "garden"],
      ["room", "tail", "garden", "--count", "1"],
      ["room", "send", "garden", "let me in"],
      ["room", "show", "garden"],
    ]) {
      const ran = await place.run([...args, "--as", "bob.id", "--json"]);
      expect(ran.code).toBe(1);
      expect(ran.stdout).toContain("room.not_found");
    }
    expect(await place.ok("room", "history", "garden", "--as", "alice.id")).toContain(plaintexts[1]);
  });

  test("messages go both ways, and each reads on where it stopped", { timeout: 90_000 }, async () => {
    await place.ok("room", "create", "yard", "--as", "alice.id");
    await place.ok("room", "invite", "yard", "bob", "--as", "alice.id");
    await place.ok("room", "send", "yard", "first", "--as", "alice.id");
    await place.ok("room", "send", "yard", plaintexts[2] ?? "", "--as", "bob.id");
    const texts = (events: unknown) => (events as Message[]).filter((event) => event.kind === "message").map((event) => event.text);
    expect(texts(await place.json("room", "tail", "yard", "--count", "2", "--as", "alice.id"))).toEqual(["first", plaintexts[2]]);
    expect(texts(await place.json("room", "tail", "yard", "--count", "1", "--as", "bob.id"))).toEqual(["first"]);
    expect(texts(await place.json("room", "tail", "yard", "--count", "1", "--as", "bob.id"))).toEqual([plaintexts[2]]);
    const live = place.spawn(["room", "tail", "yard", "--json", "--count", "1", "--as", "alice.id"]);
    let out = "";
    live.stdout?.on("data", (chunk) => (out += String(chunk)));
    // Whoever hears the message may be gone before its sender is.
    const closed = new Promise((done) => live.once("close", done));
    await place.ok("room", "send", "yard", "one more", "--as", "bob.id");
    await closed;
    expect(texts(JSON.parse(out))).toEqual(["one more"]);
    await place.ok("room", "delete", "yard", "--yes", "--as", "alice.id");
  });

  test("whoever is invited back reads from there on, and not what was said meanwhile", { timeout: 60_000 }, async () => {
    await place.ok("room", "invite", "garden", "bob", "--as", "alice.id");
    await place.ok("room", "send", "garden", "welcome back", "--as", "alice.id");
    const seen = ((await place.json("room", "history", "garden", "--as", "bob.id")) as Message[]).map((event) => event.text);
    expect(seen).toContain("welcome back");
    expect(seen).not.toContain(plaintexts[1]);
  });

  test("a revoked user is off both planes within 2 s, and an open connection with it", { timeout: 60_000 }, async () => {
    const { phrase } = (await place.json("identity", "backup", "bob.id", "--yes")) as { phrase: string };
    const client = createClient({ identity: await identityFromPhrase(phrase), urls: [running.url], state: openMemoryState() });
    try {
      const closed = Promise.withResolvers<number>();
      client.on("connection", ({ plane, state }) => plane === "nats" && state !== "connected" && closed.resolve(performance.now()));
      const room = await client.rooms.open("garden");
      await room.subscribe(() => undefined, { since: "now" });
      await place.ok("user", "revoke", "bob", "--yes", "--as", "alice.id");
      const revokedMs = performance.now();
      expect((await closed.promise) - revokedMs).toBeLessThan(2_000);
      await expect(client.me()).rejects.toMatchObject({ code: "auth.revoked" });
      expect(performance.now() - revokedMs).toBeLessThan(2_000);
    } finally {
      await client.close();
    }
    const ran = await place.run(["room", "list", "--as", "bob.id", "--json"]);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: "auth.revoked" } });
  });

  test("check leaves no room behind, also when interrupted", { timeout: 60_000 }, async () => {
    const before = ((await place.json("room", "list", "--as", "alice.id")) as { name: string }[]).map((room) => room.name);
    expect(before).toEqual(["garden"]);
    const child = place.spawn(["check", "--mode", "loop", "--duration", "60s", "--interval", "50ms", "--as", "alice.id"]);
    let out = "";
    child.stdout?.on("data", (chunk) => (out += String(chunk)));
    await eventually(() => out.split("\n").length > 5, "some ticks");
    expect(out.split("\n")[0]?.split(/\s+/)).toEqual(["t", "sent", "recv", "up", "node", "publish"]);
    child.kill("SIGINT");
    expect(await new Promise((done) => child.once("exit", (code) => done(code)))).toBe(130);
    const after = ((await place.json("room", "list", "--as", "alice.id")) as { name: string }[]).map((room) => room.name);
    expect(after).toEqual(["garden"]);
  });

  test("smoke tries every plane, and leaves nothing", { timeout: 90_000 }, async () => {
    const smoke = (await place.json("smoke", "--as", "alice.id")) as Smoke;
    expect(smoke.ok).toBe(true);
    expect(smoke.steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining([
        "message, end to end",
        "invoke it",
        "run a job",
        "deliver an event",
        "vote and recount",
        "verify the log",
        "leave nothing",
      ]),
    );
    expect(smoke.steps.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
    expect(smoke.tookMs).toBeLessThan(60_000);
    await expectNothingLeft();
  });

  test("smoke says what it leaves out for somebody who is no admin of the instance", { timeout: 60_000 }, async () => {
    await place.ok("identity", "new", "carl.id");
    await place.ok("join", await place.ok("invite", "--as", "alice.id"), "--as", "carl.id", "--handle", "carl");
    const smoke = (await place.json("smoke", "--as", "carl.id")) as Smoke;
    const left = smoke.steps.filter(({ outcome }) => outcome !== "ok");
    expect(left.map(({ step }) => step)).toEqual([
      ...["install a package", "invoke it", "run a job", "deliver an event", "vote and recount", "verify the log", "remove the package"],
    ]);
    for (const { outcome, detail } of left) expect([outcome, detail]).toEqual(["left out", expect.stringMatching(/admin of the instance/)]);
    await expectNothingLeft();
    await place.ok("user", "revoke", "carl", "--yes", "--as", "alice.id");
  });

  test("smoke that is interrupted takes away what it made", { timeout: 60_000 }, async () => {
    const child = place.spawn(["smoke", "--as", "alice.id"]);
    let said = "";
    child.stderr?.on("data", (chunk) => (said += String(chunk)));
    await eventually(() => said.includes("ok    install a package"), "a package is there", 40_000);
    child.kill("SIGINT");
    expect(await new Promise((done) => child.once("exit", (code) => done(code)))).toBe(130);
    await expectNothingLeft();
  });

  test("doctor and status say that all is well", async () => {
    expect(await place.json("doctor")).toMatchObject({ ok: true });
    expect(await place.json("status", "--as", "alice.id")).toMatchObject({ counts: { rooms: 1, users: 1, revoked: 2 } });
  });
});

describe("what the server keeps", () => {
  test("no plaintext, private key, token or signature is on its disk or in its logs", async () => {
    process.kill(running.pid, "SIGTERM");
    await running.exited;
    const phrases = ["alice.id", "bob.id"].map(
      (file) => (JSON.parse(readFileSync(join(place.path, file), "utf8")) as { phrase: string }).phrase,
    );
    const keys = (await Promise.all(phrases.map(identitySeeds))).flatMap(({ signSeed, kexSeed }) => [
      Buffer.from(signSeed),
      Buffer.from(kexSeed),
    ]);
    const secrets = [...[...plaintexts, ...phrases, "one more", "welcome back"].map((text) => Buffer.from(text)), ...keys];
    const files = filesUnder(place.data);
    expect(files.some((file) => file.includes("/nats/js/") && file.endsWith(".blk"))).toBe(true);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const secret of secrets) {
        for (const form of [secret, secret.toString("base64"), secret.toString("base64url"), secret.toString("hex")]) {
          expect(bytes.includes(form), `${file} holds "${secret.toString()}"`).toBe(false);
        }
      }
    }
    for (const file of files.filter((name) => name.includes("/logs/"))) {
      const log = readFileSync(file, "utf8");
      expect(log).not.toMatch(/claim#|"token"|signature-input|keyid=|sig1?=:|-----BEGIN|\bSU[A-Z2-7]{56}\b/i);
      expect(log, "86 characters of base64url are a signature").not.toMatch(/[A-Za-z0-9_-]{86}/);
    }
  });
});

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
