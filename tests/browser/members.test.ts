/**
 * Members, ways in, roles and settings of a community in a real Chromium: what each screen is for, what it refuses, and who sees what.
 *
 * What must hold on every one of them: nothing for axe in either scheme, nothing wider than a phone, nothing against the page's policy.
 */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { pressButton, tabTo, typeInto } from "./page-walk.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let alice: WebPerson;
let ada: WebPerson;
let mo: WebPerson;
let bob: WebPerson;
let carol: WebPerson;
let dan: WebPerson;
let stranger: WebPerson;
const params = { community: "garden" };
const hostile = `<img src=x onerror="document.title='owned'"> \u202egnol\u202c ${"w".repeat(200)}`;
/** Where directional overrides are refused, letters that run the other way are not. */
const hostileLine = `<img src=x onerror="document.title='owned'"> שלום ${"w".repeat(200)}`;

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  [ada, mo, bob, carol, dan, stranger] = await Promise.all([
    world.person("ada"),
    world.person("mo"),
    world.person("bob"),
    world.person("carol"),
    world.person("dan"),
    world.person("stranger"),
  ]);
  await world.community("garden", alice, [
    { who: ada, roles: ["admin"] },
    { who: mo, roles: ["moderator", "member"] },
    { who: bob },
    { who: carol },
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
const rolesOf = async (who: WebPerson) =>
  (await alice.client.call("communities.members", { params })).members.find(({ endpoint }) => endpoint === who.identity.endpoint)?.roles;

describe("the list of members", { timeout: 60_000 }, () => {
  test("is searched by handle and role, and an owner gives roles and takes them back", async () => {
    const watched = await world.open(alice, "/c/garden/members");
    const { page } = watched;
    await page.getByText("5 people shown.").waitFor();
    await expectAccessible(page);
    await page.getByLabel("Role", { exact: true }).selectOption("moderator");
    await page.getByText("1 person shown.").waitFor();
    await page.getByLabel("Role", { exact: true }).selectOption("");
    await page.getByLabel("Search by handle").fill("BO");
    await page.getByText("1 person shown.").waitFor();
    await button(page, "Manage bob").click();
    await expectAccessible(page);
    await page.getByRole("checkbox", { name: "observer" }).check();
    await button(page, "Save roles").click();
    await page.getByText("bob has other roles now.").waitFor();
    expect(await rolesOf(bob)).toEqual(["member", "observer"]);
    await button(page, "Undo").click();
    await page.getByRole("row", { name: /bob/ }).getByText("observer").waitFor({ state: "detached" });
    expect(await rolesOf(bob)).toEqual(["member"]);
    await endClean(watched);
  });

  test("takes in a user by handle, once however often the button is pressed, by keyboard alone", async () => {
    const watched = await world.open(mo, "/c/garden/members");
    const { page } = watched;
    const posts: string[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST") posts.push(new URL(request.url()).pathname);
    });
    await button(page, "Add somebody").waitFor();
    await pressButton(page, "Add somebody");
    await dialog(page).waitFor();
    await typeInto(page, "Their handle", "dan");
    await tabTo(page, "Add to the community");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.getByText("dan is a member now.").waitFor();
    expect(posts.filter((path) => path.endsWith("/members"))).toHaveLength(1);
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Add somebody");
    expect(await rolesOf(dan)).toEqual(["member"]);
    await endClean(watched);
  });

  test("tells why somebody cannot be added, and keeps what was typed", async () => {
    const watched = await world.open(mo, "/c/garden/members");
    const { page } = watched;
    await button(page, "Add somebody").click();
    await page.getByLabel("Their handle").fill("bob");
    await button(page, "Add to the community").click();
    await page.getByRole("alert").getByText("bob is a member already.").waitFor();
    expect(await page.getByLabel("Their handle").inputValue()).toBe("bob");
    await expectAccessible(page);
    await endClean(watched);
  });

  test("removes a member after saying what stays", async () => {
    const watched = await world.open(ada, "/c/garden/members");
    const { page } = watched;
    await button(page, "Manage dan").click();
    await dialog(page).getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("What they wrote and the votes they cast stay.").waitFor();
    await button(page, "Remove dan").click();
    await page.getByText("dan is no member any more.").waitFor();
    expect(await rolesOf(dan)).toBeUndefined();
    await endClean(watched);
  });

  test("shows plain members everybody and no way to change them, on a phone too", async () => {
    const watched = await world.open(bob, "/c/garden/members", phone);
    const { page } = watched;
    await page.getByRole("rowheader", { name: "carol" }).waitFor();
    expect(await button(page, /^(Manage|Add)/).count()).toBe(0);
    expect(await page.getByRole("link", { name: "Requests", exact: true }).count()).toBe(0);
    await expectAccessible(page);
    await endClean(watched);
  });
});

describe("what one may give", { timeout: 60_000 }, () => {
  test("a moderator cannot tick what they lack, and reads why", async () => {
    const watched = await world.open(mo, "/c/garden/members");
    const { page } = watched;
    await button(page, "Add somebody").click();
    const admin = page.getByRole("checkbox", { name: "admin", exact: true });
    expect(await admin.isDisabled()).toBe(true);
    expect(await page.getByRole("checkbox", { name: "member", exact: true }).isChecked()).toBe(true);
    await dialog(page).getByText("Nobody gives what they lack.").first().waitFor();
    await endClean(watched);
  });

  test("an admin who makes somebody owner is refused, and the refusal is shown whole", async () => {
    const watched = await world.open(ada, "/c/garden/members");
    const { page } = watched;
    await button(page, "Manage bob").click();
    await page.getByRole("checkbox", { name: "owner", exact: true }).check();
    await button(page, "Save roles").click();
    const alert = page.getByRole("alert");
    await alert
      .getByText(/ownership of this community/)
      .first()
      .waitFor();
    await alert.getByText("An owner", { exact: true }).waitFor();
    await alert.getByText("auth.forbidden").waitFor();
    expect(await rolesOf(bob)).toEqual(["member"]);
    await endClean(watched);
  });

  test("who holds less cannot change an owner, and reads why before trying", async () => {
    await world.community("orchard", alice, [{ who: mo, roles: ["moderator"] }]);
    const orchard = { community: "orchard" };
    await alice.client.call("roles.create", { params: orchard, body: { role: "porter", permissions: ["members.manage"] } });
    await alice.client.call("communities.setRoles", {
      params: { ...orchard, endpoint: mo.identity.endpoint },
      body: { roles: ["porter"] },
    });
    const watched = await world.open(mo, "/c/orchard/members");
    await button(watched.page, "Manage alice").click();
    await dialog(watched.page)
      .getByText(/alice has the role owner/)
      .waitFor();
    expect(await button(watched.page, "Save roles").count()).toBe(0);
    await endClean(watched);
  });
});

describe("requests to join", { timeout: 60_000 }, () => {
  test("show answers as text, are approved and declined, and who asked reads the answer", async () => {
    await alice.client.call("communities.change", { params, body: { registration: "approval" } });
    await alice.client.call("modules.change", {
      params: { ...params, module: "welcome" },
      body: { settings: { questions: [{ id: "why", text: "Why <b>here</b>?", required: true }] } },
    });
    await dan.client.call("communities.join", { params, body: { answers: { why: hostile } } });
    await stranger.client.call("communities.join", { params, body: { answers: { why: "Tomatoes" } } });
    const watched = await world.open(mo, "/c/garden/members/requests", phone);
    const { page } = watched;
    await page.getByText("document.title='owned'").waitFor();
    await page.getByText("Why <b>here</b>?").first().waitFor();
    expect(await page.title()).not.toBe("owned");
    await expectAccessible(page);
    await button(page, "Turn down: stranger").click();
    await page.getByLabel(/What to tell them/).fill("We are full until spring");
    await button(page, "Turn down").last().click();
    await page.getByText("stranger was turned down.").waitFor();
    await button(page, "Let in: dan").click();
    await dialog(page).getByRole("button", { name: "Let in", exact: true }).click();
    await page.getByText("dan is a member now.").waitFor();
    expect(await rolesOf(dan)).toEqual(["member"]);
    expect((await stranger.client.call("communities.door", { params })).request).toMatchObject({
      state: "declined",
      answer: "We are full until spring",
    });
    await page.getByText("Nobody is waiting").waitFor();
    await endClean(watched);
  });
});

describe("invitations", { timeout: 60_000 }, () => {
  test("are shown once as a link that makes a user a member, and are listed without it", async () => {
    const watched = await world.open(mo, "/c/garden/members/invitations");
    const { page } = watched;
    await page.getByText("No invitation is open").waitFor();
    await page.getByLabel("How many people may use it").fill("2");
    await button(page, "Make the link").click();
    const link = (await page.getByRole("group", { name: "Link" }).textContent()) ?? "";
    expect(link).toMatch(new RegExp(`^${world.instance.url}/communities/invitation#invitation=[\\w-]{43}$`));
    await expectAccessible(page);
    await button(page, "I have copied it").click();
    await page.getByRole("cell", { name: "2", exact: true }).waitFor();
    expect(await page.content()).not.toContain(link.slice(-43));
    await expectAccessible(page);

    const newcomer = await world.open(stranger, link.slice(world.instance.url.length));
    await newcomer.page.getByLabel(/Why <b>here/).fill("Tomatoes");
    await newcomer.page.getByRole("button", { name: /^Join/ }).click();
    await expect.poll(() => rolesOf(stranger), { timeout: 10_000 }).toEqual(["member"]);
    expect(newcomer.page.url()).not.toContain("invitation=");
    await newcomer.close();

    await page.getByRole("cell", { name: "1", exact: true }).waitFor();
    await button(page, /^Withdraw the invitation/).click();
    await dialog(page).getByRole("button", { name: "Withdraw", exact: true }).click();
    await page.getByText("No invitation is open").waitFor();
    await endClean(watched);
  });

  test("are not for members who may not bring people in, who read who can", async () => {
    const watched = await world.open(bob, "/c/garden/members/invitations");
    await watched.page.getByText("Invitations are made and read by members who may bring people in.").waitFor();
    await expectAccessible(watched.page);
    await endClean(watched);
  });
});

describe("roles", { timeout: 60_000 }, () => {
  test("are made, shown in the matrix, and removed when nobody has them", async () => {
    const watched = await world.open(alice, "/c/garden/members/roles");
    const { page } = watched;
    await button(page, "Make a role").click();
    await page.getByLabel("Name", { exact: true }).fill("gardener");
    await page.getByLabel(/What it is for/).fill(hostileLine);
    await page.getByRole("checkbox", { name: "found rooms" }).check();
    await expectAccessible(page);
    await button(page, "Make the role").click();
    await page.getByText("The role gardener is there.").waitFor();
    const row = page.getByRole("row", { name: /^found rooms/ });
    expect(await row.getByRole("cell").last().textContent()).toBe("yes");
    expect(
      await page
        .getByRole("row", { name: /^edit roles/ })
        .getByRole("cell")
        .last()
        .textContent(),
    ).toBe("no");
    await expectAccessible(page);
    expect(await button(page, "Remove the role member").count()).toBe(0);
    await button(page, "Remove the role gardener").first().click();
    await dialog(page).getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("The role gardener is gone.").waitFor();
    await endClean(watched);
  });

  test("that somebody else changed meanwhile show the new state, keep what was chosen, and save on a second word", async () => {
    await alice.client.call("roles.create", { params, body: { role: "guide", permissions: ["votes.cast"] } });
    const watched = await world.open(alice, "/c/garden/members/roles");
    const { page } = watched;
    await button(page, "Change the role guide").first().click();
    await page.getByRole("checkbox", { name: "found rooms" }).check();
    await ada.client.call("roles.change", {
      params: { ...params, role: "guide" },
      body: { permissions: ["votes.cast", "proposals.create"] },
    });
    await button(page, "Save the role").click();
    const alert = page.getByRole("alert");
    await alert.getByText("Somebody changed this role meanwhile.").waitFor();
    await alert.getByText("make proposals").waitFor();
    expect(await page.getByRole("checkbox", { name: "found rooms" }).isChecked()).toBe(true);
    await expectAccessible(page);
    await button(page, "Save the role").click();
    await page.getByText("The role guide is changed.").waitFor();
    const { roles } = await alice.client.call("roles.list", { params });
    expect(roles.find(({ role }) => role === "guide")?.permissions).toEqual(["votes.cast", "rooms.create"]);
    await endClean(watched);
  });

  test("are read one at a time on a phone, and changed only by who may edit roles", async () => {
    const watched = await world.open(bob, "/c/garden/members/roles", phone);
    const { page } = watched;
    await page.getByText("Roles are changed by members who may edit roles.").waitFor();
    await page.getByLabel("Role", { exact: true }).selectOption("observer");
    await page.getByText("Reads along.").waitFor();
    expect(await page.getByRole("table").count()).toBe(0);
    await expectAccessible(page);
    await endClean(watched);
  });

  test("of an owner cannot be emptied; an editor with less sees what they lack", async () => {
    await alice.client.call("roles.create", {
      params,
      body: { role: "clerk", permissions: ["roles.manage", "votes.cast", "events.read"] },
    });
    await alice.client.call("communities.setRoles", {
      params: { ...params, endpoint: carol.identity.endpoint },
      body: { roles: ["clerk"] },
    });
    const watched = await world.open(carol, "/c/garden/members/roles");
    const { page } = watched;
    await page
      .getByText(/Nobody changes a role that holds more than they do/)
      .first()
      .waitFor();
    expect(await button(page, "Change the role owner").count()).toBe(0);
    await button(page, "Make a role").click();
    expect(await page.getByRole("checkbox", { name: "found rooms" }).isDisabled()).toBe(true);
    expect(await page.getByRole("checkbox", { name: "edit roles" }).isDisabled()).toBe(false);
    await endClean(watched);
  });
});

describe("settings", { timeout: 60_000 }, () => {
  test("change how the community is shown, also when people come meanwhile, and ask when somebody else changed it", async () => {
    const watched = await world.open(alice, "/c/garden/settings");
    const { page } = watched;
    await page.getByLabel("Name", { exact: true }).fill(hostileLine.slice(0, 70));
    // A member who comes makes a new revision, and is no conflict.
    await alice.client.call("communities.addMember", { params, body: { identity: (await world.person("newcomer")).handle } });
    await button(page, "Save").click();
    await page.getByText("Saved.").waitFor();
    expect((await alice.client.call("communities.get", { params })).displayName).toBe(hostileLine.slice(0, 70));
    expect(await page.title()).not.toBe("owned");
    await expectAccessible(page);

    await page.getByLabel(/^Description/).fill("Mine");
    await ada.client.call("communities.change", { params, body: { description: "Theirs" } });
    await button(page, "Save").click();
    const alert = page.getByRole("alert");
    await alert.getByText("Theirs").waitFor();
    expect(await page.getByLabel(/^Description/).inputValue()).toBe("Mine");
    await button(page, "Save").click();
    await alert.waitFor({ state: "detached" });
    await expect.poll(async () => (await alice.client.call("communities.get", { params })).description).toBe("Mine");

    await page.getByRole("radio", { name: "Nobody", exact: true }).check();
    await button(page, "Save who may join").click();
    await expect.poll(async () => (await alice.client.call("communities.get", { params })).registration).toBe("closed");
    await endClean(watched);
  });

  test("give the whole community as a file", async () => {
    const watched = await world.open(alice, "/c/garden/settings", { ...phone, acceptDownloads: true });
    const { page } = watched;
    await button(page, "Make the export").click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Save the file" }).click()]);
    expect(download.suggestedFilename()).toBe("garden.json");
    const document: unknown = JSON.parse(await readFile(await download.path(), "utf8"));
    expect(document).toMatchObject({
      format: "althing/community/v1",
      sections: { members: expect.arrayContaining([expect.objectContaining({ handle: "bob" })]) },
    });
    await expectAccessible(page);
    await endClean(watched);
  });

  test("do not let the last owner leave", async () => {
    const watched = await world.open(alice, "/c/garden/settings");
    const { page } = watched;
    await button(page, "Leave").click();
    await dialog(page).getByRole("button", { name: "Leave", exact: true }).click();
    await page.getByRole("alert").getByText("A community keeps at least one owner.").waitFor();
    await expectAccessible(page);
    await endClean(watched);
  });

  test("show a plain member their own place, and erase it after saying what stays", async () => {
    const watched = await world.open(bob, "/c/garden/settings");
    const { page } = watched;
    await page.getByText("Member since").waitFor();
    expect(await page.getByRole("heading", { name: "How it is shown" }).count()).toBe(0);
    await expectAccessible(page);
    await button(page, "Leave and erase my traces").click();
    await page.getByText(/the votes you cast still count, as nobody's/).waitFor();
    const confirm = dialog(page).getByRole("button", { name: "Leave and erase", exact: true });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByRole("checkbox", { name: "I understand that nobody can undo this" }).check();
    await expectAccessible(page);
    await confirm.click();
    await page.waitForURL(`${world.instance.url}/`);
    await page.getByText("You left, and your traces are being erased.").waitFor();
    expect(await rolesOf(bob)).toBeUndefined();
    await endClean(watched);
  });

  test("close a community only for its owner and only with its name typed", async () => {
    await world.community("shed", alice, [{ who: ada, roles: ["admin"] }]);
    const admin = await world.open(ada, "/c/shed/settings");
    await admin.page.getByText("Only an owner can close the community.").waitFor();
    await endClean(admin);
    const watched = await world.open(alice, "/c/shed/settings");
    const { page } = watched;
    await button(page, "Close the community").click();
    const confirm = button(page, "Close it for good");
    await page.getByLabel("Type shed to confirm").fill("she");
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByLabel("Type shed to confirm").fill("shed");
    await confirm.click();
    await page.waitForURL(`${world.instance.url}/`);
    await expect(alice.client.call("communities.get", { params: { community: "shed" } })).rejects.toMatchObject({
      code: "community.not_found",
    });
    await endClean(watched);
  });
});
