/** Backup and restore of a whole instance by the commands a person types: what must come back, and what must not. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeIdentityFile, identityFromPhrase, signRequest } from "@althing/crypto";
import { limits } from "@althing/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openWorkplace, type Running, type Workplace } from "../e2e/althing-process.ts";
import { inProcess, type InProcess } from "../e2e/in-process.ts";

let place: Workplace;
let running: Running;
let cli: InProcess;
const at = (name: string) => join(place.path, name);
const alice = ["--as", "alice.id"] as const;
const bob = ["--as", "bob.id"] as const;

interface Report {
  readonly file: string;
  readonly id: string;
  readonly bytes: number;
  readonly instance: string;
  readonly counts: Readonly<Record<string, number>>;
}

async function refusal(...args: string[]): Promise<{ readonly code: string; readonly params: Readonly<Record<string, unknown>> }> {
  const ran = await cli.run([...args, "--json"]);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string; params: Record<string, unknown> } }).error;
}

beforeAll(async () => {
  place = await openWorkplace();
  cli = inProcess(place);
  for (const name of ["alice", "bob"]) await cli.ok("identity", "new", `${name}.id`);
  await cli.ok("bootstrap", ...alice, "--handle", "alice");
  running = await place.up();
  await cli.ok("join", await cli.ok("invite", ...alice), ...bob, "--handle", "bob");
  await cli.ok("room", "create", "garden", ...alice);
  await cli.ok("room", "invite", "garden", "bob", ...alice);
  for (const text of ["one", "two", "three"]) await cli.ok("room", "send", "garden", text, ...alice);
  await cli.ok("community", "create", "village", ...alice);
  await cli.ok("role", "create", "village", "gardener", ...alice);
}, 120_000);
afterAll(async () => place?.[Symbol.asyncDispose]());

/** A request as it went over the wire, to be sent once more. */
async function signedRequest(url: string): Promise<() => Promise<{ readonly status: number; readonly code: string | undefined }>> {
  const { phrase } = await decodeIdentityFile(readFileSync(at("alice.id"), "utf8"), "alice.id");
  const target = `${url}/api/me`;
  const headers = await signRequest(await identityFromPhrase(phrase), {
    method: "GET",
    url: target,
    headers: {},
    now: Math.floor(Date.now() / 1_000),
    lifetimeSeconds: limits.signatureWindowSeconds,
  });
  return async () => {
    const answer = await fetch(target, { headers });
    const body = (await answer.json()) as { code?: string };
    return { status: answer.status, code: body.code };
  };
}

interface Doctor {
  readonly ok: boolean;
  readonly findings: readonly { readonly name: string; readonly grade: string; readonly observed: string; readonly meaning: string }[];
}

async function findings(
  ...args: string[]
): Promise<Map<string, { readonly grade: string; readonly observed: string; readonly meaning: string }>> {
  const ran = await cli.run(["doctor", "--json", ...args]);
  return new Map((JSON.parse(ran.stdout) as Doctor).findings.map((finding) => [finding.name, finding]));
}

