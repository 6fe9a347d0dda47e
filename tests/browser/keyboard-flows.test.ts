/**
 * Whole flows by keyboard alone: rooms, roles, appeals, delegation, plugins, the instance, signing out.
 *
 * Invariant: after every dialog the focus is on what opened it, or near it where that is gone; after a refusal it is at the refusal or at the field; Tab leads
 * into everything and out of it again. Nothing is clicked, and no focus is set by the test.
 */
import { platformModes } from "@althing/contract";
import { newPublisherKey } from "@althing/extension/trust";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Locator, Page } from "playwright-core";
import { goRound, pressName, tabToName, typeInName, untilFocused, untilFocusedRefusal } from "./keyboard-walk.ts";
import { greeter, greeterId } from "./plugin-packages.ts";
import { endClean, openPluginWorld, type PluginWorld } from "./plugin-world.ts";
import { phone, startWebWorld, type WebPerson } from "./web-world.ts";

let world: PluginWorld;
let alice: WebPerson;
const community = "keys";
const params = { community };

beforeAll(async () => {
  world = await openPluginWorld();
  alice = world.web.admin;
  await world.found(community);
  // One of its own for the policy, which keeps packages out.
  await world.found("strict");
}, 120_000);
afterAll(() => world?.close());

const dialog = (page: Page) => page.getByRole("dialog");
const rolesOf = async (handle: string) =>
  (await alice.client.call("communities.members", { params, query: { limit: 200 } })).members.find((one) => one.handle === handle)?.roles;

/** The page with this heading is there, and its heading has the focus. */
const untilPage = (page: Page, heading: string) =>
  page
    .locator("h1:focus")
    .and(page.getByRole("heading", { name: heading, exact: true }))
    .waitFor();

/** Opens the dialog by the button that has this name, goes round in it, and leaves it again: the button has the focus. */
async function lookInto(page: Page, opener: RegExp, isThere: Locator = dialog(page)): Promise<void> {
  await pressName(page, opener);
  await isThere.waitFor();
  expect(await goRound(page)).toBeGreaterThan(1);
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await untilFocused(page, opener);
}

