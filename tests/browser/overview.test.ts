/**
 * A community at a glance, its announcements and its public log, in a real browser: what waits for whom, live arrival, and what is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { atHeading, pressButton, typeInto } from "./page-walk.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

const params = { community: "garden" };

let world: WebWorld;
let bob: WebPerson;
let carol: WebPerson;
let dora: WebPerson;
let vote = "";

beforeAll(async () => {
  world = await startWebWorld();
  [bob, carol, dora] = await Promise.all([world.person("bob"), world.person("carol"), world.person("dora")]);
  await world.community("garden", world.admin, [{ who: bob }, { who: carol, roles: ["moderator", "member"] }]);
  const { client } = world.admin;
  await client.call("communities.change", {
    params,
    body: { displayName: "The Garden", description: "Beds <i>and</i> benches", registration: "approval" },
  });
  ({ id: vote } = await bob.client.call("proposals.create", { params, body: { title: "More <b>benches</b>", body: "Because." } }));
  await bob.client.call("proposals.discuss", { params: { ...params, proposal: vote }, body: {} });
  await bob.client.call("proposals.open", { params: { ...params, proposal: vote }, body: {} });
  await client.call("announcements.post", { params, body: { text: "We meet on Sunday." } });
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

async function end(watched: WatchedPage, expected = /^$/): Promise<void> {
  expect(watched.faults.filter((fault) => !expected.test(fault))).toEqual([]);
  await watched.close();
}

describe("the overview", () => {
  test("shows a member the votes to cast and what is new, and takes each away when it is done", { timeout: 60_000 }, async () => {
    const watched = await world.open(bob, "/c/garden", phone);
    const { page } = watched;
    const waiting = page.getByRole("list", { name: "What waits for you" });
    await waiting.getByRole("link", { name: "More <b>benches</b>" }).waitFor();
    await waiting.getByText("1 new announcement").waitFor();
    expect(await waiting.getByText("asks to join").count()).toBe(0);
    await expectAccessible(page);
    await bob.client.call("votes.cast", { params: { ...params, proposal: vote }, body: { choice: { choice: "yes" } } });
    await waiting.getByRole("link", { name: "More <b>benches</b>" }).waitFor({ state: "detached" });
    await pressButton(page, "1 new announcement");
    await atHeading(page, "Announcements");
    await page.getByText("new", { exact: true }).waitFor();
    await page.goto(`${world.instance.url}/c/garden`);
    await page.getByText("Nothing waits for you").waitFor();
    await end(watched);
  });

  test("shows whoever may decide what there is to decide, as it comes", { timeout: 40_000 }, async () => {
    const watched = await world.open(world.admin, "/c/garden");
    const { page } = watched;
    await page.getByText("What waits for you").first().waitFor();
    await dora.client.call("communities.join", { params, body: { answers: {} } });
    await page.reload();
    await page.getByRole("link", { name: "1 person asks to join" }).waitFor();
    await expectAccessible(page);
    await dora.client.call("communities.withdrawRequest", { params: { ...params, endpoint: dora.identity.endpoint } });
    await end(watched);
  });

  test(
    "tells what happened in plain sentences, with names as text, and what happens now without a reload",
    { timeout: 40_000 },
    async () => {
      const watched = await world.open(carol, "/c/garden");
      const { page } = watched;
      const recent = page.getByRole("list", { name: "What happened" });
      await recent.getByText("The vote on “\u2068More <b>benches</b>\u2069” began").waitFor();
      await recent.getByText("\u2068bob\u2069 became a member").waitFor();
      expect(await page.locator("main i, main b").count()).toBe(0);
      await world.admin.client.call("roles.create", { params, body: { role: "gardener", permissions: [] } });
      await recent.getByText("\u2068alice\u2069 made the role gardener").waitFor();
      await end(watched);
    },
  );

  test(
    "whoever is no member is told, with the way to ask; an admin of the instance sees what is public and that they are no member",
    { timeout: 40_000 },
    async () => {
      const watched = await world.open(dora, "/c/garden", phone);
      await watched.page.getByRole("alert").filter({ hasText: "There is no community garden, or you are not in it." }).waitFor();
      await expectAccessible(watched.page);
      await watched.page.getByRole("link", { name: "Look at its door" }).click();
      await atHeading(watched.page, "Join The Garden");
      await end(watched, /status of 404/);
      await world.community("quiet", world.admin, [{ who: bob, roles: ["owner"] }]);
      await world.admin.client.call("communities.removeMember", {
        params: { community: "quiet", endpoint: world.admin.identity.endpoint },
      });
      const admin = await world.open(world.admin, "/c/quiet");
      await admin.page.getByText("You are no member").waitFor();
      await admin.page.getByText("\u2068alice\u2069 left").waitFor();
      await expectAccessible(admin.page);
      await end(admin);
    },
  );

  test("somebody who is removed while they look at it does not go on seeing it", { timeout: 40_000 }, async () => {
    const erik = await world.person("erik");
    await world.admin.client.call("communities.addMember", { params, body: { identity: "erik" } });
    const watched = await world.open(erik, "/c/garden");
    await watched.page.getByRole("list", { name: "What happened" }).getByText("\u2068erik\u2069 became a member").waitFor();
    await world.admin.client.call("communities.removeMember", { params: { ...params, endpoint: erik.identity.endpoint } });
    await watched.page.getByRole("alert").filter({ hasText: "There is no community garden" }).waitFor({ timeout: 15_000 });
    expect(await watched.page.getByText("Beds").count()).toBe(0);
    await end(watched, /status of 40[34]/);
  });
});

describe("announcements", () => {
  test("are pinned, changed and taken down by keyboard; readers get no buttons and see them at once", { timeout: 60_000 }, async () => {
    const reader = await world.open(bob, "/c/garden/announcements", phone);
    await reader.page.getByText("We meet on Sunday.").waitFor();
    expect(await reader.page.getByRole("button", { name: "New announcement" }).count()).toBe(0);
    const watched = await world.open(world.admin, "/c/garden/announcements");
    const { page } = watched;
    await page.getByText("We meet on Sunday.").waitFor();
    await pressButton(page, "New announcement");
    await page.getByRole("button", { name: "Pin it" }).click();
    await page.getByText("Write something first.").waitFor();
    await typeInto(page, "Text", "<script>alert(1)</script> bring gloves");
    await expectAccessible(page);
    await pressButton(page, "Pin it");
    await reader.page.getByText("<script>alert(1)</script> bring gloves").waitFor();
    await expectAccessible(reader.page);
    const card = page.getByRole("listitem").filter({ hasText: "bring gloves" });
    await card.getByRole("button", { name: "Change" }).click();
    await page.getByLabel("Text").fill("bring boots");
    await page.getByRole("button", { name: "Save" }).click();
    await reader.page.getByText("bring boots").waitFor();
    await page.getByRole("listitem").filter({ hasText: "bring boots" }).getByRole("button", { name: "Take down" }).click();
    await expectAccessible(page);
    await page.getByRole("dialog").getByRole("button", { name: "Take down" }).click();
    await reader.page.getByText("bring boots").waitFor({ state: "detached" });
    await end(reader);
    await end(watched);
  });

  test("a change that came second shows the other one and keeps what was typed", { timeout: 40_000 }, async () => {
    const { client } = world.admin;
    const { id } = await client.call("announcements.post", { params, body: { text: "First words" } });
    const watched = await world.open(world.admin, "/identity");
    const { page } = watched;
    // Without the stream: what the page does not know yet, the server refuses.
    await page.route("**/events/stream*", (route) => route.abort());
    await page.goto(`${world.instance.url}/c/garden/announcements`);
    await page.getByRole("listitem").filter({ hasText: "First words" }).getByRole("button", { name: "Change" }).click();
    await page.getByLabel("Text").fill("My words");
    await client.call("announcements.change", { params: { ...params, announcement: id }, body: { text: "Their words" } });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Their words").waitFor();
    expect(await page.getByLabel("Text").inputValue()).toBe("My words");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Their words").waitFor({ state: "detached" });
    await page.getByText("My words").waitFor();
    await end(watched, /status of 412|ERR_/);
  });

  test("say so when they are switched off", async () => {
    await world.community("silent", world.admin);
    await world.admin.client.call("modules.change", { params: { community: "silent", module: "announcements" }, body: { enabled: false } });
    const watched = await world.open(world.admin, "/c/silent/announcements", phone);
    await watched.page.getByText("Announcements are switched off here").waitFor();
    expect(await watched.page.getByRole("button", { name: "New announcement" }).count()).toBe(0);
    await expectAccessible(watched.page);
    await end(watched, /status of 409/);
  });
});

