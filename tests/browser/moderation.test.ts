/**
 * Moderation and delegation in a real Chromium: acts that reach whom they concern without a reload, appeals that somebody else decides, votes that are
 * given, followed and taken back, as words and as a picture.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { pressButton, tabTo, typeInto } from "./page-walk.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let alice: WebPerson;
let mo: WebPerson;
let mia: WebPerson;
let eve: WebPerson;
let kim: WebPerson;
let crowd: WebPerson[];
const params = { community: "garden" };
const hostile = `<b>rude</b> שלום ${"w".repeat(200)}`;

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  [mo, mia, eve, kim] = await Promise.all([world.person("mo"), world.person("mia"), world.person("eve"), world.person("kim")]);
  crowd = await Promise.all(Array.from({ length: 7 }, (_, at) => world.person(`crowd-${at}`)));
  await world.community("garden", alice, [
    { who: mo, roles: ["moderator", "member"] },
    { who: mia, roles: ["moderator", "member"] },
    ...[eve, kim, ...crowd].map((who) => ({ who })),
  ]);
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** Refusals that a test provokes are in the console as failed requests, and nothing else is. */
async function endClean(watched: WatchedPage): Promise<void> {
  expect(watched.faults.filter((fault) => !/status of 4\d\d/.test(fault))).toEqual([]);
  await watched.close();
}

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" });
const dialog = (page: Page) => page.getByRole("dialog");
const ledger = "/c/garden/moderation";