test("a room is founded, somebody invited, checked and removed; an invitation is declined, a room left", { timeout: 60_000 }, async () => {
  const { ada, bob } = world.people;
  const watched = await world.web.open(ada, "/rooms");
  const { page } = watched;
  await page.getByText("You are in no room yet").waitFor();
  await lookInto(page, /^Found a room$/);
  await page.keyboard.press("Enter");
  await pressName(page, /^Found the room$/);
  await untilFocused(page, /^Name$/);
  await page.keyboard.type("watch");
  await tabToName(page, /^What may people read who come later\?: What is written after they came$/);
  await page.keyboard.press("ArrowDown");
  expect(await page.getByLabel("Everything from the beginning").isChecked()).toBe(true);
  await pressName(page, /^Found the room$/);
  await untilPage(page, "watch");
  await page.getByText("ada founded the room.").waitFor();

  await pressName(page, /^1 member/);
  await typeInName(page, /^Handle$/, "nobody-here");
  await pressName(page, /^Invite$/);
  await untilFocused(page, /^Handle$/);
  await page.getByText(/user nobody-here/).waitFor();
  await typeInName(page, /^Handle$/, "bob");
  await pressName(page, /^Invite$/);
  await page.getByText("bob is invited.").waitFor();
  await untilFocused(page, /^Invite$/);
  await bob.client.rooms.join("watch");

  await lookInto(page, /^Safety number with bob$/, page.getByRole("button", { name: "They are equal", disabled: false }));
  await page.keyboard.press("Enter");
  await dialog(page).getByRole("list", { name: "Safety number with bob" }).getByRole("listitem").nth(11).waitFor();
  await pressName(page, /^They are equal$/);
  await untilFocused(page, /^Safety number with bob$/);

  await lookInto(page, /^Remove bob$/);
  await page.keyboard.press("Enter");
  await pressName(page, /^Remove$/);
  await page.getByText("bob is no longer in the room.").waitFor();
  // The row is gone, and its button with it.
  await untilFocused(page, /^People$/);

  const invite = async () => {
    await typeInName(page, /^Handle$/, "bob");
    await page.keyboard.press("Enter");
    await page.getByText("has not accepted yet").waitFor();
    await untilFocused(page, /^Handle$/);
  };
  await invite();
  const theirs = await world.web.open(bob, "/rooms/watch");
  await theirs.page.getByRole("heading", { name: "You are invited to watch" }).waitFor();
  await lookInto(theirs.page, /^Decline$/);
  await theirs.page.keyboard.press("Enter");
  await dialog(theirs.page).waitFor();
  await pressName(theirs.page, /^Decline$/);
  await theirs.page.getByText("You declined the invitation to watch.").waitFor();
  await untilPage(theirs.page, "Rooms");
  await page.getByText("is out; the keys are renewed").waitFor();
  await invite();
  await theirs.page.goto(`${world.web.instance.url}/rooms/watch`);
  await pressName(theirs.page, /^Join the room$/);
  await untilPage(theirs.page, "watch");
  await pressName(theirs.page, /^About$/);
  await lookInto(theirs.page, /^Leave the room$/);
  await theirs.page.keyboard.press("Enter");
  await dialog(theirs.page).waitFor();
  await pressName(theirs.page, /^Leave the room$/);
  await theirs.page.getByText("You left watch.").waitFor();
  await untilPage(theirs.page, "Rooms");
  await endClean(theirs);

  // Its only owner cannot leave, and reads why.
  await pressName(page, /^About$/);
  await pressName(page, /^Leave the room$/);
  await dialog(page).waitFor();
  await pressName(page, /^Leave the room$/);
  await untilFocusedRefusal(page, /room\.last_owner/);
  await page.keyboard.press("Escape");
  await untilFocused(page, /^Leave the room$/);
  await endClean(watched);
});

