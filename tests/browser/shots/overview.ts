/** What is to be seen of a community's overview, its announcements and its public log. */
import type { Page } from "playwright-core";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const heading = (name: string | RegExp) => (page: Page) => page.getByRole("heading", { name, level: 1 }).waitFor();
const hang = (pattern: string) => async (page: Page) => void (await page.route(pattern, () => undefined));

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const [bob, carol, dora] = await Promise.all(["bob", "carol", "dora"].map((handle) => world.person(handle)));
  if (bob === undefined || carol === undefined || dora === undefined) throw new Error("three people were asked for");
  await world.community("garden", admin, [{ who: bob }, { who: carol, roles: ["moderator", "member"] }]);
  await world.community("quiet", admin, [{ who: bob, roles: ["owner"] }]);
  await admin.client.call("communities.removeMember", { params: { community: "quiet", endpoint: admin.identity.endpoint } });
  const params = { community: "garden" };
  await admin.client.call("communities.change", {
    params,
    body: { displayName: "The Garden", description: "Beds, benches and a pond.\nWe meet on Sundays.", registration: "approval" },
  });
  await dora.client.call("communities.join", { params, body: { answers: {} } });
  for (const text of [
    "We meet on Sunday at ten, at the gate.\nBring gloves.",
    "<b>New:</b> the pond is open.",
    "שלום לכולם, and a very-long-word-".padEnd(180, "x"),
  ])
    await admin.client.call("announcements.post", { params, body: { text } });
  for (const title of ["More benches", "A hedge instead of the fence"]) {
    const { id } = await bob.client.call("proposals.create", { params, body: { title, body: "Because." } });
    await bob.client.call("proposals.discuss", { params: { ...params, proposal: id }, body: {} });
    if (title === "More benches") await bob.client.call("proposals.open", { params: { ...params, proposal: id }, body: {} });
  }
  await admin.client.call("proposals.create", { params, body: { title: "A draft of mine", body: "Later." } });
  const shots: readonly Shot[] = [
    {
      name: "full",
      who: admin,
      path: "/c/garden",
      ready: async (page) => {
        await page.getByText("More benches").first().waitFor();
        await page.getByText("1 person asks to join").waitFor();
      },
    },
    { name: "member", who: bob, path: "/c/garden", ready: (page) => page.getByText("3 new announcements").waitFor() },
    { name: "empty", who: bob, path: "/c/quiet", ready: (page) => page.getByText("Nothing waits for you").waitFor() },
    { name: "not-member", who: admin, path: "/c/quiet", ready: (page) => page.getByText("You are no member").waitFor() },
    { name: "refused", who: dora, path: "/c/garden", ready: (page) => page.getByRole("alert").waitFor() },
    { name: "slow", who: bob, path: "/c/garden", before: hang("**/api/communities/garden/**"), ready: heading("The Garden") },
    {
      name: "announcements",
      who: admin,
      path: "/c/garden/announcements",
      ready: async (page) => {
        await page.getByText("We meet on Sunday").waitFor();
        await page.getByRole("button", { name: "New announcement" }).click();
      },
    },
    {
      name: "announcements-reader",
      who: bob,
      path: "/c/garden/announcements",
      ready: (page) => page.getByText("We meet on Sunday").waitFor(),
    },
    {
      name: "announcements-remove",
      who: admin,
      path: "/c/garden/announcements",
      ready: async (page) => {
        await page.getByRole("button", { name: "Take down" }).first().click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "announcements-empty",
      who: bob,
      path: "/c/quiet/announcements",
      ready: (page) => page.getByText("No announcements yet").waitFor(),
    },
    {
      name: "announcements-slow",
      who: bob,
      path: "/c/garden/announcements",
      before: hang("**/api/**/announcements*"),
      ready: heading("Announcements"),
    },
    {
      name: "events",
      who: bob,
      path: "/c/garden/events",
      ready: async (page) => {
        await page.getByText("drafted “").first().click();
        await page.getByRole("button", { name: "Check it now" }).click();
        await page.getByText("The chain holds").waitFor();
      },
    },
    {
      name: "events-empty",
      who: bob,
      path: "/c/garden/events",
      ready: async (page) => {
        await page.getByLabel("Show").selectOption("package");
        await page.getByText("Nothing of this kind yet").waitFor();
      },
    },
    { name: "events-slow", who: bob, path: "/c/garden/events", before: hang("**/api/**/events?*"), ready: heading("Events") },
  ];
  return shots;
};
