/**
 * The screens for whoever runs the instance: users, communities, trust, policy, registry, usage, audit, each with its main path and its main refusal.
 */
import { join } from "node:path";
import { createPackagesClient } from "@althing/client";
import { newPublisherKey } from "@althing/extension/trust";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { atHeading, pressButton, tabTo } from "./page-walk.ts";
import { greeter, newPublisher } from "./plugin-packages.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let bob: WebPerson;
let carol: WebPerson;
let admin: WatchedPage;

beforeAll(async () => {
  world = await startWebWorld();
  bob = await world.person("bob");
  carol = await world.person("carol");
  await world.community("garden", world.admin, [{ who: bob }]);
  admin = await world.open(world.admin, "/instance");
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** By the ways on the page, as people go. */
async function goTo(name: string, heading = name): Promise<void> {
  await admin.page.getByRole("navigation", { name: "Instance" }).getByRole("link", { name, exact: true }).click();
  await atHeading(admin.page, heading);
}

describe("posture and usage", () => {
  test("every protection has a line; usage counts people and communities and says when nothing ran", async () => {
    await admin.page.getByText("This instance is ready").waitFor();
    await admin.page.getByText("Signed requests").waitFor();
    await expectAccessible(admin.page);
    await goTo("Usage");
    await admin.page.getByText("No package was called in this time").waitFor();
    expect(await admin.page.getByRole("listitem").filter({ hasText: "Active users" }).textContent()).toContain("3");
    await expectAccessible(admin.page);
  });
});

describe("users", () => {
  test("somebody is revoked after a question, once, and their open page says so at once", { timeout: 60_000 }, async () => {
    const theirs = await world.open(carol, "/");
    await theirs.page.getByRole("heading", { level: 1 }).waitFor();
    await goTo("Users");
    await expectAccessible(admin.page);
    await admin.page.getByRole("button", { name: "Revoke carol" }).click();
    await admin.page.getByRole("dialog", { name: "Revoke carol?" }).waitFor();
    await expectAccessible(admin.page);
    await admin.page.getByRole("dialog").getByRole("button", { name: "Revoke" }).dblclick();
    await admin.page.getByRole("status").filter({ hasText: "carol was revoked." }).waitFor();
    expect(await admin.page.getByRole("row").filter({ hasText: "carol" }).textContent()).toContain("Revoked");
    await theirs.page.reload();
    await theirs.page
      .getByText(/revoked/i)
      .first()
      .waitFor();
    await expectAccessible(theirs.page);
    await theirs.close();
  });

  test("the last admin cannot be revoked, and is told which rule says so", async () => {
    await goTo("Users");
    await admin.page.getByRole("button", { name: "Revoke alice" }).click();
    await admin.page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await admin.page.getByRole("alert").filter({ hasText: "user.last_admin" }).waitFor();
    await expectAccessible(admin.page);
    await admin.page.keyboard.press("Escape");
  });

  test("a bot's key is added by keyboard alone; a wrong one and a taken handle are said at their fields", async () => {
    await goTo("Users");
    const { page } = admin;
    await pressButton(page, "Add a user");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Public key").fill("no key");
    await dialog.getByLabel("Handle").fill("bot");
    await dialog.getByRole("button", { name: "Add a user" }).click();
    await dialog.getByLabel("Public key").and(page.locator("[aria-invalid=true]")).waitFor();
    await expectAccessible(page);
    await dialog.getByLabel("Public key").fill("ab".repeat(32));
    await dialog.getByLabel("Handle").fill("bob");
    await dialog.getByRole("button", { name: "Add a user" }).click();
    await dialog.getByRole("alert").filter({ hasText: "user.handle_taken" }).waitFor();
    await dialog.getByLabel("Handle").fill("bot");
    await tabTo(page, "Add a user");
    await page.keyboard.press("Enter");
    await page.getByRole("row").filter({ hasText: "bot" }).waitFor();
  });
});

describe("trust", () => {
  test("a publisher's key is trusted and trusted no longer; what is no key is refused", async () => {
    await goTo("Trust");
    const { page } = admin;
    await page.getByText("Nobody is trusted yet").waitFor();
    await expectAccessible(page);
    await page.getByLabel("PEM text").fill("not a key");
    await page.getByRole("button", { name: "Trust it" }).click();
    await page.getByRole("alert").filter({ hasText: "trust.pem_invalid" }).waitFor();
    await expectAccessible(page);
    await page.getByLabel("PEM text").fill(newPublisherKey().publicKeyPem);
    await page.getByRole("button", { name: "Trust it" }).click();
    await page.getByRole("button", { name: /^Trust no longer: / }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Trust no longer" }).click();
    await page.getByText("Nobody is trusted yet").waitFor();
  });
});

describe("the policy of the instance", () => {
  test("a lock holds in the community at once; a change of somebody else's meanwhile is shown and not overwritten", async () => {
    await goTo("Plugin policy", "Plugin policy of the instance");
    const { page } = admin;
    for (const part of ["Ceilings", "Locks", "Defaults"]) {
      await page.getByRole("button", { name: part, exact: true }).click();
      await expectAccessible(page);
    }
    await page.getByRole("button", { name: "Locks", exact: true }).click();
    await page.getByRole("checkbox", { name: "May packages work by themselves" }).check();
    await page.getByRole("button", { name: "Save the locks" }).click();
    await page.getByRole("status").filter({ hasText: "Saved." }).waitFor();
    const { locks } = await world.admin.client.call("instancePolicy.get");
    expect(locks).toEqual(["backgroundJobs"]);
    await world.admin.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: {}, locks: ["trust"] } });
    await page.getByRole("checkbox", { name: "May packages answer strangers" }).check();
    await page.getByRole("button", { name: "Save the locks" }).click();
    await page.getByRole("alert").filter({ hasText: "request.precondition_failed" }).waitFor();
    expect((await world.admin.client.call("instancePolicy.get")).locks).toEqual(["trust"]);
    await expectAccessible(page);
  });
});