describe("events", () => {
  test("stand still while they are read: new ones are counted and come when asked for", { timeout: 40_000 }, async () => {
    const watched = await world.open(bob, "/c/garden/events", phone);
    const { page } = watched;
    const list = page.getByRole("list", { name: "Events, newest first" });
    await list.getByText("founded the community").waitFor();
    const before = await list.getByRole("listitem").count();
    const top = await list.getByRole("listitem").first().textContent();
    for (const role of ["one", "two"]) await world.admin.client.call("roles.create", { params, body: { role, permissions: [] } });
    await page.getByRole("button", { name: "2 new events" }).waitFor();
    expect(await list.getByRole("listitem").count()).toBe(before);
    expect(await list.getByRole("listitem").first().textContent()).toBe(top);
    await expectAccessible(page);
    await page.getByRole("button", { name: "2 new events" }).click();
    await list.getByText("\u2068alice\u2069 made the role two").waitFor();
    await page.getByRole("button", { name: /new event/ }).waitFor({ state: "detached" });
    await end(watched);
  });

  test("each shows all it says, and leads to what it is about; a kind that did not happen says so", { timeout: 40_000 }, async () => {
    const watched = await world.open(bob, "/c/garden/events");
    const { page } = watched;
    await page.getByLabel("Show").selectOption({ label: "Proposals" });
    const row = page.getByRole("listitem").filter({ hasText: "began" });
    await row.locator("summary").focus();
    await page.keyboard.press("Enter");
    await row.getByText("proposal.voting_opened").waitFor();
    const head = await bob.client.call("events.list", { params, query: { topic: "proposal.voting_opened" } });
    await row.getByText(head.events[0]?.hash ?? "no hash", { exact: true }).waitFor();
    await expectAccessible(page);
    await row.getByRole("link", { name: "Go to it" }).click();
    await page.waitForURL(`**/c/garden/proposals/${vote}`);
    await page.goBack();
    await page.getByLabel("Show").selectOption({ label: "Packages" });
    await page.getByText("Nothing of this kind yet").waitFor();
    await expectAccessible(page);
    await end(watched);
  });

  test("the chain is checked in the browser: it holds, and a server that lies is caught", { timeout: 60_000 }, async () => {
    const watched = await world.open(bob, "/c/garden/events");
    const { page } = watched;
    await page.getByRole("button", { name: "Check it now" }).click();
    await page.getByText("The chain holds").waitFor();
    await expectAccessible(page);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save the log as a file" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("garden.jsonl");
    const chunks: Uint8Array[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const lines = Buffer.concat(chunks).toString("utf8").trimEnd().split("\n");
    expect(lines.map((line) => Number(Object(JSON.parse(line))["index"]))).toEqual(lines.map((_, at) => at + 1));
    await page.route("**/events/export*", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({
        response: answer,
        body: (await answer.text()).replace("Somebody became a member", "Somebody became an owner"),
      });
    });
    await page.getByRole("button", { name: "Check again" }).click();
    await page.getByText("The chain is broken at event 2").waitFor();
    await page.getByText("Its content was changed.").waitFor();
    await expectAccessible(page);
    await end(watched);
  });
});