describe("a backup of a running instance", () => {
  test("holds every write that was acknowledged before it began, whatever goes on meanwhile", { timeout: 300_000 }, async () => {
    let ended = false;
    let acknowledged = 0;
    const write = async () => {
      for (let n = 1; !ended; n += 1) {
        await cli.ok("room", "send", "garden", `line ${n}`, ...alice);
        acknowledged = n;
      }
    };
    const churn = async () => {
      writeFileSync(at("leaf.txt"), "leaf");
      for (let n = 0; !ended; n += 1) {
        await cli.ok("room", "create", `shed-${n}`, ...bob);
        writeFileSync(at("leaf.txt"), `leaf ${n}`);
        await cli.ok("blob", "put", "leaf.txt", "--room", `shed-${n}`, ...bob);
        await cli.ok("room", "delete", `shed-${n}`, "--yes", ...bob);
      }
    };
    const working = Promise.all([write(), churn()]);
    const taken: { readonly file: string; readonly from: number }[] = [];
    try {
      for (const n of [1, 2]) {
        const from = acknowledged;
        await cli.ok("backup", `busy-${n}.backup`);
        taken.push({ file: `busy-${n}.backup`, from });
      }
    } finally {
      ended = true;
      await working;
    }
    expect(taken.at(-1)?.from).toBeGreaterThan(0);
    for (const { file, from } of taken) {
      // Reads it whole: state against objects, messages and chains.
      const { messages = 0 } = ((await cli.json("backup", "verify", file)) as Report).counts;
      // Three lines come before them.
      expect(messages).toBeGreaterThanOrEqual(from + 3);
    }
    await cli.ok("restore", taken.at(-1)?.file ?? "", "--data", at("checked"));
    rmSync(at("checked"), { recursive: true });
  });

  test("is one private file that verifies, and restores to an instance that has it all", { timeout: 120_000 }, async () => {
    const made = (await cli.json("backup", "one.backup")) as Report;
    expect(made.counts).toMatchObject({ users: 2, rooms: 1, communities: 1, messages: expect.any(Number) });
    expect(statSync(at("one.backup")).mode & 0o777).toBe(0o600);
    expect(readdirSync(place.path).filter((name) => name.startsWith(".althing-"))).toEqual([]);
    expect(await cli.json("backup", "verify", "one.backup")).toMatchObject({ id: made.id, counts: made.counts });
    const before = await cli.ok("room", "history", "garden", ...bob);
    await cli.ok("room", "send", "garden", "after the backup", ...alice);
    const again = await signedRequest(running.url);
    expect((await again()).status).toBe(200);
    expect(await again()).toMatchObject({ status: 401, code: "auth.replayed" });

    await cli.ok("stop");
    await running.exited;
    renameSync(place.data, at("old"));
    expect(await cli.json("restore", "one.backup")).toMatchObject({ backup: { id: made.id }, data: place.data });
    running = await place.up();
    // The nonce is in no backup; the request is refused all the same, and whoever signs anew is let in.
    expect(await again()).toMatchObject({ status: 401, code: "auth.replayed" });
    expect(running.adminLink).toBeUndefined();
    await eventually(async () => (await (await signedRequest(running.url))()).status === 200, "a fresh signature is taken", 15_000);
    expect(await cli.ok("room", "history", "garden", ...bob)).toBe(before);
    await cli.ok("room", "send", "garden", "and on", ...bob);
    expect(await cli.ok("events", "verify", "--community", "village", ...alice)).toMatch(/^chain ok: \d+ events/m);
    expect(((await cli.json("backup", "two.backup")) as Report).instance).toBe(made.instance);
  });

  test("what is there already is overwritten by neither", { timeout: 60_000 }, async () => {
    expect((await refusal("restore", "one.backup")).code).toBe("restore.not_empty");
    expect((await refusal("backup", "one.backup")).code).toBe("backup.exists");
    expect((await refusal("backup", "verify", "none.backup")).code).toBe("backup.not_found");
    expect((await refusal("backup", "x.backup", "--data", at("nowhere"))).code).toBe("data.not_found");
    expect((await refusal("upgrade")).code).toBe("data.locked");
    expect((await refusal("rollback", "--yes")).code).toBe("data.locked");
  });

  test("under a passphrase it asks for one", { timeout: 60_000 }, async () => {
    writeFileSync(at("pass"), "a long enough passphrase\n", { mode: 0o600 });
    writeFileSync(at("short"), "short\n", { mode: 0o600 });
    expect((await refusal("backup", "s.backup", "--encrypt", "--passphrase-file", "short")).code).toBe("cli.usage");
    expect(await cli.json("backup", "s.backup", "--encrypt", "--passphrase-file", "pass")).toMatchObject({ encrypted: true });
    expect((await refusal("backup", "verify", "s.backup", "--passphrase-file", "short")).code).toBe("backup.key");
    await cli.ok("backup", "verify", "s.backup", "--passphrase-file", "pass");
  });
});