test(
  "a role is made, changed, given and taken back; one that somebody has stays, and why is read at once",
  { timeout: 60_000 },
  async () => {
    const watched = await world.web.open(alice, `/c/${community}/members/roles`);
    const { page } = watched;
    await page.getByRole("table").waitFor();
    await lookInto(page, /^Make a role$/);
    await page.keyboard.press("Enter");
    await typeInName(page, /^Name$/, "No such name");
    await pressName(page, /^Make the role$/);
    await untilFocused(page, /^Name$/);
    await typeInName(page, /^Name$/, "gardener");
    await tabToName(page, /^found rooms$/);
    await page.keyboard.press("Space");
    await tabToName(page, /^make proposals$/);
    await page.keyboard.press("Space");
    await pressName(page, /^Make the role$/);
    await page.getByText("The role gardener is there.").waitFor();
    await untilFocused(page, /^Make a role$/);

    await pressName(page, /^Change the role gardener$/);
    for (const name of [/^found rooms$/, /^vote$/]) {
      await tabToName(page, name);
      await page.keyboard.press("Space");
    }
    await pressName(page, /^Save the role$/);
    await page.getByText("The role gardener is changed.").waitFor();
    await untilFocused(page, /^Change the role gardener$/);
    const { roles } = await alice.client.call("roles.list", { params });
    expect(roles.find(({ role }) => role === "gardener")?.permissions.toSorted()).toEqual(["proposals.create", "votes.cast"]);

    // Somebody else was faster: what the role holds now is read at once, and saving again is a decision.
    await pressName(page, /^Change the role gardener$/);
    await dialog(page).waitFor();
    await alice.client.call("roles.change", { params: { community, role: "gardener" }, body: { description: "Looks after the beds" } });
    await tabToName(page, /^found rooms$/);
    await page.keyboard.press("Space");
    await pressName(page, /^Save the role$/);
    await page.locator("[role=alert]:focus").filter({ hasText: "Somebody changed this role meanwhile" }).waitFor();
    await pressName(page, /^Save the role$/);
    await dialog(page).waitFor({ state: "detached" });
    await untilFocused(page, /^Change the role gardener$/);

    await pressName(page, /^Members$/);
    await untilPage(page, "Members");
    const change = async () => {
      await page.getByRole("button", { name: "Manage bob" }).waitFor();
      await pressName(page, /^Manage bob$/);
      await tabToName(page, /^gardener$/);
      await page.keyboard.press("Space");
      await pressName(page, /^Save roles$/);
      await dialog(page).waitFor({ state: "detached" });
      await untilFocused(page, /^Manage bob$/);
    };
    await change();
    expect((await rolesOf("bob"))?.toSorted()).toEqual(["gardener", "member"]);
    await pressName(page, /^Undo$/);
    await untilPage(page, "Members");
    await expect.poll(() => rolesOf("bob")).toEqual(["member"]);
    await page.getByRole("row", { name: /bob/ }).getByText("gardener").waitFor({ state: "detached" });
    await change();

    await pressName(page, /^Roles$/);
    await untilPage(page, "Roles");
    await lookInto(page, /^Remove the role gardener$/);
    await page.keyboard.press("Enter");
    await pressName(page, /^Remove$/);
    await untilFocusedRefusal(page, /role\.in_use/);
    await goRound(page);
    await page.keyboard.press("Escape");
    await untilFocused(page, /^Remove the role gardener$/);

    await pressName(page, /^Members$/);
    await untilPage(page, "Members");
    await change();
    expect(await rolesOf("bob")).toEqual(["member"]);
    await pressName(page, /^Roles$/);
    await untilPage(page, "Roles");
    await pressName(page, /^Remove the role gardener$/);
    await dialog(page).waitFor();
    await pressName(page, /^Remove$/);
    await page.getByText("The role gardener is gone.").waitFor();
    await untilPage(page, "Roles");
    await endClean(watched);
  },
);

test(
  "on a phone dialogs stand above dialogs, and Escape ends one of them; roles are shown one at a time",
  { timeout: 60_000 },
  async () => {
    const { ada, bob } = world.people;
    const room = await ada.client.rooms.create({ name: "pocket" });
    await room.invite("bob");
    await bob.client.rooms.join("pocket");
    const watched = await world.web.open(ada, "/rooms/pocket", phone);
    const { page } = watched;
    await pressName(page, /^2 members/);
    await page.getByRole("button", { name: "Remove bob" }).waitFor();
    for (const opener of [/^Safety number with bob$/, /^Remove bob$/]) {
      await pressName(page, opener);
      await expect.poll(() => dialog(page).count()).toBe(2);
      // A number is compared when it is there.
      await expect.poll(() => dialog(page).last().locator("button:disabled").count()).toBe(0);
      expect(await goRound(page)).toBeGreaterThan(1);
      await page.keyboard.press("Escape");
      await expect.poll(() => dialog(page).count()).toBe(1);
      await untilFocused(page, opener);
    }
    await page.keyboard.press("Enter");
    await expect.poll(() => dialog(page).count()).toBe(2);
    await pressName(page, /^Remove$/);
    await page.getByText("bob is no longer in the room.").waitFor();
    await untilFocused(page, /^People$/);
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    await untilFocused(page, /^1 member/);

    await page.goto(`${world.web.instance.url}/c/${community}/members/roles`);
    await page.getByLabel("Role", { exact: true }).waitFor();
    await tabToName(page, /^Role$/);
    await page.keyboard.type("moderator");
    await lookInto(page, /^Change the role moderator$/);
    await endClean(watched);
  },
);

