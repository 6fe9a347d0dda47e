import type { Proposal } from "@althing/contract";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { pressName, tabToName } from "./keyboard-walk.ts";
import { cast, proposalPath, stage } from "./proposal-scenes.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let [alice, bob, carol]: WebPerson[] = [];
const here = "garden";
/** Alice founded the community; Bob is a member with a phone. */
let hers: WatchedPage;
let his: WatchedPage;
const who = (person: WebPerson | undefined): WebPerson => {
  if (person === undefined) throw new Error("the world has not begun");
  return person;
};
/** Refusals are in the console of Chromium too. */
const unexpected = ({ faults }: WatchedPage) => faults.filter((fault) => !/status of (?:403|404|409|412|422)/.test(fault));

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  [bob, carol] = [await world.person("bob"), await world.person("carol")];
  await world.community(here, alice, [{ who: bob }, { who: carol }]);
  [hers, his] = await Promise.all([world.open(alice, `/c/${here}/proposals`), world.open(bob, `/c/${here}/proposals`, phone)]);
}, 120_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const go = (page: Page, one: Pick<Proposal, "id">, rest = "") => page.goto(`${world.instance.url}${proposalPath(here, one, rest)}`);
const read = (one: Pick<Proposal, "id">) => who(alice).client.call("proposals.get", { params: { community: here, proposal: one.id } });

test("an empty list teaches what comes here; with a keyboard alone a proposal is written, discussed, put to the vote and extended", async () => {
  const { page } = hers;
  await page.getByText("Nothing has been proposed yet").waitFor();
  await expectAccessible(page);
  await pressName(page, /^New proposal$/);
  await page.getByRole("heading", { name: "New proposal" }).waitFor();

  // Nothing is sent without a title, and what was chosen stays.
  await pressName(page, /^Put up for discussion$/);
  await page.getByText("Give it a title.").waitFor();
  await expectAccessible(page);
  await page.keyboard.press("Shift+Tab");
  await tabToName(page, /^Title$/);
  await page.keyboard.type("Water the beds");
  await tabToName(page, /^Text/);
  await page.keyboard.type("Every evening, by turns.");
  await tabToName(page, /^Yes or no/);
  await page.keyboard.press("ArrowDown");
  for (let back = 0; back < 3; back += 1) await page.keyboard.press("Shift+Tab");
  await tabToName(page, /^Remove option 2$/);
  for (let back = 0; back < 8; back += 1) await page.keyboard.press("Shift+Tab");
  await tabToName(page, /^Option 1$/);
  await page.keyboard.type("Roses");
  await tabToName(page, /^Option 2$/);
  await page.keyboard.type("Beans");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("placeholder"))).toBe("Option 3");
  await page.keyboard.type("Kale");
  await pressName(page, /^Move option 3 up$/);
  await page.keyboard.press("Enter");
  await pressName(page, /^Put up for discussion$/);
  await page.getByRole("heading", { name: "Water the beds" }).waitFor();
  await expectAccessible(page);

  await pressName(page, /^Open the vote$/);
  await page.getByRole("dialog").waitFor();
  await expectAccessible(page);
  await tabToName(page, /: As the community has it/);
  await page.keyboard.press("ArrowDown");
  await pressName(page, /^Open the vote$/);
  await page.getByText("The vote is open.", { exact: false }).first().waitFor();
  const [made] = (await who(alice).client.call("proposals.list", { params: { community: here } })).proposals;
  const opened = await read(made ?? { id: "" });
  expect(opened).toMatchObject({
    title: "Water the beds",
    state: "voting",
    rule: { method: "approval" },
    body: "Every evening, by turns.",
  });
  expect(opened.options.map(({ text }) => text)).toEqual(["Kale", "Roses", "Beans"]);
  const daysOpen = (Date.parse(opened.closesAt ?? "") - Date.parse(opened.votingOpenedAt ?? "")) / 86_400_000;
  expect(daysOpen).toBeCloseTo(1, 2);

  await pressName(page, /^Let it end later$/);
  await page.getByLabel("End of the vote").fill("2199-01-01T12:00");
  await pressName(page, /^Let it end later$/);
  await page.getByRole("alert").filter({ hasText: "proposal.closes_at_invalid" }).waitFor();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
}, 90_000);

