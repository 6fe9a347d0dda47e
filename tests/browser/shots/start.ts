/** What is to be seen of the way in, home, identity, founding and joining. */
import type { Page } from "playwright-core";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const heading = (name: string | RegExp) => (page: Page) => page.getByRole("heading", { name, level: 1 }).waitFor();
const hang = (pattern: string) => async (page: Page) => void (await page.route(pattern, () => undefined));
const longText = `A place for everybody who plants, prunes or only sits there.\n\n${"Benches, trees, beds and paths. ".repeat(8)}`;

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const [bob, carol, dora, erik] = await Promise.all(["bob", "carol", "dora", "erik"].map((handle) => world.person(handle)));
  if (bob === undefined || carol === undefined || dora === undefined || erik === undefined) throw new Error("four people were asked for");
  const names = ["garden", "library", "workshop", "choir", "kitchen", "archive", "lake-house"];
  for (const name of names) await world.community(name, admin, [{ who: bob }]);
  const titles: Readonly<Record<string, string>> = {
    garden: "The Garden",
    "lake-house": "<b>Lake</b> house with a name that somebody made far too long to be of any use 🛶",
  };
  for (const [name, displayName] of Object.entries(titles))
    await admin.client.call("communities.change", {
      params: { community: name },
      body: { displayName, description: longText, registration: name === "garden" ? "approval" : "open" },
    });
  const params = { community: "garden" };
  await admin.client.call("modules.change", {
    params: { ...params, module: "welcome" },
    body: {
      settings: {
        rules: `${"Be kind. Water what you plant.\n".repeat(14)}`,
        questions: [
          { id: "why", text: "Why would you like to join?", required: true },
          { id: "plants", text: "What do you like to plant?", required: false },
        ],
      },
    },
  });
  await admin.client.call("users.revoke", { params: { signPub: erik.identity.signPub } });
  const invitation = await admin.client.call("communities.invite", { params, body: {} });
  const { token: joinToken } = await admin.client.call("invitations.create", { body: {} });
  const toWords = async (page: Page) => {
    await page.getByRole("button", { name: "Create my identity" }).click();
    await heading("Write down these twelve words")(page);
  };
  const shots: readonly Shot[] = [
    {
      name: "stranger",
      who: undefined,
      path: "/",
      ready: (page) => page.getByRole("heading", { name: "This instance is ready" }).waitFor(),
    },
    {
      name: "stranger-no-answer",
      who: undefined,
      path: "/",
      before: async (page) => void (await page.route("**/healthz", (route) => route.abort())),
      ready: (page) => page.getByRole("heading", { name: "This instance does not answer" }).waitFor(),
    },
    { name: "join-begin", who: undefined, path: `/#join=${joinToken}`, ready: heading("You are invited") },
    {
      name: "join-words",
      who: undefined,
      path: `/#join=${joinToken}`,
      ready: async (page) => {
        await toWords(page);
        await page.getByText("Keep a file as well").click();
      },
    },
    {
      name: "join-check",
      who: undefined,
      path: `/#join=${joinToken}`,
      ready: async (page) => {
        await toWords(page);
        await page.getByRole("button", { name: "I have written them down" }).click();
        await heading("Check what you wrote")(page);
        await page.getByRole("button", { name: "Confirm" }).click();
      },
    },
    {
      name: "join-handle",
      who: undefined,
      path: `/#join=${joinToken}`,
      ready: async (page) => {
        await toWords(page);
        const words = await page.getByRole("list", { name: "Recovery phrase" }).getByRole("listitem").allTextContents();
        await page.getByRole("button", { name: "I have written them down" }).click();
        for (const label of await page.locator("form label").allTextContents())
          await page.getByLabel(label, { exact: true }).fill(words[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
        await page.getByRole("button", { name: "Confirm" }).click();
        await heading("Choose a handle")(page);
        await page.getByLabel("Your handle").fill("Not a handle!");
      },
    },
    {
      name: "restore",
      who: undefined,
      path: "/",
      ready: async (page) => {
        await page.getByRole("button", { name: "I have a recovery phrase" }).click();
        await page.getByLabel("Recovery phrase, twelve words").fill("these are not the words");
        await page.getByRole("button", { name: "Restore", exact: true }).click();
        await page.getByRole("alert").waitFor();
      },
    },
    { name: "no-page", who: bob, path: "/no/such/page", ready: heading("There is no such page") },
    { name: "no-community", who: bob, path: "/c/nowhere", ready: heading("This community cannot be shown") },
    { name: "claim-spent", who: undefined, path: `/claim#token=${"A".repeat(43)}`, ready: heading("This instance has its first admin") },
    { name: "revoked", who: erik, path: "/", ready: heading("You were revoked") },
    {
      name: "unreachable",
      who: bob,
      path: "/",
      before: async (page) => void (await page.route("**/api/me", (route) => route.abort())),
      ready: heading("The server does not answer"),
    },
    {
      name: "out",
      who: bob,
      path: "/identity",
      ready: async (page) => {
        await page.getByRole("button", { name: "Sign out, keep my keys" }).click();
        await heading("You signed out")(page);
      },
    },
    { name: "home-empty", who: carol, path: "/", ready: (page) => page.getByText("You are in no community yet").waitFor() },
    { name: "home-slow", who: bob, path: "/", before: hang("**/api/communities*"), ready: heading("Your communities") },
    {
      name: "home-full",
      who: admin,
      path: "/",
      ready: async (page) => {
        await page.getByRole("button", { name: "Make a link" }).click();
        await page.getByText("Invitation link").waitFor();
      },
    },
    { name: "welcome", who: carol, path: "/communities/welcome", ready: heading("Welcome, carol") },
    {
      name: "identity",
      who: bob,
      path: "/identity",
      ready: async (page) => {
        await page.getByLabel("Handle of the other person").fill("alice");
        await page.getByRole("button", { name: "Show the number" }).click();
        await page.getByText("You and alice").waitFor();
      },
    },
    {
      name: "identity-wipe",
      who: bob,
      path: "/identity",
      ready: async (page) => {
        await page.getByRole("button", { name: "Forget the keys in this browser" }).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "found",
      who: admin,
      path: "/communities/new",
      ready: async (page) => {
        await page.getByLabel("Name", { exact: true }).fill("garden");
        await page.getByRole("button", { name: "Found it" }).click();
        await page.getByText("is taken").waitFor();
      },
    },
    {
      name: "found-refused",
      who: carol,
      path: "/communities/new",
      ready: (page) => page.getByText("only its admins found").waitFor(),
    },
    { name: "directory", who: carol, path: "/communities/directory", ready: (page) => page.getByText("The Garden").waitFor() },
    {
      name: "directory-slow",
      who: carol,
      path: "/communities/directory",
      before: hang("**/api/community-directory*"),
      ready: heading("Find a community"),
    },
    {
      name: "door",
      who: carol,
      path: "/communities/door/garden",
      ready: async (page) => {
        await heading("Join The Garden")(page);
        await page.getByRole("button", { name: "Ask to join" }).click();
      },
    },
    {
      name: "door-waiting",
      who: dora,
      path: "/communities/door/garden",
      ready: async (page) => {
        await page
          .getByRole("heading", { name: /You asked to join|Rules/ })
          .first()
          .waitFor();
        if (await page.getByRole("heading", { name: "Rules" }).isVisible()) {
          await page.getByLabel("I have read the rules and accept them").check();
          await page.getByLabel("Why would you like to join?").fill("Trees");
          await page.getByRole("button", { name: "Ask to join" }).click();
        }
        await page.getByText("You asked to join").waitFor();
      },
    },
    {
      name: "invitation",
      who: carol,
      path: `/communities/invitation#invitation=${invitation.token}`,
      ready: heading(/You are invited to/),
    },
    {
      name: "invitation-invalid",
      who: carol,
      path: `/communities/invitation#invitation=${"A".repeat(43)}`,
      ready: heading("This invitation cannot be used"),
    },
    { name: "invitation-paste", who: carol, path: "/communities/invitation", ready: heading("An invitation") },
  ];
  return shots;
};