describe("the ledger", { timeout: 60_000 }, () => {
  test("takes a mute by keyboard alone, and it appears at the muted one without a reload", async () => {
    const muted = await world.open(eve, ledger, phone);
    await muted.page.getByText("The ledger is empty").waitFor();
    await expectAccessible(muted.page);

    const watched = await world.open(mo, ledger);
    const { page } = watched;
    await button(page, "Warn, mute or remove somebody").waitFor();
    await pressButton(page, "Warn, mute or remove somebody");
    await dialog(page).waitFor();
    await typeInto(page, "Whom it is about", "eve");
    await page.keyboard.press("Enter");
    await page.getByRole("radio", { name: "Warn" }).waitFor();
    await tabTo(page, "Warn");
    await page.keyboard.press("ArrowDown");
    expect(await page.getByRole("radio", { name: "Mute" }).isChecked()).toBe(true);
    await typeInto(page, "Reason", hostile);
    await expectAccessible(page);
    await pressButton(page, "Mute eve");
    await page.getByText("eve is muted.").waitFor();

    await muted.page.getByText("You are muted").waitFor();
    await muted.page.getByText("<b>rude</b>").first().waitFor();
    await expectAccessible(muted.page);
    await endClean(muted);
    await endClean(watched);
  });

  test("shows a refusal whole: a moderator does nothing against who holds more", async () => {
    const watched = await world.open(mo, ledger);
    const { page } = watched;
    await button(page, "Warn, mute or remove somebody").click();
    await page.getByLabel("Whom it is about").fill("alice");
    await button(page, "Next").click();
    await page.getByLabel("Reason", { exact: true }).fill("Because");
    await button(page, "Warn alice").click();
    const alert = page.getByRole("alert");
    await alert.getByText(/which you do not hold yourself/).waitFor();
    await alert.getByText("moderation.beyond_own").waitFor();
    expect(await page.getByLabel("Reason", { exact: true }).inputValue()).toBe("Because");
    await expectAccessible(page);
    await endClean(watched);
  });

  test("an appeal is made once by whom it concerns, and decided by somebody else than who acted", async () => {
    const muted = await world.open(eve, ledger);
    await button(muted.page, "Appeal").click();
    const send = button(muted.page, "Send the appeal");
    expect(await send.isDisabled()).toBe(true);
    await muted.page.getByLabel("Your words").fill("It was a quotation");
    const posts: string[] = [];
    muted.page.on("request", (request) => {
      if (request.url().endsWith("/appeal")) posts.push(request.url());
    });
    await send.dblclick();
    await muted.page.getByText("Your appeal is in the ledger.").waitFor();
    expect(posts).toHaveLength(1);
    await muted.page.getByText("Your appeal waits for somebody to decide.").waitFor();
    expect(await button(muted.page, "Appeal").count()).toBe(0);

    const actor = await world.open(mo, ledger);
    await actor.page.getByText("You did this, so somebody else decides the appeal.").waitFor();
    expect(await button(actor.page, "Decide the appeal").count()).toBe(0);
    await expectAccessible(actor.page);
    await endClean(actor);

    const watched = await world.open(mia, ledger);
    const { page } = watched;
    await page.getByLabel("Show", { exact: true }).selectOption("open");
    await button(page, "Decide the appeal").click();
    await page.getByRole("radio", { name: "Undo it" }).check();
    await page.getByLabel("Reason", { exact: true }).fill("It was one");
    await expectAccessible(page);
    await button(page, "Decide").click();
    await page.getByText("The appeal is decided.").waitFor();
    await page.getByText("Nothing fits").waitFor();
    await endClean(watched);

    await muted.page.getByText("It was undone.").first().waitFor();
    expect(await muted.page.getByText("You are muted").count()).toBe(0);
    await endClean(muted);
  });

  test("a mute is lifted with a reason by another moderator", async () => {
    await mo.client.call("moderation.act", {
      params,
      body: { kind: "mute", member: eve.identity.endpoint, hours: 2, reason: "Noise at night" },
    });
    const watched = await world.open(mia, ledger, phone);
    const { page } = watched;
    await page.getByLabel("Show", { exact: true }).selectOption("mutes");
    await button(page, "Lift").click();
    await page.getByLabel("Why it is lifted").fill("Sorted out");
    await button(page, "Lift the mute").click();
    await page.getByText("The mute is lifted.").waitFor();
    await page.getByLabel("Show", { exact: true }).selectOption("all");
    await page.getByText("Sorted out").waitFor();
    await expectAccessible(page);
    await endClean(watched);
  });

  test("who is removed sees it at once, reads why from outside, and appeals; a decision brings them back", async () => {
    const removed = await world.open(kim, ledger);
    await removed.page.getByRole("heading", { level: 1, name: "Moderation" }).waitFor();
    const watched = await world.open(mo, "/c/garden/members");
    await watched.page.getByLabel("Search by handle").fill("kim");
    await button(watched.page, "Manage kim").click();
    await watched.page.getByRole("radio", { name: "Remove from the community" }).check();
    await watched.page.getByLabel("Reason", { exact: true }).fill("Threats");
    await button(watched.page, "Remove kim").click();
    await watched.page.getByText("kim is no member any more.").waitFor();
    await endClean(watched);

    await removed.page.getByRole("link", { name: "Read why, and appeal" }).click();
    await removed.page.getByText("Threats").waitFor();
    await expectAccessible(removed.page);
    await button(removed.page, "Appeal").click();
    await removed.page.getByLabel("Your words").fill("It was a joke");
    await button(removed.page, "Send the appeal").click();
    await removed.page.getByText("Your appeal waits for somebody to decide.").waitFor();
    await endClean(removed);
    const { entries } = await mia.client.call("moderation.ledger", { params });
    const action = entries.find(({ kind }) => kind === "member_removal")?.id ?? "";
    await mia.client.call("moderation.decide", { params: { ...params, action }, body: { upheld: false, reason: "It was" } });
    await expect(kim.client.call("communities.get", { params })).resolves.toMatchObject({ roles: ["member"] });
  });

  test("to somebody who was never here says nothing", async () => {
    const stranger = await world.person("stranger");
    const watched = await world.open(stranger, "/communities/appeals/garden");
    await watched.page
      .getByRole("alert")
      .getByText(/There is no community garden/)
      .waitFor();
    await endClean(watched);
  });
});