test("the list puts what waits for one's vote first, knows what one voted on, and is searched and filtered whole", async () => {
  await stage(who(alice), here, { title: "Ends in a month", lastsMs: 30 * 86_400_000 });
  const soon = await stage(who(alice), here, { title: "Ends tomorrow", lastsMs: 86_400_000 });
  const voted = await stage(who(alice), here, { title: "Voted already", lastsMs: 3_600_000 });
  await cast(who(bob), here, voted, { choice: "yes" });
  await stage(who(bob), here, { title: "Bob's own draft", topic: "Sheds", until: "draft" });
  const { page } = his;
  await page.goto(`${world.instance.url}/c/${here}/proposals`);
  const waiting = page.getByRole("region", { name: "Waiting for your vote" });
  await waiting.getByRole("heading", { name: "Ends tomorrow" }).waitFor();
  const first = await waiting.getByRole("heading", { level: 3 }).allTextContents();
  expect(first.indexOf(soon.title)).toBeLessThan(first.indexOf("Ends in a month"));
  expect(first).not.toContain("Voted already");
  await page.getByRole("article").filter({ hasText: "Voted already" }).getByText("You voted", { exact: true }).waitFor();
  await expectAccessible(page);
  await page.getByRole("searchbox").fill("shed");
  await expect.poll(() => page.getByRole("article").allTextContents()).toHaveLength(1);
  await page.getByRole("searchbox").fill("nowhere to be found");
  await page.getByText("Nothing fits").waitFor();
  await page.getByRole("searchbox").fill("");
  await page.getByLabel("Only mine").check();
  await expect.poll(() => page.getByRole("article").getByRole("heading").allTextContents()).toEqual(["Bob's own draft"]);
  await page.getByLabel("Only mine").uncheck();
  await page.getByLabel("Show").selectOption("opening");
  await page.getByText("No proposal is in this state at the moment.").waitFor();
}, 60_000);

test("versions are compared word by word, told by more than colour", async () => {
  const one = await stage(who(alice), here, {
    title: "Hoses",
    body: "Buy one long hose.",
    options: ["Red", "Blue"],
    rule: { method: "irv" },
    until: "discussion",
  });
  const body = { title: "Hoses", body: "Buy two long hoses.", options: [{ id: "o2", text: "Blue" }, { text: "Green" }] };
  await who(alice).client.call("proposals.edit", { params: { community: here, proposal: one.id }, body });
  const { page } = his;
  await go(page, one, "/versions");
  await page.getByRole("deletion").first().waitFor();
  expect((await page.getByRole("deletion").allTextContents()).map((text) => text.replace(/^−\s*gone:\s*/, ""))).toEqual([
    "one",
    "hose",
    "Red",
  ]);
  expect((await page.getByRole("insertion").allTextContents()).map((text) => text.replace(/^\+\s*new:\s*/, ""))).toEqual([
    "two",
    "hoses",
    "Green",
  ]);
  await expectAccessible(page);
  await page.getByLabel("From").selectOption("2");
  await page.getByRole("region", { name: "Read version 2" }).getByText("Buy two long hoses.").waitFor();
}, 30_000);

test("an amendment is proposed, read as a difference, and taken as the next version", async () => {
  const one = await stage(who(alice), here, { title: "Compost", body: "A heap behind the shed.", until: "discussion" });
  const { page } = his;
  await go(page, one, "/amendments");
  await page.getByText("Nobody has proposed another text").waitFor();
  await page.getByRole("button", { name: "Propose an amendment" }).tap();
  await page.getByRole("button", { name: "Propose this text" }).tap();
  await page.getByText("You have changed nothing yet.").waitFor();
  await page.getByLabel("Text (optional)").fill("Two heaps behind the shed.");
  await page.getByLabel("Why (optional)").fill("One is full by June.");
  await page.getByRole("button", { name: "Propose this text" }).tap();
  await page.getByText("One is full by June.").first().waitFor();
  await expectAccessible(page);

  await go(hers.page, one, "/amendments");
  await hers.page.getByRole("insertion").first().waitFor();
  await hers.page.getByRole("button", { name: "Take it" }).click();
  await hers.page.getByRole("dialog").getByRole("button", { name: "Take it" }).click();
  await hers.page.getByText("It became version 2.").waitFor();
  expect((await read(one)).body).toBe("Two heaps behind the shed.");
}, 40_000);

