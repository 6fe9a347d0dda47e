/** Members, ways in, roles and settings: full, empty, slow, refused, and as seen by those who may do less. */
import type { Page } from "playwright-core";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const heading = (name: string) => (page: Page) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
/** Routes that never answer. */
const hangs = (path: string) => async (page: Page) => void (await page.route(path, () => undefined));

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const people = await Promise.all(["bob", "carol", "mo", "a-very-long-handle.of_32-chars-x", "dan"].map((handle) => world.person(handle)));
  const [bob, carol, mo, long, dan] = people;
  if (bob === undefined || carol === undefined || mo === undefined || long === undefined || dan === undefined) throw new Error("people");
  await world.community("garden", admin, [
    { who: bob },
    { who: carol, roles: ["member", "observer"] },
    { who: mo, roles: ["moderator", "member"] },
    { who: long },
  ]);
  await world.community("empty", admin, [{ who: bob }]);
  const params = { community: "garden" };
  const { client } = admin;
  await client.call("roles.create", {
    params,
    body: {
      role: "gardener",
      description: "Waters the beds, and may let others in",
      permissions: ["rooms.create", "members.invite", "votes.cast"],
    },
  });
  await client.call("communities.change", {
    params,
    body: {
      displayName: "The garden behind the station",
      description: "We grow tomatoes and decide together.\nMeetings on Sundays.",
      registration: "approval",
    },
  });
  await client.call("modules.change", {
    params: { ...params, module: "welcome" },
    body: {
      settings: {
        rules: "Be kind. Water what is dry.\nNo dogs in the beds.",
        questions: [{ id: "why", text: "Why do you want to join?", required: true }],
      },
    },
  });
  const door = await dan.client.call("communities.door", { params });
  await dan.client.call("communities.join", {
    params,
    body: { rulesVersion: door.rulesVersion, answers: { why: "I have a spade, and I know how to use it." } },
  });
  await client.call("communities.invite", { params, body: { roles: ["member"], uses: 20, expiresInHours: 48 } });
  await client.call("communities.invite", { params, body: { roles: ["gardener", "member"], uses: 1, expiresInHours: 700 } });

  const garden = "/c/garden";
  const rows = (page: Page) => page.getByRole("button", { name: "Manage bob" }).waitFor();
  const manage = async (page: Page) => {
    await page.getByRole("button", { name: "Manage bob" }).click();
    await page.getByRole("button", { name: "Save roles" }).waitFor();
  };
  const shots: Shot[] = [
    { name: "list", who: admin, path: `${garden}/members`, ready: rows },
    { name: "list-member", who: bob, path: `${garden}/members`, ready: (page) => page.getByRole("rowheader", { name: "carol" }).waitFor() },
    {
      name: "list-slow",
      who: admin,
      path: `${garden}/members`,
      before: hangs("**/api/communities/garden/members*"),
      ready: heading("Members"),
    },
    {
      name: "list-none",
      who: admin,
      path: `${garden}/members`,
      ready: async (page) => {
        await rows(page);
        await page.getByRole("searchbox").fill("zzz");
        await page.getByText("Nobody fits").waitFor();
      },
    },
    { name: "manage", who: admin, path: `${garden}/members`, ready: async (page) => manage(page) },
    {
      name: "moderate",
      who: admin,
      path: `${garden}/members`,
      ready: async (page) => {
        await manage(page);
        await page.getByRole("button", { name: "Moderate" }).click();
        await page.getByRole("radio", { name: "Mute" }).check();
      },
    },
    {
      name: "add-refused",
      who: admin,
      path: `${garden}/members`,
      ready: async (page) => {
        await rows(page);
        await page.getByRole("button", { name: "Add somebody" }).click();
        await page.getByLabel("Their handle").fill("nobody-here");
        await page.getByRole("button", { name: "Add to the community" }).click();
        await page.getByRole("alert").waitFor();
      },
    },
    { name: "requests", who: admin, path: `${garden}/members/requests`, ready: (page) => page.getByText("I have a spade").waitFor() },
    {
      name: "requests-empty",
      who: admin,
      path: "/c/empty/members/requests",
      ready: (page) => page.getByText("Nobody is waiting").waitFor(),
    },
    {
      name: "invitations",
      who: admin,
      path: `${garden}/members/invitations`,
      ready: (page) =>
        page
          .getByRole("button", { name: /Withdraw/ })
          .first()
          .waitFor(),
    },
    {
      name: "invitation-made",
      who: admin,
      path: `${garden}/members/invitations`,
      ready: async (page) => {
        await page.getByRole("button", { name: "Make the link" }).click();
        await page.getByText("shown once").waitFor();
      },
    },
    {
      name: "invitations-empty",
      who: admin,
      path: "/c/empty/members/invitations",
      ready: (page) => page.getByText("No invitation is open").waitFor(),
    },
    {
      name: "roles",
      who: admin,
      path: `${garden}/members/roles`,
      ready: (page) => page.getByText("bring people in: add").filter({ visible: true }).waitFor(),
    },
    { name: "roles-member", who: bob, path: `${garden}/members/roles`, ready: (page) => page.getByText("Roles are changed by").waitFor() },
    {
      name: "role-editor",
      who: admin,
      path: `${garden}/members/roles`,
      ready: async (page) => {
        await page.getByRole("button", { name: "Make a role" }).click();
        await page.getByLabel("Name").fill("guide");
      },
    },
    { name: "settings", who: admin, path: `${garden}/settings`, ready: (page) => page.getByText("Water what is dry").waitFor() },
    { name: "settings-member", who: bob, path: `${garden}/settings`, ready: (page) => page.getByText("Member since").waitFor() },
    {
      name: "erase",
      who: bob,
      path: `${garden}/settings`,
      ready: async (page) => {
        await page.getByRole("button", { name: "Leave and erase my traces" }).click();
        await page.getByText("What stays").waitFor();
      },
    },
    {
      name: "close",
      who: admin,
      path: `${garden}/settings`,
      ready: async (page) => {
        await page.getByRole("button", { name: "Close the community" }).click();
        await page.getByLabel(/Type garden/).waitFor();
      },
    },
  ];
  return shots;
};
