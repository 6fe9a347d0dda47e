/** `althing vote` and `althing delegate` as people run them: on a real instance, and a recount without any. */
import { claimInstance, createPackagesClient, identityFromPhrase, joinInstance, newRecoveryPhrase, type Identity } from "@althing/client";
import { ballotPaperSchema, voteExportSchema } from "@althing/contract";
import { encodeIdentityFile } from "@althing/crypto";
import { startInstance, tempDir, type TestInstance } from "@althing/testkit";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";

let dir: Awaited<ReturnType<typeof tempDir>>;
let instance: TestInstance;
let proposal = "";
const identities = new Map<string, Identity>();
const garden = ["--community", "garden"];

/** A new person with a key file. */
async function born(handle: string): Promise<Identity> {
  const phrase = newRecoveryPhrase();
  writeFileSync(join(dir.path, `${handle}.id`), await encodeIdentityFile(phrase), { mode: 0o600 });
  const identity = await identityFromPhrase(phrase);
  identities.set(handle, identity);
  return identity;
}
function identityOf(handle: string): Identity {
  const identity = identities.get(handle);
  if (identity === undefined) throw new Error(`nobody is ${handle}`);
  return identity;
}

async function run(who: string, ...argv: string[]) {
  let [stdout, stderr] = ["", ""];
  const host: CliHost = {
    terminal: undefined,
    stdin: Readable.from([""]),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: { ALTHING_URL: who === "offline" ? "http://127.0.0.1:9" : instance.url, ALTHING_IDENTITY: `${who}.id` },
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
async function refused(code: string, who: string, ...argv: string[]): Promise<string> {
  const { code: exit, stderr } = await run(who, ...argv);
  expect(exit, argv.join(" ")).toBe(1);
  expect(stderr).toContain(`[${code}]`);
  return stderr;
}

beforeAll(async () => {
  dir = await tempDir();
  instance = await startInstance();
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  const ada = await born("ada");
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  const client = createPackagesClient({ identity: ada, urls: [instance.url] });
  for (const handle of ["ben", "cleo"]) {
    const identity = await born(handle);
    const invitation = await client.call("invitations.create", { body: {} });
    await joinInstance({ url: instance.url, token: invitation.token, handle, identity });
  }
  await client.call("communities.create", { body: { name: "garden" } });
  for (const identity of ["ben", "cleo"])
    await client.call("communities.addMember", { params: { community: "garden" }, body: { identity } });
  const made = await client.call("proposals.create", {
    params: { community: "garden" },
    body: { title: "What to plant", discuss: true, options: [{ text: "Roses" }, { text: "Beans" }], rule: { method: "approval" } },
  });
  proposal = made.id;
  await client.call("proposals.open", { params: { community: "garden", proposal }, body: {} });
  await client.close();
});
afterAll(async () => {
  await instance?.stop();
  await dir?.remove();
});

describe("an open vote", () => {
  test("is delegated, cast, changed, shown", async () => {
    expect(await ok("ben", "delegate", "give", "cleo", ...garden)).toBe("cleo votes for you in everything, unless you vote yourself");
    await refused("delegation.cycle", "cleo", "delegate", "give", "ben", ...garden);
    expect(await ok("cleo", "delegate", "list", ...garden)).toMatch(/^ben +→ cleo +everything/);
    expect(await ok("cleo", "delegate", "weight", "--proposal", proposal, ...garden)).toBe("your ballot counts 2");
    expect(await ok("ben", "delegate", "weight", ...garden)).toBe("your ballot counts 1; while you do not vote, your vote goes to cleo");
    await ok("cleo", "vote", "cast", proposal, "Roses", ...garden);
    await ok("cleo", "vote", "cast", proposal, "Beans", ...garden);
    const paper = ballotPaperSchema.parse(JSON.parse(await ok("cleo", "vote", "show", proposal, "--json", ...garden)));
    const beans = paper.options.find(({ text }) => text === "Beans")?.id ?? "";
    expect(paper.mine).toEqual({ kind: "open", choice: { approvals: [beans] } });
    expect(await ok("cleo", "vote", "show", proposal, ...garden)).toContain(`my ballot  ${beans}\n`);
    expect((await run("cleo", "vote", "cast", proposal, "Weeds", ...garden)).code).toBe(2);
    await refused("vote.still_running", "ben", "vote", "export", proposal, ...garden);
    await ok("ada", "vote", "cast", proposal, "Roses", ...garden);
    await ok("ada", "vote", "withdraw", proposal, ...garden);
    await refused("ballot.not_found", "ada", "vote", "withdraw", proposal, ...garden);
  });

  test("ends, is exported and counted again by anybody, also where no server is", async () => {
    await ok("ada", "vote", "cast", proposal, "Roses", "Beans", ...garden);
    await ok("ben", "vote", "cast", proposal, "Roses", ...garden);
    await ok("ben", "delegate", "revoke", ...garden);
    await refused("delegation.not_found", "ben", "delegate", "revoke", ...garden);
    const client = createPackagesClient({ identity: identityOf("ada"), urls: [instance.url] });
    await client.call("proposals.close", { params: { community: "garden", proposal }, body: {} });
    await client.close();
    const endpoint = identityOf("cleo").endpoint;
    expect(await ok("ben", "vote", "receipt", proposal, endpoint, ...garden)).toMatch(/^counted as: \S+$/);
    await refused("ballot.receipt_missing", "ben", "vote", "receipt", proposal, "A".repeat(43), ...garden);
    await ok("ben", "vote", "export", proposal, "--output", "export.json", ...garden);
    expect((statSync(join(dir.path, "export.json")).mode & 0o777).toString(8)).toBe("600");
    expect((await run("ben", "vote", "export", proposal, "--output", "export.json", ...garden)).code).toBe(2);
    expect(await ok("offline", "vote", "recount", "export.json")).toMatch(
      /^recount agrees: elected \(\S+\), 3 ballots, weight 3, 3 entitled$/,
    );

    const exported = voteExportSchema.parse(JSON.parse(readFileSync(join(dir.path, "export.json"), "utf8")));
    expect(voteExportSchema.parse(JSON.parse(await ok("ben", "vote", "export", proposal, ...garden)))).toEqual(exported);
    writeFileSync(join(dir.path, "altered.json"), JSON.stringify({ ...exported, ballots: exported.ballots.slice(0, 2) }));
    expect(await refused("vote.recount_differs", "offline", "vote", "recount", "altered.json")).toContain(
      "ballots: the report says 3, the recount 2",
    );
    writeFileSync(join(dir.path, "other.json"), "{}");
    await refused("vote.export_invalid", "offline", "vote", "recount", "other.json");
    expect((await run("offline", "vote", "recount", "nowhere.json")).code).toBe(2);
  });
});

describe("a secret vote", () => {
  test("gets its key from its trustee, and receipts are given and kept where they are told", async () => {
    const client = createPackagesClient({ identity: identityOf("ada"), urls: [instance.url] });
    const { endpoint } = identityOf("cleo");
    const { id } = await client.call("proposals.create", {
      params: { community: "garden" },
      body: { title: "Who speaks for us", discuss: true, rule: { method: "yes_no", secret: true, trustee: endpoint } },
    });
    await refused("vote.not_trustee", "ada", "vote", "key", id, ...garden);
    const key = await ok("cleo", "vote", "key", id, ...garden);
    await client.call("proposals.open", { params: { community: "garden", proposal: id }, body: {} });
    await client.close();
    expect(await ok("ben", "vote", "show", id, ...garden)).toContain(key);
    const receipt = await ok("ben", "vote", "cast", id, "no", "--receipt", "receipt.txt", ...garden);
    expect(receipt).toMatch(/^[\w-]{43}$/);
    expect(readFileSync(join(dir.path, "receipt.txt"), "utf8")).toBe(`${receipt}\n`);
    const shown = z
      .object({ mine: z.object({ kind: z.string() }) })
      .parse(JSON.parse(await ok("ben", "vote", "show", id, "--json", ...garden)));
    expect(shown.mine.kind).toBe("sealed");
    await refused("vote.not_opening", "cleo", "vote", "open-ballots", id, ...garden);
    await refused("vote.not_opening", "ada", "vote", "void", id, "--yes", ...garden);
  });
});