describe("communities, registry and audit", () => {
  test("communities are listed and searched; an empty registry says what comes there", async () => {
    await goTo("Communities");
    await admin.page.getByRole("link", { name: "garden" }).waitFor();
    await admin.page.getByLabel("Search by name").fill("nothing like it");
    await admin.page.getByText("No community fits your search.").waitFor();
    await expectAccessible(admin.page);
    await goTo("Registry");
    await admin.page.getByText("Nothing is published yet").waitFor();
    await expectAccessible(admin.page);
  });

  test(
    "a version is deprecated with a reason that communities see before they install it, and offered again",
    { timeout: 90_000 },
    async () => {
      const publisher = newPublisher();
      await world.admin.client.call("trust.add", { body: { pem: publisher.key.publicKeyPem } });
      const { bundle, signature } = await publisher.pack(greeter);
      const packages = createPackagesClient({ identity: world.admin.identity, urls: [world.instance.url] });
      await packages.publish({ bundle: new Uint8Array(bundle), signature });
      await packages.close();
      const watched = await world.open(world.admin, "/instance/registry");
      const { page } = watched;
      const catalogue = await world.open(world.admin, "/c/garden/plugins");
      await catalogue.page.getByRole("heading", { name: "Greeter" }).waitFor();
      expect(await catalogue.page.getByText("Should not be used any more").count()).toBe(0);
      await page.getByRole("button", { name: "Show versions of Greeter" }).click();
      await page.getByRole("button", { name: "Deprecate 1.0.0" }).click();
      const dialog = page.getByRole("dialog");
      // Nobody is told so without a reason.
      expect(await dialog.getByRole("button", { name: "Deprecate", exact: true }).isDisabled()).toBe(true);
      await dialog.getByLabel("Reason").fill("It greets the wrong people");
      await expectAccessible(page);
      await dialog.getByRole("button", { name: "Deprecate", exact: true }).click();
      await page.getByRole("row").filter({ hasText: "1.0.0" }).getByText("It greets the wrong people").waitFor();
      await catalogue.page.reload();
      await catalogue.page.getByText("Should not be used any more").waitFor();
      await catalogue.page.getByText("It greets the wrong people").waitFor();
      await page.getByRole("button", { name: "Offer again 1.0.0" }).click();
      await dialog.getByLabel("Reason").fill("It was right");
      await dialog.getByRole("button", { name: "Offer again", exact: true }).click();
      await page.getByRole("button", { name: "Deprecate 1.0.0" }).waitFor();
      await catalogue.page.reload();
      await catalogue.page.getByRole("heading", { name: "Greeter" }).waitFor();
      expect(await catalogue.page.getByText("It greets the wrong people").count()).toBe(0);
      await Promise.all([watched.close(), catalogue.close()]);
    },
  );

  test("what was done stands in the audit log with actor and outcome, refusals too, and the chain is checked in the browser", async () => {
    await goTo("Audit");
    const { page } = admin;
    await page.getByText("The hashes of what is loaded fit together.").waitFor();
    const row = (text: string) => page.getByRole("row").filter({ hasText: text });
    await row("Claimed the instance").waitFor();
    expect(await row("Revoked a user").filter({ hasText: "carol" }).textContent()).toContain("Done");
    expect(await row("user.last_admin").textContent()).toContain("Refused");
    await expectAccessible(page);
  });

  test("an entry that was changed on its way is found", async () => {
    const watched = await world.open(world.admin, "/");
    await watched.page.route("**/api/instance/audit*", async (route) => {
      const answer = await route.fetch();
      const body: { entries: { target: Record<string, string> }[] } = await answer.json();
      const [first] = body.entries;
      if (first !== undefined) first.target = { handle: "mallory" };
      await route.fulfill({ response: answer, json: body });
    });
    await watched.page.goto(`${world.instance.url}/instance/audit`);
    await watched.page.getByRole("alert").filter({ hasText: "does not fit" }).waitFor();
    await watched.close();
  });
});

describe("somebody who does not run the instance", () => {
  test("sees no way there, and is refused with who can change it; on a phone too", async () => {
    const watched = await world.open(bob, "/", phone);
    await watched.page.getByRole("heading", { level: 1 }).waitFor();
    expect(await watched.page.getByRole("link", { name: "Instance" }).count()).toBe(0);
    for (const path of ["users", "audit", "usage"]) {
      await watched.page.goto(`${world.instance.url}${join("/instance", path)}`);
      await watched.page.getByRole("alert").filter({ hasText: "auth.forbidden" }).first().waitFor();
      await expectAccessible(watched.page);
    }
    await watched.close();
  });
});

test("not one violation of the page's policy, not one error in its console", () => {
  expect(admin.faults.filter((fault) => !/status of 4\d\d/.test(fault))).toEqual([]);
});
