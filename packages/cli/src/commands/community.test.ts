/** `althing community`, `role` and `member` as people run them on a real instance: founding on request, coming in, roles, leaving, taking data along. */
import { claimInstance, identityFromPhrase, joinInstance, newRecoveryPhrase, createPackagesClient, type Identity } from "@althing/client";
import { eventRecordSchema } from "@althing/contract";
import { encodeIdentityFile, verifyChain } from "@althing/crypto";
import { startInstance, tempDir, type TestInstance } from "@althing/testkit";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
let instance: TestInstance;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
async function run(who: string, ...argv: string[]): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  const host: CliHost = {
    terminal: undefined,
    stdin: Readable.from([""]),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: { ALTHING_URL: instance.url, ALTHING_IDENTITY: `${who}.id` },
    cwd: dir.path,
    now: Date.now,
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  return { code: await runProgram(host, argv), stdout, stderr };
}
async function ok(who: string, ...argv: string[]): Promise<string> {
  const ran = await run(who, ...argv);
  expect(ran.code, `${argv.join(" ")}: ${ran.stderr}`).toBe(0);
  return ran.stdout.trimEnd();
}
const json = async (who: string, ...argv: string[]): Promise<unknown> => JSON.parse(await ok(who, ...argv, "--json"));
async function refused(code: string, who: string, ...argv: string[]): Promise<void> {
  const { code: exit, stdout, stderr } = await run(who, ...argv);
  expect([exit, stdout], argv.join(" ")).toEqual([1, ""]);
  expect(stderr).toContain(`[${code}]`);
}

const people = new Map<string, Identity>();
const identityOf = (who: string): Identity => people.get(who) ?? expect.fail(`nobody is ${who}`);

async function newPerson(handle: string): Promise<Identity> {
  const phrase = newRecoveryPhrase();
  const identity = await identityFromPhrase(phrase);
  writeFileSync(join(dir.path, `${handle}.id`), await encodeIdentityFile(phrase), { mode: 0o600 });
  people.set(handle, identity);
  return identity;
}

beforeAll(async () => {
  dir = await tempDir();
  instance = await startInstance({ args: ["--platform-mode", "approval"] });
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  const ada = await newPerson("ada");
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  const client = createPackagesClient({ identity: ada, urls: [instance.url] });
  for (const handle of ["ben", "cleo"]) {
    const identity = await newPerson(handle);
    const invitation = await client.call("invitations.create", { body: {} });
    await joinInstance({ url: instance.url, token: invitation.token, handle, identity });
  }
  await client.close();
});
afterAll(async () => {
  await instance?.stop();
  await dir?.remove();
});

