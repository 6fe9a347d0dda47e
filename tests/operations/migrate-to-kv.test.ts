/** `althing migrate-to-kv` on an instance that people used: it goes on as if nothing had been, and what cannot be moved stays as it is. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "@althing/contract";
import { decodeIdentityFile, identityFromPhrase, signRequest } from "@althing/crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openWorkplace, type Running, type Workplace } from "../e2e/althing-process.ts";
import { inProcess, type InProcess } from "../e2e/in-process.ts";

let place: Workplace;
let running: Running;
let cli: InProcess;
const at = (name: string) => join(place.path, name);
const alice = ["--as", "alice.id"] as const;
const bob = ["--as", "bob.id"] as const;
const migrate = ["migrate-to-kv", "--yes"] as const;
const storeOf = (data: string) => (JSON.parse(readFileSync(join(data, "format.json"), "utf8")) as { store: string }).store;

async function refusal(...args: string[]): Promise<{ readonly code: string; readonly params: Readonly<Record<string, unknown>> }> {
  const ran = await cli.run([...args, "--json"]);
  expect(ran.code, ran.stdout).not.toBe(0);
  return (JSON.parse(ran.stdout) as { error: { code: string; params: Record<string, unknown> } }).error;
}

async function stop(): Promise<void> {
  await cli.ok("stop");
  await running.exited;
}

/** A request as it went over the wire, to be sent once more. */
async function signedRequest(url: string): Promise<() => Promise<string | undefined>> {
  const { phrase } = await decodeIdentityFile(readFileSync(at("alice.id"), "utf8"), "alice.id");
  const target = `${url}/api/me`;
  const identity = await identityFromPhrase(phrase);
  const asked = { method: "GET", url: target, headers: {}, now: Math.floor(Date.now() / 1_000) } as const;
  const headers = await signRequest(identity, { ...asked, lifetimeSeconds: limits.signatureWindowSeconds });
  return async () => ((await (await fetch(target, { headers })).json()) as { code?: string }).code;
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

test("a running instance is not moved; one whose new form does not start comes back as it was", { timeout: 120_000 }, async () => {
  expect((await refusal(...migrate)).code).toBe("data.locked");
  await stop();
  // What only a start needs: a file where a folder must be.
  rmSync(join(place.data, "runner"), { recursive: true });
  writeFileSync(join(place.data, "runner"), "");
  expect((await refusal(...migrate)).code).toBe("migrate.failed");
  expect([storeOf(place.data), existsSync(`${place.data}.before-kv`), existsSync(`${place.data}.incoming`)]).toEqual([
    "sqlite",
    false,
    false,
  ]);
  rmSync(join(place.data, "runner"));
  running = await place.up();
});

test("moved, it has all that it had, refuses what it refused, and goes on", { timeout: 180_000 }, async () => {
  writeFileSync(at("leaf.txt"), "leaf");
  const { reference } = (await cli.json("blob", "put", "leaf.txt", "--room", "garden", ...alice)) as { reference: string };
  const before = await cli.ok("room", "history", "garden", ...bob);
  const events = await cli.ok("events", "verify", "--community", "village", ...alice);
  await stop();
  running = await place.up();
  const again = await signedRequest(running.url);
  expect(await again()).toBeUndefined();
  await stop();

  expect(await cli.json(...migrate)).toMatchObject({ store: "kv", written: { objects: 1, messages: expect.any(Number) } });
  expect([storeOf(place.data), existsSync(`${place.data}.before-kv`)]).toEqual(["kv", false]);
  running = await place.up("--store", "kv");
  // The nonce that was used is used here as well.
  expect(["auth.replayed", "auth.expired"]).toContain(await again());
  expect(running.adminLink).toBeUndefined();
  expect(await cli.ok("room", "history", "garden", ...bob)).toBe(before);
  expect(await cli.ok("events", "verify", "--community", "village", ...alice)).toBe(events);
  await cli.ok("blob", "get", reference, "-o", at("leaf.back"), ...bob);
  expect(readFileSync(at("leaf.back"), "utf8")).toBe("leaf");
  await cli.ok("room", "send", "garden", "and on", ...bob);
  await cli.ok("role", "create", "village", "smith", ...alice);
  await cli.ok("smoke", ...alice);
});

test("an instance in kv is upgraded and taken back as one in SQLite is", { timeout: 180_000 }, async () => {
  await stop();
  const env = { ALTHING_STORE: "kv" };
  const upgraded = await cli.run(["upgrade", "--json"], { env });
  expect(upgraded.code, upgraded.stdout).toBe(0);
  const back = await cli.run(["rollback", "--yes", "--json"], { env });
  expect(JSON.parse(back.stdout), back.stdout).toMatchObject({ store: "kv" });
  running = await place.up("--store", "kv");
  // For some seconds a signature could be one that the old instance took.
  expect(await eventually(() => cli.ok("room", "history", "garden", ...bob), "a fresh signature is taken", 30_000)).toContain("and on");
});

test("made again what was cut off between two renames; what is kv already is refused", { timeout: 120_000 }, async () => {
  await stop();
  expect((await refusal(...migrate, "--store", "kv")).code).toBe("cli.usage");
  expect((await refusal(...migrate)).code).toBe("migrate.refused");
  renameSync(place.data, `${place.data}.incoming`);
  expect((await refusal("up", "--store", "kv")).code).toBe("encryption.unfinished");
  expect((await refusal(...migrate)).code).toBe("migrate.refused");
  running = await place.up("--store", "kv");
  expect(await cli.ok("room", "history", "garden", ...bob)).toContain("and on");
});
