/**
 * Home, identity, and the ways into communities, in a real browser against a real instance: what people do first, and what they are told when it is refused.
 */
import { platformModes } from "@althing/contract";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
import { answerWords, atHeading, pressButton, tabTo, typeInto, wordsShown } from "./page-walk.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let bob: WebPerson;
let carol: WebPerson;

beforeAll(async () => {
  world = await startWebWorld({ args: ["--platform-mode", platformModes[1]] });
  [bob, carol] = await Promise.all([world.person("bob"), world.person("carol")]);
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** Nothing but the refusals that a test asked for. */
async function end(watched: WatchedPage, expected = /^$/): Promise<void> {
  expect(watched.faults.filter((fault) => !expected.test(fault))).toEqual([]);
  await watched.close();
}

/** What a press on the button made the browser save. */
async function saved(page: Page, press: () => Promise<void>): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent("download"), press()]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function joinLink(): Promise<string> {
  return `${world.instance.url}/#join=${(await world.admin.client.call("invitations.create", { body: {} })).token}`;
}

describe("home", () => {
  test("somebody in no community is told what to do next, on a phone", async () => {
    const watched = await world.open(bob, "/", phone);
    await watched.page.getByText("You are in no community yet").waitFor();
    await watched.page.getByText("Admins of the instance invite people.").waitFor();
    await expectAccessible(watched.page);
    await end(watched);
  });

  test("a community with a name made to break pages is shown as text, and widens nothing", async () => {
    await world.community("grove", world.admin, [{ who: bob }]);
    const displayName = `<img src=x onerror=alert(1)> ${"ب".repeat(20)}${"x".repeat(30)}`;
    await world.admin.client.call("communities.change", {
      params: { community: "grove" },
      body: { displayName, description: `<script>alert(1)</script> ${"y".repeat(300)}` },
    });
    const watched = await world.open(bob, "/", phone);
    const card = watched.page.getByRole("listitem").filter({ hasText: "onerror" });
    await card.getByText("1 member").or(card.getByText("2 members")).waitFor();
    await card.getByText("member", { exact: true }).waitFor();
    expect(await watched.page.locator("main img, main script").count()).toBe(0);
    await expectAccessible(watched.page);
    await card.getByRole("link").click();
    await watched.page.getByRole("heading", { level: 1 }).filter({ hasText: "onerror" }).waitFor();
    await expectAccessible(watched.page);
    await end(watched);
  });

  test(
    "an admin makes a link that lets one person in; who opens it while being in is told that it was not used",
    { timeout: 40_000 },
    async () => {
      const watched = await world.open(world.admin, "/");
      await watched.page.getByRole("button", { name: "Make a link" }).click();
      const link = await watched.page.locator("code").filter({ hasText: "#join=" }).textContent();
      await expectAccessible(watched.page);
      // The application is open at this address, so only the fragment changes.
      await watched.page.goto(link ?? "");
      await watched.page.getByText("the invitation you opened was not used").waitFor();
      expect(new URL(watched.page.url()).hash).toBe("");
      await watched.page.getByRole("button", { name: "Good to know" }).click();
      await watched.page.getByText("the invitation you opened was not used").waitFor({ state: "detached" });
      await end(watched);
    },
  );
});

describe("a newcomer's backup", () => {
  test("a protected file brings the identity back on another device; the words are not in it", { timeout: 60_000 }, async () => {
    const watched = await openWatchedPage(world.browser);
    const { page } = watched;
    await page.goto(await joinLink());
    await pressButton(page, "Create my identity");
    await atHeading(page, "Write down these twelve words");
    const words = await wordsShown(page);
    await pressButton(page, "Keep a file as well");
    await typeInto(page, "Passphrase for the file", "short");
    await page.keyboard.press("Enter");
    await page.getByText("Take at least 8 characters.").waitFor();
    await expectAccessible(page);
    await typeInto(page, "Passphrase for the file", "correct horse");
    const file = await saved(page, () => page.keyboard.press("Enter"));
    expect(file).not.toContain(words.slice(0, 2).join(" "));
    expect(JSON.parse(file)).toMatchObject({ format: "althing-identity", version: 1 });
    const plain = await saved(page, () => page.getByRole("button", { name: "Save the words as plain text" }).click());
    for (const word of words) expect(plain).toContain(word);
    await page.getByRole("button", { name: "I have written them down" }).click();
    await answerWords(page, words);
    await atHeading(page, "Choose a handle");
    await typeInto(page, "Your handle", "dora");
    await page.keyboard.press("Enter");
    await atHeading(page, "Welcome, dora");
    await end(watched);

    const second = await openWatchedPage(world.browser, phone);
    await second.page.goto(world.instance.url);
    await second.page.getByRole("button", { name: "I have a recovery phrase" }).click();
    await second.page.getByText("Or with a file").click();
    const upload = { name: "dora.identity.json", mimeType: "application/json", buffer: Buffer.from(file) };
    await second.page.getByLabel("Identity file").setInputFiles(upload);
    await second.page.getByLabel("Passphrase of the file").fill("wrong horse");
    await second.page.getByRole("button", { name: "Restore from the file" }).click();
    await second.page.getByRole("alert").filter({ hasText: "does not open dora.identity.json" }).waitFor();
    await expectAccessible(second.page);
    await second.page.getByLabel("Passphrase of the file").fill("correct horse");
    await second.page.getByRole("button", { name: "Restore from the file" }).click();
    await second.page.getByText("Good to see you, dora.").waitFor();
    await end(second);
  });
});

describe("identity", () => {
  test("shows who one is, and the safety number that the other side computes", async () => {
    const watched = await world.open(bob, "/identity");
    const { page } = watched;
    await page.getByText(bob.identity.endpoint, { exact: true }).waitFor();
    await page.getByLabel("Handle of the other person").fill("bob");
    await page.getByRole("button", { name: "Show the number" }).click();
    await page.getByText("A safety number is between two people").waitFor();
    await page.getByLabel("Handle of the other person").fill("nobody-here");
    await page.getByRole("button", { name: "Show the number" }).click();
    await page.getByRole("alert").filter({ hasText: "There is no active user" }).waitFor();
    await page.getByLabel("Handle of the other person").fill("carol");
    await page.keyboard.press("Enter");
    await page.getByText(await carol.client.safetyNumber("bob"), { exact: true }).waitFor();
    await expectAccessible(page);
    await end(watched, /status of 404/);
  });

  test("the colours follow the reader's choice, across pages", async () => {
    const watched = await world.open(bob, "/identity");
    const scheme = () => watched.page.evaluate(() => document.documentElement.dataset["scheme"]);
    await watched.page.getByRole("radio", { name: "Dark" }).check();
    expect(await scheme()).toBe("dark");
    await watched.page.reload();
    await watched.page.getByRole("radio", { name: "Dark", checked: true }).waitFor();
    expect(await scheme()).toBe("dark");
    await watched.page.getByRole("radio", { name: "As this device says" }).check();
    expect(await scheme()).toBe("light");
    await end(watched);
  });

  test(
    "signing out keeps the keys for one press back; forgetting them takes the handle, and leaves nothing",
    { timeout: 40_000 },
    async () => {
      const watched = await world.open(carol, "/identity");
      const { page } = watched;
      await tabTo(page, "Sign out, keep my keys");
      await page.keyboard.press("Enter");
      await atHeading(page, "You signed out");
      await expectAccessible(page);
      await page.reload();
      await atHeading(page, "You signed out");
      await pressButton(page, "Come back in");
      await atHeading(page, "Your identity");
      await page.getByRole("button", { name: "Forget the keys in this browser" }).click();
      const confirm = page.getByRole("button", { name: "Forget my keys" });
      await expectAccessible(page);
      expect(await confirm.isDisabled()).toBe(true);
      await page.getByLabel("Type your handle, carol, to go on").fill("bob");
      expect(await confirm.isDisabled()).toBe(true);
      await page.getByLabel("Type your handle, carol, to go on").fill("carol");
      await confirm.click();
      await atHeading(page, "A ground for communities");
      await page.reload();
      await atHeading(page, "A ground for communities");
      await end(watched);
    },
  );

  test(
    "a browser whose identity this instance does not know says so, takes an invitation, and lets go of the keys on request",
    { timeout: 40_000 },
    async () => {
      const { newRecoveryPhrase } = await import("@althing/client");
      const { keepIdentity } = await import("./web-world.ts");
      const watched = await openWatchedPage(world.browser, phone);
      const { page } = watched;
      await keepIdentity(watched, world.instance.url, newRecoveryPhrase());
      await page.goto(`${world.instance.url}/c/grove`);
      await atHeading(page, "This instance does not know you");
      await expectAccessible(page);
      await page.getByLabel("Link or token").fill("hello");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("There is no invitation in this text").waitFor();
      await page.getByLabel("Link or token").fill(await joinLink());
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("button", { name: "Go on with this browser’s identity" }).click();
      await page.getByLabel("Your handle").fill("erik");
      await page.getByRole("button", { name: "Join" }).click();
      await atHeading(page, "Welcome, erik");
      await end(watched, /status of 401/);
    },
  );

  test("somebody revoked in the middle of a session is told at once, on whatever screen", { timeout: 40_000 }, async () => {
    const fred = await world.person("fred");
    const watched = await world.open(fred, "/communities/new");
    const { page } = watched;
    await atHeading(page, "Found a community");
    await world.admin.client.call("users.revoke", { params: { signPub: fred.identity.signPub } });
    await page.getByLabel("Name", { exact: true }).fill("mine");
    await page.getByRole("button", { name: "Ask for it" }).click();
    await atHeading(page, "You were revoked");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Ask the server again" }).click();
    await atHeading(page, "You were revoked");
    await end(watched, /status of 403/);
  });

  test("a server that does not answer is asked again by itself, and the page goes on where it was", { timeout: 40_000 }, async () => {
    const watched = await openWatchedPage(world.browser);
    const { keepIdentity } = await import("./web-world.ts");
    await keepIdentity(watched, world.instance.url, bob.phrase);
    let isDown = true;
    await watched.page.route("**/api/me", (route) => (isDown ? route.abort() : route.continue()));
    await watched.page.goto(`${world.instance.url}/identity`);
    await atHeading(watched.page, "The server does not answer");
    await expectAccessible(watched.page);
    isDown = false;
    await atHeading(watched.page, "Your identity");
    await end(watched, /ERR_FAILED/);
  });
});

describe("founding", () => {
  test("waits for nothing where the instance does not say who may found; the answer to founding tells", async () => {
    const watched = await world.open(bob, "/identity");
    const { page } = watched;
    await page.route(/\/healthz$/, (route) => route.fulfill({ status: 200, contentType: "application/json", body: "{}" }));
    await page.goto(`${world.instance.url}/communities/new`);
    await page.getByLabel("Name").fill("hollow");
    await pressButton(page, "Found it");
    await page.getByText("Communities are founded on request here").waitFor();
    expect(await page.getByLabel("Name").inputValue()).toBe("hollow");
    await end(watched, /status of 403/);
  });

  test(
    "a name is judged while it is typed; where founding is on request one asks, sees the state, and can take it back",
    { timeout: 40_000 },
    async () => {
      const watched = await world.open(bob, "/communities/new", phone);
      const { page } = watched;
      await typeInto(page, "Name", "Not This");
      await page.getByText("Small letters, digits and dashes only").waitFor();
      await typeInto(page, "Name", "orchard");
      await page.getByText("Small letters, digits and dashes only").waitFor({ state: "detached" });
      await page.getByText("Communities are founded on request here").waitFor();
      await expectAccessible(page);
      await page.getByLabel("Why it should be founded").fill("Apples <b>and</b> pears");
      await pressButton(page, "Ask for it");
      await page.getByText("Apples <b>and</b> pears").waitFor();
      await expectAccessible(page);
      await page.getByRole("button", { name: "Take it back" }).click();
      await page.getByLabel("Name", { exact: true }).waitFor();
      await end(watched, /status of 403/);
    },
  );

  test(
    "a declined request shows the answer and can be made again; an approved one is a community of one's own",
    { timeout: 40_000 },
    async () => {
      const { client } = world.admin;
      const gina = await world.person("gina");
      await gina.client.call("founding.ask", { body: { name: "pond", reason: "Frogs" } });
      await client.call("founding.decline", { params: { endpoint: gina.identity.endpoint }, body: { answer: "Which pond?" } });
      const watched = await world.open(gina, "/");
      const { page } = watched;
      await page.getByText("Which pond?").waitFor();
      await page.getByText("declined").first().waitFor();
      await expectAccessible(page);
      await gina.client.call("founding.ask", { body: { name: "pond", reason: "The one behind the house" } });
      await client.call("founding.approve", { params: { endpoint: gina.identity.endpoint }, body: {} });
      await page.reload();
      await page.getByRole("link", { name: "pond" }).waitFor();
      await end(watched);
    },
  );

  test("a name that is taken is said at its field, and what was typed stays", async () => {
    const watched = await world.open(world.admin, "/communities/new");
    const { page } = watched;
    await page.getByLabel("Name", { exact: true }).fill("grove");
    await page.getByLabel("Title").fill("My grove");
    await page.getByRole("button", { name: "Found it" }).click();
    await page.getByText("The community name grove is taken.").waitFor();
    expect(await page.getByLabel("Title").inputValue()).toBe("My grove");
    await page.getByLabel("Name", { exact: true }).fill("new-grove");
    await page.getByRole("button", { name: "Found it" }).dblclick();
    await page.getByRole("heading", { level: 1, name: "My grove" }).waitFor();
    await end(watched, /status of 409/);
  });
});

describe("coming into a community", () => {
  const params = { community: "meadow" };

  beforeAll(async () => {
    await world.community("meadow", world.admin);
    await world.admin.client.call("communities.change", {
      params,
      body: { displayName: "The Meadow", description: "Grass", registration: "approval" },
    });
    const settings = { rules: "Be kind.", questions: [{ id: "why", text: "Why you?", required: true }] };
    await world.admin.client.call("modules.change", { params: { ...params, module: "welcome" }, body: { settings } });
  });

  test(
    "the directory finds it, the door asks what it asks, and the request is seen and taken back, by keyboard",
    { timeout: 60_000 },
    async () => {
      const watched = await world.open(bob, "/communities/directory", phone);
      const { page } = watched;
      await page.getByRole("heading", { name: "The Meadow" }).waitFor();
      await expectAccessible(page);
      await typeInto(page, "Search by name or description", "zzz");
      await page.getByText("Nothing found for this").waitFor();
      await typeInto(page, "Search by name or description", "grass");
      await pressButton(page, "Look at it");
      await atHeading(page, "Join The Meadow");
      await expectAccessible(page);
      await pressButton(page, "Ask to join");
      await page.getByText("Accept the rules first.").waitFor();
      await page.getByText("This one needs an answer.").waitFor();
      await page.getByRole("checkbox").check();
      await typeInto(page, "Why you?", "I like grass");
      await pressButton(page, "Ask to join");
      await atHeading(page, "You asked to join");
      await expectAccessible(page);
      await pressButton(page, "Take the request back");
      const dialog = page.getByRole("dialog", { name: "Take your request back?" });
      await dialog.waitFor();
      await expectAccessible(page);
      await dialog.getByRole("button", { name: "Take the request back" }).press("Enter");
      await page.getByRole("button", { name: "Ask to join" }).waitFor();
      await end(watched);
    },
  );

  test("rules that change while somebody reads them are shown anew, and the answers stay", { timeout: 40_000 }, async () => {
    const watched = await world.open(bob, "/communities/door/meadow");
    const { page } = watched;
    await page.getByRole("checkbox").check();
    await page.getByLabel("Why you?").fill("Still grass");
    const settings = { rules: "Be very kind.", questions: [{ id: "why", text: "Why you?", required: true }] };
    await world.admin.client.call("modules.change", { params: { ...params, module: "welcome" }, body: { settings } });
    await page.getByRole("button", { name: "Ask to join" }).click();
    await page.getByText("The rules changed while you read them").waitFor();
    await page.getByText("Be very kind.").waitFor();
    expect(await page.getByRole("checkbox").isChecked(), "nobody accepts what they were not shown").toBe(false);
    expect(await page.getByLabel("Why you?").inputValue()).toBe("Still grass");
    await page.getByRole("checkbox").check();
    await page.getByRole("button", { name: "Ask to join" }).click();
    await atHeading(page, "You asked to join");
    await world.admin.client.call("communities.approve", { params: { ...params, endpoint: bob.identity.endpoint }, body: {} });
    await page.reload();
    await page.getByRole("link", { name: "Go to The Meadow" }).click();
    await page.getByRole("heading", { level: 1, name: "The Meadow" }).waitFor();
    await end(watched, /status of 409/);
  });

  test(
    "an invitation leads in, its token leaves the address at once and stands in no address; one that is void says so",
    { timeout: 40_000 },
    async () => {
      const { token } = await world.admin.client.call("communities.invite", { params, body: { roles: ["moderator", "member"] } });
      const hugo = await world.person("hugo");
      const watched = await world.open(hugo, "/");
      const { page } = watched;
      const addresses: string[] = [];
      page.on("request", (request) => addresses.push(request.url()));
      await page.getByText("You are in no community yet").waitFor();
      await page.goto(`${world.instance.url}/communities/invitation#invitation=${token}`);
      await page.reload();
      await atHeading(page, "An invitation");
      await page.getByLabel("Link or token").fill(`${world.instance.url}/communities/invitation#invitation=${token}`);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("heading", { level: 1, name: "You are invited to The Meadow" }).waitFor();
      expect(page.url()).not.toContain(token);
      await expectAccessible(page);
      await page.getByRole("checkbox").check();
      await page.getByLabel("Why you?").fill("Invited");
      await page.getByRole("button", { name: "Join" }).click();
      await page.getByRole("heading", { level: 1, name: "The Meadow" }).waitFor();
      expect(addresses.filter((address) => address.includes(token) && !address.includes("#"))).toEqual([]);
      await page.goto(`${world.instance.url}/communities/invitation`);
      await page.getByLabel("Link or token").fill(token);
      await page.getByRole("button", { name: "Go on" }).click();
      await atHeading(page, "This invitation cannot be used");
      await expectAccessible(page);
      await end(watched, /status of 403/);
    },
  );
});