describe("communities, from founding to erasure", () => {
  test("are founded on request", async () => {
    await refused("community.approval_required", "ben", "community", "create", "garden");
    await ok("ben", "community", "request", "garden", "--reason", "we grow things");
    expect(await json("ada", "community", "founding-requests")).toMatchObject([
      { handle: "ben", name: "garden", reason: "we grow things" },
    ]);
    await refused("auth.forbidden", "cleo", "community", "found", "ben");
    await ok("ada", "community", "refuse", "ben", "--answer", "say more");
    expect(await ok("ben", "community", "founding-requests")).toContain("say more");
    await ok("ben", "community", "request", "garden", "--display-name", "The garden", "--reason", "tomatoes");
    expect(await ok("ada", "community", "found", "ben")).toBe("garden is founded; ben owns it");
    expect(await json("ben", "community", "show", "garden")).toMatchObject({ displayName: "The garden", roles: ["owner"] });
    await refused("founding.not_found", "ben", "community", "unrequest");
  });

  test("take people by invitation", async () => {
    const token = await ok("ben", "invite", "--community", "garden", "--hours", "1");
    expect(await json("ben", "community", "invitations", "garden")).toMatchObject([{ usesLeft: 1, roles: ["member"] }]);
    expect(await ok("ada", "community", "door", "--invitation", token)).toContain("garden (The garden)");
    expect(await ok("ada", "community", "join", "--invitation", token)).toBe("you are member of garden");
    await refused("invitation.invalid", "cleo", "community", "join", "--invitation", token);
    const { invitation } = z.object({ invitation: z.object({ id: z.string() }) }).parse(await json("ben", "community", "invite", "garden"));
    await ok("ben", "community", "uninvite", "garden", invitation.id);
    await refused("community.invitation_not_found", "ben", "community", "uninvite", "garden", invitation.id);
  });

  test("take people on request, with rules and questions", async () => {
    await refused("community.not_found", "cleo", "community", "door", "garden");
    await ok("ben", "community", "set", "garden", "--registration", "approval", "--description", "We grow things");
    const settings = { rules: "Water first.", questions: [{ id: "why", text: "Why?", required: true }] };
    const owner = createPackagesClient({ identity: identityOf("ben"), urls: [instance.url] });
    await owner.call("modules.change", { params: { community: "garden", module: "welcome" }, body: { settings } });
    await owner.close();
    expect(await ok("cleo", "community", "find")).toContain("We grow things");
    const shown = await ok("cleo", "community", "door", "garden");
    expect(shown).toContain("Water first.");
    // No terminal to show the rules on, and no word that they were read.
    expect((await run("cleo", "community", "join", "garden", "--answer", "why=tomatoes")).code).toBe(2);
    await refused("welcome.answers_invalid", "cleo", "community", "join", "garden", "--yes");
    expect(await ok("cleo", "community", "join", "garden", "--yes", "--answer", "why=tomatoes = love")).toBe("you asked to join garden");
    expect(await ok("ben", "community", "requests", "garden")).toContain("why: tomatoes = love");
    await ok("ben", "community", "decline", "garden", "cleo", "--answer", "in spring");
    expect(await ok("cleo", "community", "door", "garden")).toContain("in spring");
    const version = /version ([0-9a-f]{64})/.exec(shown)?.[1] ?? "";
    await ok("cleo", "community", "join", "garden", "--accept", version, "--answer", "why=x");
    await ok("cleo", "community", "withdraw", "garden");
    await refused("community.request_not_found", "ben", "community", "approve", "garden", "cleo");
    await ok("cleo", "community", "join", "garden", "--accept", version, "--answer", "why=x");
    expect(await ok("ben", "community", "approve", "garden", "cleo", "--role", "observer")).toBe("cleo is observer");
  });

  test("have roles of their own", async () => {
    await ok("ben", "role", "create", "garden", "gardener", "--permission", "rooms.create,members.invite", "--description", "waters");
    await ok("ben", "role", "set", "garden", "gardener", "--add", "votes.cast", "--drop", "rooms.create");
    expect(await json("ben", "role", "show", "garden", "gardener")).toMatchObject({
      permissions: ["members.invite", "votes.cast"],
      description: "waters",
    });
    await ok("ben", "member", "roles", "garden", "cleo", "--role", "gardener");
    expect(await json("cleo", "community", "show", "garden")).toMatchObject({ permissions: ["members.invite", "votes.cast"] });
    await refused("auth.forbidden", "cleo", "role", "create", "garden", "mine");
    await refused("role.in_use", "ben", "role", "remove", "garden", "gardener", "--yes");
    await refused("role.owner_fixed", "ben", "role", "set", "garden", "owner", "--drop", "votes.cast");
    await refused("role.not_found", "ben", "role", "show", "garden", "ghost");
    expect(await ok("cleo", "role", "list", "garden")).toMatch(/gardener +own +members\.invite, votes\.cast +waters/);
  });

  test("are taken along whole, into a file that only its owner reads and that goes over no other", async () => {
    await ok("ben", "community", "export", "garden", "-o", "garden.json");
    const path = join(dir.path, "garden.json");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const document = z
      .object({ format: z.literal("althing/community/v1"), sections: z.record(z.string(), z.array(z.unknown())) })
      .parse(JSON.parse(readFileSync(path, "utf8")));
    expect(document.sections).toMatchObject({ community: [{ name: "garden" }], members: [{}, {}, {}] });
    const events = (document.sections["events"] ?? []).map((event) => eventRecordSchema.parse(event));
    expect((await verifyChain(events)).events).toBe(events.length);
    expect(events.map(({ topic }) => topic)).toContain("role.created");
    expect(JSON.parse(await ok("ben", "community", "export", "garden"))).toMatchObject({ sections: { roles: expect.any(Array) } });
    expect((await run("ben", "community", "export", "garden", "-o", "garden.json")).code).toBe(2);
    await refused("auth.forbidden", "cleo", "community", "export", "garden", "-o", "theirs.json");
    expect(readdirSync(dir.path).filter((name) => name.includes("tmp") || name.includes("theirs"))).toEqual([]);
  });

  test("are left, and erased from after that", async () => {
    await ok("cleo", "community", "leave", "garden", "--yes");
    await refused("community.not_member", "ben", "member", "remove", "garden", "cleo", "--yes");
    await ok("cleo", "member", "erase", "garden", "--yes");
    await refused("community.not_found", "cleo", "member", "erase", "garden", "--yes");
    const { endpoint } = identityOf("cleo");
    expect(await ok("ben", "community", "export", "garden")).not.toContain(endpoint);
    expect((await run("ben", "events", "verify", "--community", "garden")).stdout).toMatch(/chain ok: \d+ events, [1-9]\d* redacted/);
  });
});
