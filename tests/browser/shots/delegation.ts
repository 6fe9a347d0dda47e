/** Delegations: a tree with groups and topics, nothing yet, slow, refused. */
import type { Page } from "playwright-core";
import type { ShotsOf } from "../take-screenshots.ts";

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const names = ["bob", "carol", "dan", "eve", "fay", "gil", "hal", "ida", "jon", "kim", "lea", "max"];
  const people = await Promise.all(names.map((handle) => world.person(handle)));
  await world.community(
    "garden",
    admin,
    people.map((who) => ({ who })),
  );
  await world.community("empty", admin);
  const params = { community: "garden" };
  await admin.client.call("modules.change", {
    params: { ...params, module: "delegation" },
    body: { settings: { topics: ["budget", "beds and paths"] } },
  });
  const of = (handle: string) => people.find((one) => one.handle === handle)?.client;
  const give = async (from: string, to: string, topic?: string) =>
    of(from)?.call("delegations.give", { params, body: { to, ...(topic === undefined ? {} : { topic }) } });
  await give("bob", "carol");
  await give("carol", "dan");
  for (const from of ["eve", "fay", "gil", "hal", "ida", "jon"]) await give(from, "carol");
  await give("kim", "lea");
  await give("bob", "max", "budget");
  await give("eve", "bob", "budget");
  const path = "/c/garden/delegation";
  const drawn = (page: Page) => page.getByRole("button", { name: /^carol: / }).waitFor();
  return [
    { name: "full", who: people[0], path, ready: drawn },
    {
      name: "chosen",
      who: people[1],
      path,
      ready: async (page) => {
        await drawn(page);
        await page.getByRole("button", { name: /^\d+ people/ }).click();
        await page.getByRole("button", { name: /^carol: / }).click();
        await page.getByText("Given by", { exact: true }).waitFor();
      },
    },
    {
      name: "topic",
      who: people[0],
      path,
      ready: async (page) => {
        await drawn(page);
        await page.getByLabel("Shown for").selectOption("budget");
        await page.getByRole("button", { name: /^max: / }).waitFor();
      },
    },
    {
      name: "empty",
      who: admin,
      path: "/c/empty/delegation",
      ready: (page) => page.getByText("Nobody gave their vote to anybody").waitFor(),
    },
    {
      name: "slow",
      who: admin,
      path,
      before: async (page) => void (await page.route("**/delegations?*", () => undefined)),
      ready: (page) => page.getByRole("heading", { level: 1 }).waitFor(),
    },
    {
      name: "circle-refused",
      who: people[2],
      path,
      ready: async (page) => {
        await drawn(page);
        await page.getByRole("button", { name: "Let somebody vote for you" }).click();
        await page.getByLabel("Who votes for you").fill("bob");
        await page.getByRole("button", { name: "Give my vote" }).click();
        await page.getByRole("alert").waitFor();
      },
    },
  ];
};
