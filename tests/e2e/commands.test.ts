/** Every command against a real instance: results, exit codes, one JSON value, and bad files left as they were. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openWorkplace, type Running, type Workplace } from "./althing-process.ts";
import { inProcess, type InProcess } from "./in-process.ts";

let place: Workplace;
let running: Running;
let cli: InProcess;

beforeAll(async () => {
  place = await openWorkplace();
  cli = inProcess(place);
  // Admin number 0 before the first start: the one-shot mode.
  for (const name of ["alice", "bob"]) await cli.ok("identity", "new", `${name}.id`);
  await cli.ok("bootstrap", "--as", "alice.id", "--handle", "alice");
  running = await place.up();
  await cli.ok("join", await cli.ok("invite", "--as", "alice.id"), "--as", "bob.id", "--handle", "bob");
});
afterAll(async () => place?.[Symbol.asyncDispose]());

const alice = ["--as", "alice.id"] as const;
const bob = ["--as", "bob.id"] as const;

async function refused(code: number, error: string, ...args: string[]): Promise<void> {
  const ran = await cli.run([...args, "--json"]);
  expect(JSON.parse(ran.stdout), args.join(" ")).toMatchObject({ error: { code: error, fix: expect.any(String) } });
  expect(ran.code).toBe(code);
  const plain = await cli.run(args);
  expect(plain.code).toBe(code);
  expect(plain.stdout).toBe("");
  expect(plain.stderr).toContain(`[${error}]`);
}

describe("the first admin", () => {
  test("is made once: a second bootstrap is refused through socket and one-shot mode alike, and the link is void", async () => {
    expect(running.adminLink).toBeUndefined();
    await refused(1, "bootstrap.closed", "bootstrap", "--as", "bob.id", "--handle", "eve");
  });

  test("an invitation works once, and nobody takes a handle twice", async () => {
    const token = await cli.ok("invite", ...alice);
    await cli.ok("identity", "new", "carol.id");
    await refused(1, "user.handle_taken", "join", token, "--as", "carol.id", "--handle", "alice");
    await cli.ok("join", token, "--as", "carol.id", "--handle", "carol");
    await cli.ok("identity", "new", "dave.id");
    await refused(1, "invitation.invalid", "join", token, "--as", "dave.id", "--handle", "dave");
    await refused(1, "auth.unknown_user", "room", "list", "--as", "dave.id");
  });

  test("users are added by key, listed, and a member may not", async () => {
    const { signPub } = (await cli.json("identity", "show", "dave.id")) as { signPub: string };
    await cli.ok("user", "add", "--handle", "dave", "--sign-pub", signPub.toUpperCase(), ...alice);
    await refused(1, "user.exists", "user", "add", "--handle", "dave2", "--sign-pub", signPub, ...alice);
    await refused(1, "auth.forbidden", "user", "list", ...bob);
    const users = (await cli.json("user", "list", ...alice)) as { handle: string }[];
    expect(users.map((user) => user.handle).toSorted()).toEqual(["alice", "bob", "carol", "dave"]);
    await refused(1, "user.last_admin", "user", "revoke", "alice", "--yes", ...alice);
    // Added by key alone: the first command of its own publishes the key to seal to.
    await cli.ok("room", "create", "porch", ...alice);
    await refused(1, "room.no_keys", "room", "invite", "porch", "dave", ...alice);
    await cli.ok("room", "list", "--as", "dave.id");
    await cli.ok("room", "invite", "porch", "dave", ...alice);
    await cli.ok("room", "delete", "porch", "--yes", ...alice);
  });
});

describe("rooms", () => {
  test("roles, requests, safety numbers, redaction, rekey, leaving and deletion", { timeout: 60_000 }, async () => {
    await cli.ok("room", "create", "shed", ...alice);
    await cli.ok("room", "join", "shed", ...bob);
    expect((await cli.json("room", "requests", "shed", ...alice)) as object[]).toMatchObject([{ handle: "bob" }]);
    await cli.ok("room", "admit", "shed", "bob", ...alice);
    const numbers = [await cli.ok("room", "safety", "shed", "bob", ...alice), await cli.ok("room", "safety", "shed", "alice", ...bob)];
    expect(numbers[0]).toMatch(/^(\d{5}\s){11}\d{5}$/);
    expect(numbers[0]).toBe(numbers[1]);
    const id = await cli.ok("room", "send", "shed", "oops", ...bob);
    await cli.ok("room", "redact", "shed", id, "by mistake", ...bob);
    const history = await cli.ok("room", "history", "shed", ...alice);
    expect(history).toContain("by mistake");
    expect(history).not.toContain("oops");
    await cli.ok("room", "role", "shed", "bob", "moderator", ...alice);
    expect(await cli.ok("room", "show", "shed", ...bob)).toMatch(/bob\s+moderator/);
    expect(await cli.ok("room", "rekey", "shed", ...alice)).toMatch(/epoch \d+/);
    await refused(1, "room.last_owner", "room", "leave", "shed", ...alice);
    await cli.ok("room", "leave", "shed", ...bob);
    await refused(2, "cli.usage", "room", "delete", "shed", ...alice);
    await cli.ok("room", "delete", "shed", "--yes", ...alice);
    await refused(1, "room.not_found", "room", "show", "shed", ...alice);
  });

  test("a message from stdin, with text that would act on a terminal, is printed harmless and kept whole", async () => {
    await cli.ok("room", "create", "wild", ...alice);
    const text = "\u001b]0;owned\u0007line one\n12:00 bob: line two\u202e\u001b[2J";
    await cli.run(["room", "send", "wild", "-", ...alice], { input: `${text}\n` });
    const shown = (await cli.run(["room", "history", "wild", ...alice])).stdout;
    expect(shown).not.toMatch(/[[\p{Cc}--[\n]]\u202a-\u202e]/v);
    expect(shown).toContain("line one\n  | 12:00 bob: line two");
    expect((await cli.json("room", "history", "wild", ...alice)) as object[]).toMatchObject([{ text }]);
    await cli.ok("room", "delete", "wild", "--yes", ...alice);
  });

  test("a blob goes there and back, for members by the message's reference, and never over a file", async () => {
    await cli.ok("room", "create", "attic", ...alice);
    await cli.ok("room", "invite", "attic", "bob", ...alice);
    writeFileSync(join(place.path, "map.bin"), Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251)));
    const reference = await cli.ok("blob", "put", "map.bin", "--room", "attic", ...alice);
    expect(await cli.ok("room", "tail", "attic", "--count", "1", ...bob)).toContain(reference);
    await cli.ok("blob", "get", reference, "-o", "copy.bin", ...bob);
    expect(readFileSync(join(place.path, "copy.bin")).equals(readFileSync(join(place.path, "map.bin")))).toBe(true);
    await refused(2, "cli.usage", "blob", "get", reference, "-o", "copy.bin", ...bob);
    await refused(1, "blob.not_found", "blob", "get", reference, "-o", "other.bin", "--as", "carol.id");
    expect(existsSync(join(place.path, "other.bin"))).toBe(false);
    await cli.ok("room", "delete", "attic", "--yes", ...alice);
  });

  test("golden check on a persisted room", async () => {
    expect(await cli.json("check", "--messages", "200", "--persist", ...alice)).toMatchObject({ ok: true, decrypted: 200, doubled: 0 });
  });
});

describe("agents and chat", () => {
  test("the sample agent founds its rooms, answers once, and goes on where it stopped", { timeout: 60_000 }, async () => {
    const start = () => place.spawn(["worker", "--name", "helper", "--init", "--json", "--as", "carol.id"]);
    const first = start();
    let err = "";
    first.stderr?.on("data", (chunk) => (err += String(chunk)));
    await eventually(() => err.includes("reading agent.helper.in"), "the agent reads", 20_000);
    for (const room of ["agent.helper.in", "agent.helper.out"]) await cli.ok("room", "invite", room, "bob", "--as", "carol.id");
    await cli.ok("room", "send", "agent.helper.in", "echo hello there", ...bob);
    expect(await cli.ok("room", "tail", "agent.helper.out", "--count", "1", ...bob)).toContain("hello there");
    first.kill("SIGINT");
    await new Promise((done) => first.once("exit", done));
    await cli.ok("room", "send", "agent.helper.in", "count one two", ...bob);
    const second = start();
    expect(await cli.ok("room", "tail", "agent.helper.out", "--count", "1", ...bob)).toContain("7 characters, 2 words");
    second.kill("SIGTERM");
    await new Promise((done) => second.once("exit", done));
    const answers = (await cli.json("room", "history", "agent.helper.out", ...bob)) as object[];
    expect(answers).toHaveLength(2);
  });

  test("chat shows history, live messages, members and epochs, sends what is typed, and ends with /quit", { timeout: 60_000 }, async () => {
    for (const room of ["hall", "loft"]) {
      await cli.ok("room", "create", room, ...alice);
      await cli.ok("room", "invite", room, "bob", ...alice);
    }
    await cli.ok("room", "send", "hall", "earlier words", ...alice);
    const chat = place.spawn(["chat", "hall", ...bob]);
    let out = "";
    chat.stdout?.on("data", (chunk) => (out += String(chunk)));
    await eventually(() => out.includes("alice: earlier words"), "history", 20_000);
    chat.stdin?.write("hello from bob\n/who\n");
    await eventually(() => out.includes("bob: hello from bob"), "own message");
    await eventually(() => /here: .*alice \(owner\)/.test(out), "who is here");
    expect(await cli.ok("room", "tail", "hall", "--count", "2", ...alice)).toContain("bob: hello from bob");
    await cli.ok("room", "send", "hall", "live words", ...alice);
    await eventually(() => out.includes("alice: live words"), "a live message");
    await cli.ok("room", "invite", "hall", "carol", ...alice);
    await eventually(() => /epoch \d+ by alice \(\w+\), added carol/.test(out), "an epoch");
    await cli.ok("room", "send", "loft", "from the loft", ...alice);
    chat.stdin?.write("/room loft\n");
    await eventually(() => out.includes("alice: from the loft"), "the other room");
    chat.stdin?.write("/nonsense\n");
    await eventually(() => out.includes("there is no /nonsense"), "a complaint");
    expect(out.match(/hello from bob/g)).toHaveLength(1);
    const closed = new Promise<number | null>((done) => chat.once("close", done));
    chat.stdin?.write("/quit\n");
    expect(await closed).toBe(0);
  });

  test("chat on a terminal redraws its prompt and takes Ctrl-C", { timeout: 30_000 }, async () => {
    const child = spawn("script", ["-qfec", "./althing chat hall --as bob.id", "/dev/null"], {
      cwd: place.path,
      env: { ...place.env, TERM: "xterm", COLUMNS: "80" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let out = "";
    child.stdout.on("data", (chunk) => (out += String(chunk)));
    await eventually(() => out.includes("hall (3) bob> "), "the prompt", 20_000);
    child.stdin.write("half a li");
    await eventually(() => out.includes("half a li"), "typed text");
    await cli.ok("room", "send", "hall", "in between", ...alice);
    await eventually(
      () => out.lastIndexOf("hall (3) bob> half a li") > out.indexOf("in between") && out.includes("in between"),
      "the prompt comes back with what was typed",
    );
    const closed = new Promise<number | null>((done) => child.once("close", done));
    child.stdin.write("\u0003");
    await closed;
  });
});

describe("nobody answers", () => {
  test("exit 3 and the address, for each plane", async () => {
    await refused(3, "client.unreachable", "status", "--url", "http://127.0.0.1:1");
    await refused(3, "client.unreachable", "room", "list", "--url", "http://127.0.0.1:1", ...alice);
  });

  test("an address that is neither this machine nor encrypted is refused before anything is sent", async () => {
    await refused(1, "client.insecure_target", "room", "list", "--url", "http://althing.example:8470", ...alice);
    await refused(1, "client.insecure_target", "status", "--url", "http://192.0.2.1:8470");
  });
});

describe("files that are not what they should be are refused and left as they were", () => {
  const corrupt: readonly (readonly [string, string])[] = [
    ["empty", ""],
    ["no JSON", "hello"],
    ["another JSON", '{"a":1}'],
    ["a newer version", '{"format":"althing-identity","version":99}'],
    ["binary", "\u0000\u0001\u0002"],
  ];
  test.each(corrupt)("an identity file that is %s", async (name, text) => {
    const file = `${name.replaceAll(" ", "-")}.id`;
    writeFileSync(join(place.path, file), text, { mode: 0o600 });
    await refused(1, "identity.corrupt", "identity", "show", file);
    await refused(1, "identity.corrupt", "room", "list", "--as", file);
    await refused(1, "identity.exists", "identity", "new", file);
    expect(readFileSync(join(place.path, file), "utf8")).toBe(text);
  });

  test("a cut-off and a changed identity file", async () => {
    const whole = readFileSync(join(place.path, "bob.id"), "utf8");
    for (const [file, text] of [
      ["cut.id", whole.slice(0, whole.length / 2)],
      ["changed.id", whole.replace(/("phrase": ")(\w+) (\w+)/, "$1$3 $2")],
    ] as const) {
      writeFileSync(join(place.path, file), text, { mode: 0o600 });
      await refused(1, "identity.corrupt", "identity", "show", file);
      expect(readFileSync(join(place.path, file), "utf8")).toBe(text);
    }
  });

  test("an identity others may read, one that is missing, and one in a folder others may write", async () => {
    writeFileSync(join(place.path, "open.id"), readFileSync(join(place.path, "bob.id")), { mode: 0o600 });
    chmodSync(join(place.path, "open.id"), 0o640);
    await refused(1, "identity.mode", "room", "list", "--as", "open.id");
    await refused(1, "identity.not_found", "room", "list", "--as", "nobody.id");
    mkdirSync(join(place.path, "common"));
    chmodSync(join(place.path, "common"), 0o777);
    await refused(1, "data.mode", "identity", "new", "common/x.id");
    chmodSync(join(place.path, "common"), 0o755);
    await cli.ok("identity", "new", "common/x.id");
  });

  test("corrupt client state is named, and left as it was", async () => {
    const pins = join(place.path, "bob.id.state", "pins.json");
    const before = existsSync(pins) ? readFileSync(pins, "utf8") : undefined;
    writeFileSync(pins, "{broken", { mode: 0o600 });
    await refused(1, "state.corrupt", "room", "history", "hall", ...bob);
    expect(readFileSync(pins, "utf8")).toBe("{broken");
    writeFileSync(pins, before ?? "{}", { mode: 0o600 });
  });

  test("settings that do not exist", async () => {
    const ran = await cli.run(["config", "--json"], { env: { ALTHING_PRT: "9000" } });
    expect(ran.code).toBe(2);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: { code: "config.unknown_key", message: expect.stringContaining("ALTHING_PRT") },
    });
  });
});

describe("identities", () => {
  test("protect, use, change, unprotect, back up and restore give the same identity all the way", { timeout: 60_000 }, async () => {
    await cli.ok("identity", "new", "eve.id");
    const { endpoint, signPub } = (await cli.json("identity", "show", "eve.id")) as { endpoint: string; signPub: string };
    writeFileSync(join(place.path, "pass1"), "correct horse\n", { mode: 0o600 });
    writeFileSync(join(place.path, "pass2"), "battery staple\n", { mode: 0o600 });
    await cli.ok("identity", "protect", "eve.id", "--new-passphrase-file", "pass1");
    expect(readFileSync(join(place.path, "eve.id"), "utf8")).not.toContain('"phrase"');
    expect(statSync(join(place.path, "eve.id")).mode & 0o777).toBe(0o600);
    await refused(2, "cli.usage", "identity", "show", "eve.id");
    await refused(1, "identity.passphrase", "identity", "show", "eve.id", "--passphrase-file", "pass2");
    await cli.ok("identity", "protect", "eve.id", "--passphrase-file", "pass1", "--new-passphrase-file", "pass2");
    await cli.ok("user", "add", "--handle", "eve", "--sign-pub", signPub, ...alice);
    await cli.ok("room", "list", "--as", "eve.id", "--passphrase-file", "pass2");
    const phrase = await cli.ok("identity", "backup", "eve.id", "--passphrase-file", "pass2", "--yes");
    expect(phrase.split(" ")).toHaveLength(12);
    const restored = await cli.run(["identity", "restore", "eve2.id", "--phrase-file", "-", "--json"], {
      input: `${phrase.toUpperCase()}\n`,
    });
    expect(JSON.parse(restored.stdout)).toMatchObject({ endpoint });
    const bad = await cli.run(["identity", "restore", "eve3.id", "--phrase-file", "-", "--json"], { input: "abandon ".repeat(12) });
    expect(JSON.parse(bad.stdout)).toMatchObject({ error: { code: "identity.phrase" } });
    expect(existsSync(join(place.path, "eve3.id"))).toBe(false);
    await cli.ok("identity", "protect", "eve.id", "--passphrase-file", "pass2", "--remove", "--yes");
    expect(await cli.json("identity", "show", "eve.id")).toMatchObject({ endpoint, protected: false });
  });

  test("the recovery phrase of a new identity is on stderr and never on stdout", async () => {
    const ran = await cli.run(["identity", "new", "frank.id", "--json"]);
    const phrase = await cli.ok("identity", "backup", "frank.id", "--yes");
    expect(ran.stdout).not.toContain(phrase);
    expect(ran.stderr).toContain(phrase);
    expect(JSON.parse(ran.stdout)).toMatchObject({ protected: false });
  });
});