test("an appeal is written by whom it concerns and decided by somebody else", { timeout: 60_000 }, async () => {
  const { mo, bob } = world.people;
  const member = bob.identity.endpoint;
  await mo.client.call("moderation.act", { params, body: { kind: "warning", member, reason: "Shouting" } });
  const theirs = await world.web.open(bob, `/c/${community}/moderation`);
  await theirs.page.getByRole("button", { name: "Appeal" }).waitFor();
  await lookInto(theirs.page, /^Appeal$/);
  await theirs.page.keyboard.press("Enter");
  await typeInName(theirs.page, /^Your words$/, "It was windy");
  await pressName(theirs.page, /^Send the appeal$/);
  await theirs.page.getByText("Your appeal is in the ledger.").waitFor();
  // There is nothing to appeal against any more.
  await untilFocused(theirs.page, /^Warning$/);
  await endClean(theirs);

  const watched = await world.web.open(alice, `/c/${community}/moderation`);
  const { page } = watched;
  await page.getByRole("button", { name: "Decide the appeal" }).waitFor();
  await lookInto(page, /^Decide the appeal$/);
  await page.keyboard.press("Enter");
  await tabToName(page, /^Your decision: It stands$/);
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowDown");
  expect(await page.getByRole("radio", { name: "Undo it" }).isChecked()).toBe(true);
  await typeInName(page, /^Reason$/, "It was");
  await pressName(page, /^Decide$/);
  await page.getByText("The appeal is decided.").waitFor();
  await untilFocused(page, /^Warning$/);
  const [entry] = (await alice.client.call("moderation.ledger", { params, query: { limit: 1 } })).entries;
  expect(entry?.appeal?.decision?.upheld).toBe(false);
  await endClean(watched);
});

test("a vote is given to somebody, seen in the list and taken back", { timeout: 60_000 }, async () => {
  const watched = await world.web.open(world.people.bob, `/c/${community}/delegation`);
  const { page } = watched;
  await page.getByText("Nobody gave their vote to anybody").waitFor();
  await lookInto(page, /^Let somebody vote for you$/);
  await page.keyboard.press("Enter");
  await typeInName(page, /^Who votes for you$/, "nobody-here");
  await pressName(page, /^Give my vote$/);
  await untilFocusedRefusal(page, /user\.not_found|not_found/);
  await typeInName(page, /^Who votes for you$/, "mo");
  await pressName(page, /^Give my vote$/);
  await page.getByText("mo votes for you now").waitFor();
  await untilFocused(page, /^Let somebody vote for you$/);
  const list = page.getByRole("region", { name: "The same as a list" });
  await list.getByText("bob").waitFor();
  await pressName(page, /^Take back your vote on Everything from mo$/);
  await page.getByText("Your vote is yours again.").waitFor();
  await list.waitFor({ state: "detached" });
  await untilFocused(page, /^Your vote$/);
  await endClean(watched);
});