test("an amendment to an older version is merged with what the proposal says now; another is turned down with its reason", async () => {
  const one = await stage(who(alice), here, { title: "Fence", body: "Mend the fence.", until: "discussion" });
  const params = { community: here, proposal: one.id };
  await who(bob).client.call("proposals.amend", { params, body: { title: "Fence", body: "Mend the fence and the gate." } });
  await who(carol).client.call("proposals.amend", { params, body: { title: "Wall", body: "Build a wall." } });
  await who(alice).client.call("proposals.edit", { params, body: { title: "Fence", body: "Mend the fence in May." } });
  const { page } = hers;
  await go(page, one, "/amendments");
  const bobs = page.getByRole("article").filter({ hasText: "bob" });
  await bobs.getByText("can be taken only when somebody merges").waitFor();
  await bobs.getByRole("button", { name: "Merge and take it" }).click();
  await page.getByRole("dialog").getByLabel("Text (optional)").fill("Mend the fence and the gate in May.");
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Merge and take it" }).click();
  await bobs.getByText("It became version 3.").waitFor();
  const carols = page.getByRole("article").filter({ hasText: "carol" });
  await carols.getByRole("button", { name: "Turn it down" }).click();
  await page.getByRole("dialog").getByLabel("Reason, which everybody sees").fill("Too dear.");
  await page.getByRole("dialog").getByRole("button", { name: "Turn it down" }).click();
  await carols.getByText("Too dear.").waitFor();
  expect((await read(one)).body).toBe("Mend the fence and the gate in May.");
}, 40_000);

test("two edit at a time: the second sees what the first wrote, keeps their own words, and saves after it", async () => {
  const one = await stage(who(alice), here, { title: "Bench", body: "A bench.", until: "discussion" });
  const params = { community: here, proposal: one.id };
  const { page } = hers;
  await go(page, one, "/edit");
  await page.getByLabel("Text (optional)").fill("A bench of oak.");
  await who(alice).client.call("proposals.edit", { params, body: { title: "Bench", body: "A bench by the pond." } });
  await page.getByText("Somebody else changed the proposal while you were writing.").waitFor();
  await expectAccessible(page);
  expect(await page.getByLabel("Text (optional)").inputValue()).toBe("A bench of oak.");
  await page.getByRole("button", { name: "Save mine after it" }).click();
  await page.getByRole("button", { name: "Save as a new version" }).click();
  await page.getByRole("heading", { name: "Bench" }).waitFor();
  expect(await read(one)).toMatchObject({ version: 3, body: "A bench of oak." });
}, 30_000);

test("a stale save that the page heard nothing of is refused, and nothing typed is lost", async () => {
  const one = await stage(who(alice), here, { title: "Bell", body: "A bell.", until: "discussion" });
  const deaf = await world.open(alice, `/c/${here}/proposals`);
  await deaf.page.route("**/events**", (route) => route.abort());
  await go(deaf.page, one, "/edit");
  await deaf.page.getByLabel("Text (optional)").fill("A big bell.");
  await who(alice).client.call("proposals.edit", {
    params: { community: here, proposal: one.id },
    body: { title: "Bell", body: "A small bell." },
  });
  await deaf.page.getByRole("button", { name: "Save as a new version" }).click();
  await deaf.page.getByText("Somebody else changed the proposal while you were writing.").waitFor();
  expect(await deaf.page.getByLabel("Text (optional)").inputValue()).toBe("A big bell.");
  expect(await read(one)).toMatchObject({ version: 2, body: "A small bell." });
  await deaf.close();
}, 30_000);

test("comments: written, answered, edited, removed with a reason; a muted member is told why and keeps the words", async () => {
  const one = await stage(who(alice), here, { title: "Bees", until: "discussion" });
  const { page } = his;
  await go(page, one);
  await page.getByLabel("Your comment").fill("<i>Bees</i> sting.\nאבל");
  await page.getByRole("button", { name: "Comment", exact: true }).tap();
  const said = page.getByRole("article").filter({ hasText: "<i>Bees</i> sting." });
  await said.waitFor();
  expect(await page.locator("article i").count()).toBe(0);
  await said.getByRole("button", { name: "Edit" }).tap();
  await page.getByRole("article").getByLabel("Your comment").fill("Bees sting.");
  await page.getByRole("button", { name: "Save the change" }).tap();
  await page.getByText("edited").waitFor();

  await go(hers.page, one);
  const heard = hers.page.getByRole("article").filter({ hasText: "Bees sting." });
  await heard.getByRole("button", { name: "Answer" }).click();
  await hers.page.getByLabel(/Answer .*bob/).fill("Seldom.");
  await hers.page.getByRole("button", { name: "Send the answer" }).click();
  await hers.page.getByRole("list", { name: "Answers" }).getByText("Seldom.").waitFor();
  await page.getByText("Seldom.").waitFor();
  await heard.getByRole("button", { name: "Remove" }).first().click();
  await hers.page.getByLabel("Reason, which everybody sees").fill("Said before.");
  await expectAccessible(hers.page);
  await hers.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("Somebody who manages proposals removed this comment.").waitFor();
  await page.getByText("Said before.").waitFor();

  const member = who(bob).identity.endpoint;
  await who(alice).client.call("moderation.act", {
    params: { community: here },
    body: { kind: "mute", member, reason: "A pause", hours: 1 },
  });
  await page.getByLabel("Your comment").last().fill("One more thing.");
  await page.getByRole("button", { name: "Comment", exact: true }).tap();
  const refusal = page.getByRole("alert").filter({ hasText: "You are muted in this community until" });
  await refusal.waitFor();
  expect(await refusal.textContent()).toContain("moderation.muted");
  expect(await page.getByLabel("Your comment").inputValue()).toBe("One more thing.");
  await expectAccessible(page);
}, 60_000);

