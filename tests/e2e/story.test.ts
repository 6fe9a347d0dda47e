/**
 * The story of `althing up --demo`, on a real instance with a real runner: every step as it is told, twice started, and the right of the first admin kept.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkplace, type Running, type Workplace } from "./althing-process.ts";

let place: Workplace;
let running: Running;

beforeAll(async () => {
  place = await openWorkplace();
  running = await place.up("--demo");
}, 60_000);
afterAll(async () => place?.[Symbol.asyncDispose]());

test("a community is founded, governed, moderated and extended, and its log verifies", { timeout: 180_000 }, async () => {
  await running.said("go on as one of its people", 170_000);
  const told = running.stderr();
  for (const line of [
    "invite three people: bob, cleo and dan accepted the rules and joined; 4 members",
    "talk in a room that the server cannot read: alice invited bob into the room demo-garden and wrote; he read 1 message",
    "open a vote (Schulze), one vote delegated: alice, bob and cleo voted; dan lets cleo vote for him",
    /install a package from a static registry: \S+ \S+ from http:\S+: signature verified, consented to, active/,
    "refuse another: policy.host_not_allowed: ",
    /run a job: tick: ticked for \S+ \(\d+ units of fuel\)/,
    "mute and appeal: cleo muted bob (moderation.muted); she may not decide the appeal herself; alice did: overturned",
    "decide: Lavender, with 3 ballots that weigh 4",
    "count again: dan counted 3 ballots on his own machine: the recount agrees",
    /verify the public log: chain ok: \d+ events, 0 redacted/,
  ])
    expect(told).toMatch(line);
  expect(told).not.toContain("failed:");
});

test("its people go on from the command line", { timeout: 60_000 }, async () => {
  const as = (name: string) => ["--community", "demo-garden", "--as", join("data", "demo", `${name}.id`)];
  expect(await place.ok("events", "verify", ...as("bob"))).toMatch(/^chain ok: \d+ events, 0 redacted$/m);
  expect(await place.ok("moderation", "log", ...as("dan"))).toContain("Three times about lavender in one hour");
  expect(await place.ok("module", "show", "welcome", ...as("alice"))).toContain("Be kind");
  const [proposal] = (await place.json("proposal", "list", ...as("dan"))) as { id: string }[];
  await place.ok("vote", "export", proposal?.id ?? "", "--output", "export.json", ...as("dan"));
  expect(await place.ok("vote", "recount", "export.json")).toContain("recount agrees");
});

test("a second start shows it again, and the real admin can still come", { timeout: 60_000 }, async () => {
  expect(running.adminLink).toBeDefined();
  await place.ok("stop");
  await running.exited;
  const again = await place.up("--demo");
  await again.said("is there from before", 20_000);
  await place.ok("identity", "new", "eve.id");
  await place.ok("bootstrap", "--as", "eve.id", "--handle", "eve");
  expect(
    await place.json("bootstrap", "--as", join("data", "demo", "bob.id"), "--handle", "bobby").catch((error: unknown) => String(error)),
  ).toContain("bootstrap.closed");
});