describe("plugins", () => {
  test("the policy is changed, tried out and saved; a refusal is read at once", { timeout: 60_000 }, async () => {
    const watched = await world.web.open(world.people.ada, "/c/strict/plugins/policy");
    const { page } = watched;
    const key = page.getByRole("region", { name: "Whose packages are taken" });
    await key.getByText("Why", { exact: true }).waitFor();
    await tabToName(page, /^Whose packages are taken: As the instance says$/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    expect(await key.getByLabel("Only publishers of the list below").isChecked()).toBe(true);
    await pressName(page, /^Try it out first$/);
    await page.getByRole("region", { name: "What this policy would stop" }).waitFor();
    await untilFocused(page, /^Try it out first$/);
    await pressName(page, /^Save the policy$/);
    await page.getByText("Nothing is changed.").waitFor();
    // It is off until something is changed again, and keeps the focus.
    await untilFocused(page, /^Save the policy$/);
    expect(await page.getByRole("button", { name: "Save the policy" }).isDisabled()).toBe(true);
    expect((await alice.client.call("policy.get", { params: { community: "strict" } })).community.trust).toBe("trusted_publishers");

    await tabToName(page, /^May packages reach other servers: As the instance says$/);
    await page.keyboard.press("ArrowDown");
    await typeInName(page, /^Hosts that packages may reach, one a line$/, "a.*.example");
    await pressName(page, /^Save the policy$/);
    await untilFocusedRefusal(page, /policy\.pattern_invalid/);
    await pressName(page, /^Put back what is saved$/);
    await page.getByText("Nothing is changed.").waitFor();
    await untilFocused(page, /^Who may come in$/);
    await endClean(watched);
  });

  test("settings of a package are saved, and it is removed with everything", { timeout: 60_000 }, async () => {
    const { ada } = world.people;
    await world.publisher.install(ada.client, world.upload, community, greeter);
    const watched = await world.web.open(ada, `/c/${community}/plugins/packages/${greeterId}`);
    const { page } = watched;
    await page.getByRole("heading", { name: "Greeter" }).waitFor();
    await pressName(page, /^Settings$/);
    await page.getByLabel("Greeting").waitFor();
    await typeInName(page, /^Greeting$/, "Good evening to everybody");
    await pressName(page, /^Save settings$/);
    await page.getByText("Write at most 10 characters.").waitFor();
    await untilFocused(page, /^Greeting$/);
    await typeInName(page, /^Greeting$/, "Ahoy");
    await pressName(page, /^Save settings$/);
    await page.getByText("The settings are saved.").waitFor();
    await untilFocused(page, /^Settings$/);
    const install = { community, install: greeterId };
    expect((await ada.client.call("packages.get", { params: install })).settings).toEqual({ greeting: "Ahoy" });

    await pressName(page, /^Remove$/);
    await tabToName(page, /: Keep its data$/);
    await page.keyboard.press("ArrowDown");
    await lookInto(page, /^Remove with all data$/);
    await page.keyboard.press("Enter");
    await typeInName(page, /org\.example\.greeter/, greeterId);
    await pressName(page, /^Remove with all data$/);
    await page.getByText("Greeter is removed.").waitFor();
    await untilPage(page, "Plugins");
    await endClean(watched);
  });
});

test("the instance trusts a key and no longer, locks a rule, and its audit is searched", { timeout: 60_000 }, async () => {
  const watched = await world.web.open(alice, "/instance/trust");
  const { page } = watched;
  await page.getByLabel("PEM text").waitFor();
  const before = new Set((await alice.client.call("trust.list")).anchors.map(({ id }) => id));
  await typeInName(page, /^PEM text$/, "no key");
  await pressName(page, /^Trust it$/);
  await untilFocusedRefusal(page, /Code/);
  await tabToName(page, /^PEM text$/);
  await page.keyboard.press("ControlOrMeta+a");
  // As it comes from the clipboard.
  await page.keyboard.insertText(newPublisherKey().publicKeyPem);
  await pressName(page, /^Trust it$/);
  await page.getByText("Added.", { exact: true }).waitFor();
  await untilFocused(page, /^Trust it$/);
  const added = (await alice.client.call("trust.list")).anchors.find(({ id }) => !before.has(id));
  const removal = new RegExp(`^Trust no longer: ${String(added?.subject)}$`);
  await lookInto(page, removal);
  await page.keyboard.press("Enter");
  await pressName(page, /^Trust no longer$/);
  await page.getByText("is not trusted any more.").waitFor();
  await untilFocused(page, /^Trusted keys and authorities$/);

  await pressName(page, /^Plugin policy$/);
  await untilPage(page, "Plugin policy of the instance");
  await pressName(page, /^Locks$/);
  await tabToName(page, /^May packages answer strangers$/);
  await page.keyboard.press("Space");
  await pressName(page, /^Save the locks$/);
  await page.getByText("Saved. It holds from the next call on.").waitFor();
  await untilFocused(page, /^Save the locks$/);
  expect((await alice.client.call("instancePolicy.get")).locks).toEqual(["publicEndpoints"]);

  await pressName(page, /^Audit$/);
  await untilPage(page, "Audit");
  await typeInName(page, /^Search entries$/, "publicEndpoints");
  const rows = page.getByRole("table", { name: "Audit" }).locator("tbody tr");
  await expect.poll(() => rows.count()).toBe(1);
  await rows.getByText("Changed the plugin policy").waitFor();
  await untilFocused(page, /^Search entries$/);
  await endClean(watched);
});

test("a version is yanked with a reason and allowed again", { timeout: 60_000 }, async () => {
  await world.publish(greeter);
  const watched = await world.web.open(alice, "/instance/registry");
  const { page } = watched;
  await page.getByRole("button", { name: "Show versions of Greeter" }).waitFor();
  await pressName(page, /^Show versions of Greeter$/);
  await page.getByRole("button", { name: "Yank 1.0.0" }).waitFor();
  await lookInto(page, /^Yank 1\.0\.0$/);
  await page.keyboard.press("Enter");
  await typeInName(page, /^Reason$/, "It greets the wrong people");
  await pressName(page, /^Yank$/);
  await page.getByText("It greets the wrong people").waitFor();
  // What the button does now is the way back.
  await untilFocused(page, /^Allow again 1\.0\.0$/);
  await page.keyboard.press("Enter");
  await typeInName(page, /^Reason$/, "It was right");
  await pressName(page, /^Allow again$/);
  await untilFocused(page, /^Yank 1\.0\.0$/);
  await endClean(watched);
});

test("a request for a community is taken back and put back, and declined with a reason", { timeout: 90_000 }, async () => {
  await using asking = await startWebWorld({ args: ["--platform-mode", platformModes[1]] });
  const bob = await asking.person("bob");
  await bob.client.call("founding.ask", { body: { name: "pond", displayName: "Pond", reason: "Frogs" } });
  const theirs = await asking.open(bob, "/communities/new");
  await pressName(theirs.page, /^Take it back$/);
  await theirs.page.getByText("Request taken back").waitFor();
  await theirs.page.getByLabel("Name", { exact: true }).waitFor();
  await untilPage(theirs.page, "Found a community");
  await pressName(theirs.page, /^Undo$/);
  await theirs.page.getByText("Frogs").waitFor();
  await untilPage(theirs.page, "Found a community");

  const watched = await asking.open(asking.admin, "/instance/communities");
  const { page } = watched;
  await page.getByText("Frogs").waitFor();
  await lookInto(page, /^Decline$/);
  await page.keyboard.press("Enter");
  await typeInName(page, /^Reason/, "Which pond?");
  await pressName(page, /^Decline$/);
  await page.getByText("Nobody waits for an answer.").waitFor();
  await untilFocused(page, /^Requests$/);
  await endClean(watched);
  await theirs.page.reload();
  await theirs.page.getByText("Which pond?").waitFor();
  await endClean(theirs);
});

test("somebody signs out and comes back, then takes the keys out of the browser", { timeout: 60_000 }, async () => {
  const watched = await world.web.open(world.people.bob, "/identity");
  const { page } = watched;
  await page.getByRole("heading", { name: "Your identity" }).waitFor();
  await pressName(page, /^Sign out, keep my keys$/);
  await untilPage(page, "You signed out");
  await pressName(page, /^Come back in$/);
  await untilPage(page, "Your identity");
  await lookInto(page, /^Forget the keys in this browser$/);
  await page.keyboard.press("Enter");
  await typeInName(page, /^Type your handle, bob, to go on$/, "bob");
  await pressName(page, /^Forget my keys$/);
  await untilPage(page, "A ground for communities");
  await page.reload();
  await page.getByRole("heading", { name: "A ground for communities" }).waitFor();
  await endClean(watched);
});