test("a vote is opened on what its opener read: what changed meanwhile is said, and asked about again", async () => {
  const one = await stage(who(alice), here, { title: "Swing", body: "One swing.", until: "discussion" });
  const { page } = hers;
  await go(page, one);
  await page.getByRole("button", { name: "Open the vote" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("version 1").waitFor();
  await who(alice).client.call("proposals.edit", {
    params: { community: here, proposal: one.id },
    body: { title: "Swing", body: "Two swings." },
  });
  await dialog.getByText("The proposal changed while you were reading.").waitFor();
  expect(await dialog.getByRole("button", { name: "Open the vote", exact: true }).isDisabled()).toBe(true);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "I have read it" }).click();
  await dialog.getByRole("button", { name: "Open the vote", exact: true }).click();
  await page.getByText("The vote is open. The text cannot change any more.").waitFor();
  const opened = await read(one);
  expect(opened).toMatchObject({ state: "voting", version: 2 });

  const later = new Date(Date.parse(opened.closesAt ?? "") + 86_400_000).toISOString().slice(0, 16);
  await page.getByRole("button", { name: "Let it end later" }).click();
  await dialog.getByLabel("End of the vote").fill(later);
  await dialog.getByRole("button", { name: "Let it end later" }).click();
  await expect.poll(async () => (await read(one)).closesAt?.slice(0, 16)).toBe(later);
  await page.getByRole("button", { name: "End the vote now" }).click();
  await dialog.getByRole("button", { name: "End the vote now" }).click();
  await page.getByText("It did not pass: nobody voted.").waitFor();
}, 40_000);

test("a draft is put up, a vote is refused for what it lacks, and a withdrawn proposal says why and how far it came", async () => {
  const one = await stage(who(alice), here, { title: "Two things", options: ["Only one"], rule: { method: "irv" }, until: "draft" });
  const { page } = hers;
  await go(page, one);
  await page.getByRole("button", { name: "Put up for discussion" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Put up for discussion" }).click();
  await page.getByText("this method needs two options or more", { exact: false }).waitFor();
  await page.getByRole("button", { name: "Open the vote" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Open the vote" }).click();
  await page.getByRole("alert").filter({ hasText: "vote.rule_invalid" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByLabel("Reason, which everybody sees (optional)").fill("Done already.");
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("Its author withdrew it.").waitFor();
  await page.getByText("Done already.").waitFor();
  await expectAccessible(page);
}, 40_000);

test("who is no member, and a proposal that is not there, are told whole", async () => {
  const dave = await world.person("dave");
  const stranger = await world.open(dave, `/c/${here}/proposals`);
  await stranger.page.getByRole("alert").first().waitFor();
  expect(await stranger.page.getByRole("alert").first().textContent()).toMatch(/auth\.forbidden|community\.not_found/);
  await stranger.close();
  await go(his.page, { id: "01JA7Z3QK4W8N5V2X6Y9B0C1DE" });
  await his.page.getByRole("alert").filter({ hasText: "proposal.not_found" }).waitFor();
  await expectAccessible(his.page);
}, 40_000);

test("HTML, other writing directions and very long words stand there as text and widen nothing", async () => {
  const title = `<script>alert(1)</script> שלום ${"Long".repeat(38)}`;
  const one = await stage(who(alice), here, {
    title,
    body: `<img src=x onerror=alert(1)>\n${"x".repeat(300)}`,
    topic: "مياه",
    until: "discussion",
  });
  for (const [rest, shown] of [
    ["", "Nobody has said anything yet"],
    ["/versions", "There is one version"],
    ["/amendments", "Nobody has proposed another text"],
  ] as const) {
    await go(his.page, one, rest);
    await his.page.getByText(shown).waitFor();
    await expectAccessible(his.page);
  }
  expect(await his.page.locator("article img, article script").count()).toBe(0);
  await his.page.goto(`${world.instance.url}/c/${here}/proposals`);
  await his.page.getByRole("article").filter({ hasText: "<script>" }).waitFor();
  await expectAccessible(his.page);
}, 60_000);

test("no page broke its policy or complained", () => {
  expect(unexpected(hers)).toEqual([]);
  expect(unexpected(his)).toEqual([]);
});