describe("delegation", { timeout: 60_000 }, () => {
  test("is given, follows the chain in words, counts at once, and is taken back and given again", async () => {
    const watched = await world.open(eve, "/c/garden/delegation");
    const { page } = watched;
    await page.getByText("You gave your vote to nobody.").waitFor();
    await expectAccessible(page);
    await kim.client.call("delegations.give", { params, body: { to: "mo" } });
    await button(page, "Let somebody vote for you").click();
    await page.getByLabel("Who votes for you").fill("kim");
    await expectAccessible(page);
    await button(page, "Give my vote").dblclick();
    await page.getByText("kim votes for you now, unless you vote yourself.").waitFor();
    await page
      .getByText("Your vote goes to kim. kim gave it on to mo. mo votes for you, unless somebody before votes, or you do.")
      .waitFor();
    await page.getByRole("button", { name: "mo: 3 votes", exact: true }).waitFor();
    expect((await mo.client.call("delegations.weight", { params })).weight).toBe(3);

    await button(page, "Take back your vote on Everything from kim").click();
    await page.getByText("Your vote is yours again.").waitFor();
    await page.getByText("You gave your vote to nobody.").waitFor();
    await button(page, "Undo").click();
    await page.getByText("Your vote goes to kim.").waitFor();
    expect((await mo.client.call("delegations.weight", { params })).weight).toBe(3);
    await endClean(watched);
  });

  test("that would go round is refused with the way it would go", async () => {
    const watched = await world.open(mo, "/c/garden/delegation", phone);
    const { page } = watched;
    await page.getByText("Your vote counts as 3: your own and those given to you.").waitFor();
    await button(page, "Let somebody vote for you").click();
    await page.getByLabel("Who votes for you").fill("eve");
    await button(page, "Give my vote").click();
    const alert = page.getByRole("alert");
    await alert.getByText("That would go round: mo → eve → kim → mo.").waitFor();
    await alert.getByText("delegation.cycle").waitFor();
    await expectAccessible(page);
    await endClean(watched);
  });

  test("is a picture that opens by keyboard and says the same as the list", async () => {
    for (const { client } of crowd) await client.call("delegations.give", { params, body: { to: "eve" } });
    const watched = await world.open(alice, "/c/garden/delegation");
    const { page } = watched;
    await button(page, /^mo: 10 votes/).waitFor();
    await expectAccessible(page);
    await button(page, /^mo: 10 votes/).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByText("Gives on to").waitFor();
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("eve: 8 votes, given on to kim");
    await page.keyboard.press("ArrowRight");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toMatch(/^7 people who gave their vote to eve/);
    expect(await button(page, /^crowd-0: 1 vote/).count()).toBe(0);
    await page.keyboard.press("Enter");
    await button(page, /^crowd-0: 1 vote/).waitFor();
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("eve: 8 votes, given on to kim");
    expect(await page.locator("svg [tabindex='0']").count()).toBe(1);
    await expectAccessible(page);
    const list = page.getByRole("region", { name: "The same as a list" });
    for (const name of ["mo", "kim", "eve", "crowd-0", "crowd-6"]) expect(await list.getByText(name, { exact: true }).count()).toBe(1);
    await endClean(watched);
  });

  test("of a topic goes before what is for everything, and topics are shown as they are written", async () => {
    const topic = "<i>beds</i> שבילים";
    await alice.client.call("modules.change", { params: { ...params, module: "delegation" }, body: { settings: { topics: [topic] } } });
    const watched = await world.open(eve, "/c/garden/delegation");
    const { page } = watched;
    await button(page, "Let somebody vote for you").click();
    await page.getByLabel("Who votes for you").fill("mia");
    await page.getByRole("radio", { name: topic }).check();
    await button(page, "Give my vote").click();
    await page.getByText("mia votes for you now, unless you vote yourself.").waitFor();
    await page.getByLabel("Shown for").selectOption(topic);
    await page.getByText("Your vote goes to mia.").waitFor();
    await button(page, /^mia: 9 votes/).waitFor();
    await expectAccessible(page);
    await page.getByLabel("Shown for").selectOption("");
    await page.getByText("Your vote goes to kim.").waitFor();
    await endClean(watched);
  });
});