describe("doctor", () => {
  test("looks at machine, data folder and instance, and finds nothing bad", { timeout: 60_000 }, async () => {
    const seen = await findings();
    for (const name of [
      "status",
      "nats-server",
      "settings",
      "ports",
      "data folder",
      "permissions",
      "keys",
      "store",
      "objects",
      "disk",
      "fsync",
      "clock",
      "backup",
    ])
      expect(["good", "note", "warn"], name).toContain(seen.get(name)?.grade);
    expect(seen.get("ports")?.meaning).toContain("held by this instance");
    expect(seen.get("backup")?.observed).toContain(".backup");
  });

  test("names what is open to others, what is missing and what was damaged, each with its remedy", { timeout: 60_000 }, async () => {
    const data = at("ill");
    await cli.ok("restore", "one.backup", "--data", data);
    const well = await findings("--data", data);
    // The ports are those of the instance that runs on another folder.
    const bad = [...well].filter(([name, { grade }]) => grade === "bad" && name !== "ports" && !name.startsWith("http"));
    expect(bad.map(([name]) => name)).toEqual([]);
    expect(well.get("store")?.meaning).toContain("every chain");
    mkdirSync(join(data, "loose"), { mode: 0o755 });
    rmSync(join(data, "keys", "sys.nkey"));
    const state = readFileSync(join(data, "state", "state.db"));
    state.fill(0x41, 8_192);
    writeFileSync(join(data, "state", "state.db"), state);
    const ill = await findings("--data", data);
    expect(ill.get("permissions")).toMatchObject({
      grade: "bad",
      observed: expect.stringContaining("loose"),
      meaning: expect.stringContaining("chmod"),
    });
    expect(ill.get("keys")).toMatchObject({ grade: "bad", observed: expect.stringContaining("data.key_missing") });
    expect(ill.get("store")?.grade).toBe("bad");
    rmSync(data, { recursive: true });
  });

  test("a certificate that ended and a port that is taken are bad, and the exit code says so", { timeout: 60_000 }, async () => {
    writeFileSync(at("cert.pem"), "no certificate");
    const args = ["doctor", "--json", "--url", running.url];
    const env = { ALTHING_TLS_CERT: at("cert.pem"), ALTHING_DATA: at("new-one") };
    const ran = await cli.run(args, { env });
    const seen = new Map((JSON.parse(ran.stdout) as Doctor).findings.map((finding) => [finding.name, finding]));
    expect(seen.get("certificate tls_cert")?.grade).toBe("bad");
    expect(seen.get("ports")).toMatchObject({ grade: "bad", observed: expect.stringContaining("up.port_in_use") });
    expect(seen.get("data folder")).toMatchObject({ grade: "note" });
    expect(ran.code).toBe(1);
  });
});

describe("upgrade and rollback", () => {
  test(
    "upgrade makes a backup and tries the instance; rollback takes it back; both leave a folder that runs",
    { timeout: 180_000 },
    async () => {
      await cli.ok("stop");
      await running.exited;
      expect((await refusal("rollback", "--yes")).code).toBe("rollback.no_backup");
      const upgraded = (await cli.json("upgrade")) as { from: number; to: number; backup: Report };
      expect(upgraded).toMatchObject({ from: 0, to: 0 });
      expect(upgraded.backup.file.startsWith(`${place.data}.upgrades`)).toBe(true);
      running = await place.up();
      await cli.ok("room", "send", "garden", "after the upgrade", ...alice);
      await cli.ok("stop");
      await running.exited;
      const back = (await cli.json("rollback", "--yes")) as { replaced: string };
      expect(existsSync(join(back.replaced, "state", "state.db"))).toBe(true);
      running = await place.up();
      await eventually(async () => (await (await signedRequest(running.url))()).status === 200, "a fresh signature is taken", 15_000);
      expect(await cli.ok("room", "history", "garden", ...bob)).not.toContain("after the upgrade");
    },
  );

  test("an instance that does not start after an upgrade is taken back by itself", { timeout: 180_000 }, async () => {
    await cli.ok("stop");
    await running.exited;
    // What the backup does not hold and a start needs: a folder where a file must be.
    rmSync(join(place.data, "state", "claims.db"));
    mkdirSync(join(place.data, "state", "claims.db", "x"), { recursive: true });
    const why = await refusal("upgrade");
    expect(why.code).toBe("upgrade.failed");
    running = await place.up();
    expect(statSync(join(place.data, "state", "claims.db")).isFile()).toBe(true);
  });
});
