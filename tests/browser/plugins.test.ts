/**
 * Packages and modules in a real Chromium, on a real instance with a real runner: the whole life of a package as an admin leads it, and what must hold on
 * the way: nothing runs before consent, nothing is installed twice, nothing that a package says is taken for the page's own words.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificate, privatePemOf } from "../../packages/extension/test/certificate-maker.ts";
import { expectAccessible } from "./accessible.ts";
import { tabTo } from "./page-walk.ts";
import { everything, greeter, greeterId, greeterNext, writePackage } from "./plugin-packages.ts";
import { button, endClean, expectWholeRefusal, openPluginWorld, type PluginWorld } from "./plugin-world.ts";
import { phone } from "./web-world.ts";

const hourMs = 60 * 60 * 1_000;
let world: PluginWorld;
const garden = { community: "garden" };

beforeAll(async () => {
  world = await openPluginWorld();
  await Promise.all([world.found("garden"), world.found("meadow")]);
}, 120_000);
afterAll(() => world?.close());

const tab = (page: Page, name: string) => page.getByRole("navigation", { name: "Package" }).getByRole("link", { name, exact: true });
const toast = (page: Page, text: string | RegExp) => page.getByRole("status", { name: "Notices" }).getByText(text).first().waitFor();
const pathOf = (community: string, extension: string, rest = "") => `/c/${community}/plugins/packages/${extension}${rest}`;

async function chooseFiles(page: Page, made: { readonly bundle: string; readonly signature: string }): Promise<void> {
  await page.getByLabel("Package file").setInputFiles(made.bundle);
  await page.getByLabel("Signature file").setInputFiles(made.signature);
}

test("an admin takes a package through its whole life", { timeout: 180_000 }, async () => {
  const { ada, bob } = world.people;
  const [first, next] = [
    await writePackage(world.dir.path, await world.publisher.pack(greeter)),
    await writePackage(world.dir.path, await world.publisher.pack(greeterNext)),
  ];
  const call = (path: string) => world.packages.endpoint({ community: "garden", extension: greeterId, method: "GET", path });
  const watched = await world.web.open(ada, "/c/garden/plugins");
  const { page } = watched;
  // Empty, and it says what comes here.
  await page.getByText("No packages yet").waitFor();
  await expectAccessible(page);
  await page.getByRole("link", { name: "Install a package" }).click();
  await button(page, "Upload").click();
  await page.getByText("Choose the package file first.").waitFor();
  await expectAccessible(page);
  await chooseFiles(page, first);
  await button(page, "Upload").click();

  // Nothing runs before consent.
  await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
  await expect(call("/greet")).rejects.toMatchObject({ code: "ext.not_found" });
  await page.getByText("Low risk").waitFor();
  await page.getByText("To remember whom it greeted.").waitFor();
  await page.getByText("Waits for your consent").waitFor();
  await expectAccessible(page);
  await button(page, "Agree and switch on").click();
  await toast(page, "Greeter is switched on.");
  await page.getByText("Active", { exact: true }).waitFor();
  expect(new TextDecoder().decode((await call("/greet")).body)).toBe("Hello, you!");

  // A wrong value is refused at its field, by the page and by the hub.
  await tab(page, "Settings").click();
  await page.getByLabel("Greeting").fill("Good morning to");
  await button(page, "Save settings").click();
  await page.getByText("Write at most 10 characters.").waitFor();
  expect(await page.getByLabel("Greeting").getAttribute("aria-invalid")).toBe("true");
  await expectAccessible(page);
  await page.getByLabel("Greeting").fill("Hei");
  await button(page, "Save settings").click();
  await toast(page, "The settings are saved.");
  expect(new TextDecoder().decode((await call("/greet")).body)).toBe("Hei, you!");

  // What it did is in its log, live.
  await tab(page, "Log").click();
  const rows = page.getByRole("list", { name: "Log" }).getByRole("listitem");
  await rows.nth(1).waitFor();
  expect(await rows.count()).toBe(2);
  await call("/greet");
  await rows.nth(2).waitFor();
  await rows.first().locator("summary").click();
  await rows.first().getByText("Request", { exact: true }).waitFor();
  await expectAccessible(page);
  await tab(page, "Usage").click();
  await page.getByRole("meter", { name: "Time in this hour" }).waitFor();
  await page.locator(".recharts-surface").first().waitFor();
  await expectAccessible(page);

  // An upgrade that asks for more waits, and the version before goes on.
  await page.goto(`${world.web.instance.url}/c/garden/plugins/install`);
  await chooseFiles(page, next);
  await button(page, "Upload").click();
  await page.getByRole("heading", { name: "Version 1.1.0 waits for your decision" }).waitFor();
  const added = page.getByRole("listitem").filter({ hasText: "greetings.example.org" });
  await added.getByText("New", { exact: true }).waitFor();
  expect(new TextDecoder().decode((await call("/greet")).body)).toBe("Hei, you!");
  await expectAccessible(page);
  await button(page, "Agree and upgrade").click();
  await page.getByRole("heading", { name: "Version 1.1.0 waits for your decision" }).waitFor({ state: "detached" });
  await page.getByText("Version 1.1.0").first().waitFor();
  expect(await world.packages.call("packages.get", { params: { ...garden, install: greeterId } })).toMatchObject({
    version: "1.1.0",
    state: "active",
    granted: { egress: ["greetings.example.org"] },
    settings: { greeting: "Hei" },
  });

  // And back.
  await tab(page, "Versions").click();
  await button(page, "Go back to 1.0.0").click();
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Go back to 1.0.0" }).click();
  await toast(page, "Greeter is back at version 1.0.0.");
  await button(page, "Go back to 1.1.0").waitFor();

  // Off holds for the next call, and on again.
  await button(page, "Switch off").click();
  await page.getByText("Switched off", { exact: true }).waitFor();
  await expect(call("/greet")).rejects.toMatchObject({ code: "ext.not_found" });
  await button(page, "Switch on").click();
  await page.getByText("Active", { exact: true }).waitFor();
  expect((await call("/greet")).status).toBe(200);

  // Gone with everything, after its name was typed.
  await tab(page, "Remove").click();
  await page.getByLabel("Remove everything").check();
  await button(page, "Remove with all data").click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByRole("button", { name: "Remove with all data" }).isDisabled()).toBe(true);
  await expectAccessible(page);
  await dialog.getByLabel(`Type ${greeterId} to confirm`).fill(greeterId);
  await dialog.getByRole("button", { name: "Remove with all data" }).click();
  await page.getByText("No packages yet").waitFor();
  await expect(bob.client.call("packages.pages", { params: garden })).resolves.toEqual({ extensions: [] });
  await endClean(watched);
});

test("what the hub refuses in settings stands at its field, in the form and as JSON", { timeout: 120_000 }, async () => {
  await world.publisher.install(world.people.ada.client, world.upload, "garden", {
    ...everything,
    name: "org.example.set",
    displayName: "Set",
    filters: [],
    events: [],
  });
  const watched = await world.web.open(world.people.ada, pathOf("garden", "org.example.set", "/settings"));
  const { page } = watched;
  await page.getByLabel("Mode").selectOption("loud");
  // A rule that this page does not know.
  const faults = [
    { path: "mode", message: "not on Sundays" },
    { path: "words.0", message: "not this word" },
  ];
  await page.route("**/plugin-packages/*", (route) =>
    route.request().method() === "PUT"
      ? route.fulfill({
          status: 422,
          contentType: "application/problem+json",
          body: JSON.stringify({
            type: "urn:x",
            title: "x",
            status: 422,
            detail: "x",
            code: "settings.invalid",
            fix: "x",
            retry: false,
            requestId: "01M81A9TGP10XC9GAT6Q8TRNRK",
            params: { count: 2 },
            faults,
          }),
        })
      : route.fallback(),
  );
  await button(page, "Add one to Words").click();
  await page.getByLabel(/Words 1/).fill("word");
  await button(page, "Save settings").click();
  await page.locator("p", { hasText: /^not on Sundays$/ }).waitFor();
  await page.locator("p", { hasText: /^not this word$/ }).waitFor();
  expect(await page.getByLabel("Mode").inputValue()).not.toBe("");
  await expectAccessible(page);
  await button(page, "As JSON").click();
  const json = page.getByLabel("Settings as JSON");
  await page.getByText("mode: not on Sundays words.0: not this word").waitFor();
  await page.unrouteAll();
  await json.fill("{ nonsense");
  await button(page, "Save settings").click();
  await page.getByText(/This is no JSON/).waitFor();
  await json.fill('{ "most": 99 }');
  await button(page, "Save settings").click();
  await page.getByText("most: Write 9 or less.").waitFor();
  await expectAccessible(page);
  await json.fill('{ "most": 4, "words": ["both"] }');
  await button(page, "Save settings").click();
  await toast(page, "The settings are saved.");
  await button(page, "As a form").click();
  expect(await page.getByLabel("At most").inputValue()).toBe("4");
  await endClean(watched);
});

test("a secret is written and never shown again", { timeout: 120_000 }, async () => {
  const value = "hunter2-never-shown";
  const watched = await world.web.open(world.people.mo, pathOf("garden", "org.example.set", "/settings"));
  const { page } = watched;
  await button(page, "Set API_KEY").click();
  await expectAccessible(page);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Keep the secret" }).click();
  await dialog.getByText("Write the value.").waitFor();
  await dialog.getByLabel("Value of API_KEY").fill(value);
  await dialog.getByLabel(/Servers it may be sent to/).fill("a.*.b");
  await dialog.getByRole("button", { name: "Keep the secret" }).click();
  await dialog
    .getByText(/is no host/)
    .first()
    .waitFor();
  await dialog.getByLabel(/Servers it may be sent to/).fill("api.example.org");
  await dialog.getByRole("button", { name: "Keep the secret" }).click();
  await toast(page, "The secret API_KEY is kept.");
  await page.getByText("May be sent to: api.example.org").waitFor();
  expect(await page.content()).not.toContain(value);
  await page.reload();
  await button(page, "Replace API_KEY").click();
  expect(await page.getByLabel("Value of API_KEY").inputValue()).toBe("");
  await page.keyboard.press("Escape");
  await button(page, "Forget API_KEY").click();
  await page.getByRole("dialog").getByRole("button", { name: "Forget API_KEY" }).click();
  await button(page, "Set API_KEY").waitFor();
  await endClean(watched);
});

test("by keyboard alone: installed, read, narrowed and agreed to", { timeout: 120_000 }, async () => {
  const made = await writePackage(
    world.dir.path,
    await world.publisher.pack({ ...everything, name: "org.example.keys", displayName: "Keys" }),
  );
  const watched = await world.web.open(world.people.ada, "/c/meadow/plugins");
  const { page } = watched;
  const chooser = async (label: string, file: string) => {
    await tabTo(page, label);
    const press = () => Promise.all([page.waitForEvent("filechooser", { timeout: 10_000 }), page.keyboard.press("Space")]);
    // A busy browser drops the first press now and then, as it does for people; the control keeps the focus.
    const [opened] = await press().catch(press);
    await opened.setFiles(file);
  };
  await page.getByRole("heading", { name: "Plugins" }).waitFor();
  await tabTo(page, "Install a package");
  await page.keyboard.press("Enter");
  await page.getByLabel("Package file").waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName), "the new heading has the focus").toBe("H1");
  await chooser("Package file", made.bundle);
  await chooser("Signature file", made.signature);
  await tabTo(page, "Upload");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
  await page.getByText("High risk").waitFor();
  await tabTo(page, "Choose one by one what it may do");
  await page.keyboard.press("Enter");
  await tabTo(page, "Send data to refused.example.net and read what comes back");
  await page.keyboard.press("Space");
  await tabTo(page, "Agree and switch on");
  await page.keyboard.press("Enter");
  await page.getByText("Active", { exact: true }).waitFor();
  const { granted } = await world.packages.call("packages.get", { params: { community: "meadow", install: "org.example.keys" } });
  expect(granted.egress).toEqual(["allowed.example.org"]);
  await page.getByRole("listitem").filter({ hasText: "refused.example.net" }).getByText("not granted", { exact: true }).waitFor();
  await endClean(watched);
});

test("a double click installs once", { timeout: 120_000 }, async () => {
  const made = await writePackage(
    world.dir.path,
    await world.publisher.pack({ ...greeter, name: "org.example.twice", displayName: "Twice" }),
  );
  const watched = await world.web.open(world.people.mo, "/c/meadow/plugins/install");
  const { page } = watched;
  let sent = 0;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/plugin-packages")) sent += 1;
  });
  await chooseFiles(page, made);
  await button(page, "Upload").dblclick();
  await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
  expect(sent).toBe(1);
  await button(page, "Agree and switch on").dblclick();
  await page.getByText("Active", { exact: true }).waitFor();
  // The same bytes again are refused, whole.
  await page.goto(`${world.web.instance.url}/c/meadow/plugins/install`);
  await chooseFiles(page, made);
  await button(page, "Upload").click();
  await expectWholeRefusal(page, /install\.exists/);
  await endClean(watched);
});

describe("what a package says of itself", { timeout: 120_000 }, () => {
  const markup = `<img src=x onerror="document.title='owned'">`;

  test("markup in its name is text, and tricks with writing direction do not come in", async () => {
    await world.publisher.install(world.people.ada.client, world.upload, "meadow", {
      ...everything,
      ...{
        name: "org.example.markup",
        displayName: markup,
        description: `${markup} </script><script>document.title='owned'</script>`,
        filters: [],
      },
      capabilities: [{ name: "storage.kv", reason: markup }],
      egress: [],
    });
    const turned = await writePackage(
      world.dir.path,
      await world.publisher.pack({ ...greeter, name: "org.example.turned", displayName: "Safe \u202egnol" }),
    );
    const watched = await world.web.open(world.people.ada, "/c/meadow/plugins", phone);
    const { page } = watched;
    await page.getByRole("link", { name: markup, exact: true }).click();
    await page.getByRole("heading", { name: markup, exact: true }).waitFor();
    await expectAccessible(page);
    expect(await page.title()).not.toBe("owned");
    await page.goto(`${world.web.instance.url}/c/meadow/plugins/install`);
    await chooseFiles(page, turned);
    await button(page, "Upload").click();
    await expectWholeRefusal(page, /manifest\.invalid/, /displayName/);
    await expectAccessible(page);
    await endClean(watched);
  });

  test("texts that the hub would never let in do not break a page either", async () => {
    const long = "w".repeat(10_000);
    const wild = `${markup}\u202egnol\u202c${long}`;
    const forged = await world.web.open(world.people.ada, "/c/meadow/plugins", phone);
    const { page } = forged;
    const twist = (install: Record<string, unknown>) => ({
      ...install,
      displayName: wild,
      blocked: { rule: wild, text: wild, who: wild },
      manifest: {
        displayName: wild,
        description: wild,
        license: long,
        homepage: `javascript:alert(1)//${long}`,
        publisher: { id: long, name: wild },
        capabilities: [{ name: wild, reason: wild }],
        egress: [{ host: long, reason: wild }],
        endpoints: [{ method: "GET", path: `/${long}` }],
        events: [long],
        filters: [{ point: wild, mode: "fail_closed" }],
        jobs: [{ name: wild, schedule: { cron: wild.slice(0, 90), timeZone: "No/Where" } }],
        ui: { entry: long, nav: [{ label: wild, path: long }] },
      },
      declared: {
        capabilities: [wild],
        egress: [long],
        events: [long],
        filters: [wild],
        jobs: [wild],
        publicEndpoints: [`GET /${long}`],
        uiHosts: [long],
      },
    });
    await page.route(/\/plugin-packages(\/[^/?]+)?(\?|$)/, async (route) => {
      const answer = await route.fetch();
      const body: unknown = await answer.json();
      const isOne = typeof body === "object" && body !== null && "manifest" in body;
      const packages =
        typeof body === "object" && body !== null && "packages" in body && Array.isArray(body.packages) ? body.packages.slice(0, 1) : [];
      await route.fulfill({
        response: answer,
        json: isOne ? twist({ ...body }) : { packages: packages.map((one: Record<string, unknown>) => twist(one)) },
      });
    });
    await page.reload();
    await page.getByText("Blocked by policy").waitFor();
    await expectAccessible(page);
    await page.goto(`${world.web.instance.url}${pathOf("meadow", "org.example.markup")}`);
    await page.getByRole("heading", { name: "About" }).waitFor();
    await expectAccessible(page);
    expect(await page.title()).not.toBe("owned");
    expect(await page.locator("a[href^='javascript']").count()).toBe(0);
    await endClean(forged);
  });
});

test("a package that fails again and again is in quarantine, with the reason and a way out", { timeout: 120_000 }, async () => {
  await world.publisher.install(world.people.ada.client, world.upload, "meadow", {
    ...greeter,
    name: "org.example.broken",
    displayName: "Broken",
  });
  for (let calls = 0; calls < 5; calls += 1)
    await world.packages
      .endpoint({ community: "meadow", extension: "org.example.broken", method: "GET", path: "/fail" })
      .catch(() => undefined);
  const watched = await world.web.open(world.people.ada, pathOf("meadow", "org.example.broken", "/health"));
  const { page } = watched;
  await page.getByText("In quarantine", { exact: true }).waitFor();
  await page.getByText("What to do:").waitFor();
  await page.getByText("5 of the last 5 calls failed.").waitFor();
  await expectAccessible(page);
  await button(page, "Check it again and lift the quarantine").click();
  await toast(page, "The quarantine of Broken is lifted.");
  await page.getByText("Active", { exact: true }).waitFor();
  await endClean(watched);
});

test(
  "what the registry of the instance offers is installed from there, and its next version compared in full",
  { timeout: 120_000 },
  async () => {
    const own = { ...greeter, name: "org.example.own", displayName: "Own" };
    await world.publish(own);
    const watched = await world.web.open(world.people.mo, "/c/meadow/plugins");
    const { page } = watched;
    await page.getByLabel("Search packages").fill("own");
    const row = page.getByRole("listitem").filter({ hasText: "org.example.own" });
    await row.getByText("Signed, trusted here").waitFor();
    await row.getByRole("link", { name: "Install version 1.0.0" }).click();
    await page.getByText("Greets members, in words that the community chooses.").waitFor();
    await button(page, "Fetch and check").click();
    await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
    await button(page, "Agree and switch on").click();
    await page.getByText("Active", { exact: true }).waitFor();

    await world.publish({ ...greeterNext, name: own.name, displayName: own.displayName });
    await page.goto(`${world.web.instance.url}/c/meadow/plugins`);
    await page.getByRole("listitem").filter({ hasText: "org.example.own" }).first().getByText("Version 1.1.0 is offered").waitFor();
    await page.goto(`${world.web.instance.url}${pathOf("meadow", own.name)}`);
    await button(page, "Get version 1.1.0").click();
    await page.getByRole("heading", { name: "What else changes" }).waitFor();
    await page.getByRole("listitem").filter({ hasText: "loud" }).getByText("New", { exact: true }).waitFor();
    await page.getByText("none → 900 ms").waitFor();
    await page
      .getByRole("listitem")
      .filter({ hasText: "greetings.example.org" })
      .getByText("It knows greetings of many languages.")
      .waitFor();
    await button(page, "Turn this version down").click();
    await page.getByRole("dialog").getByRole("button", { name: "Turn this version down" }).click();
    await toast(page, "Version 1.1.0 was turned down. Version 1.0.0 stays.");
    await endClean(watched);
  },
);

test("before consent one reads by whose certificates it is signed, and until when they are good", { timeout: 120_000 }, async () => {
  const root = await makeCertificate({ name: "Garden Authority", isAuthority: true });
  const between = await makeCertificate({ name: "Garden Publishers", issuer: root, isAuthority: true });
  const leaf = await makeCertificate({ name: "Greeters United", issuer: between });
  await world.web.admin.client.call("trust.add", { body: { pem: root.certificate.toString("pem") } });
  const chainPem = [leaf, between].map(({ certificate }) => certificate.toString("pem")).join("\n");
  const signer = { privateKeyPem: await privatePemOf(leaf.keys), chainPem };
  const made = await world.publisher.pack({ ...greeter, name: "org.example.united", displayName: "United", signer });
  await world.upload("meadow", { bundle: new Uint8Array(made.bundle), signature: made.signature });
  const watched = await world.web.open(world.people.ada, pathOf("meadow", "org.example.united"), phone);
  const { page } = watched;
  await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
  await page.getByText("(a certificate)").waitFor();
  const chain = page.getByRole("list", { name: "Certificates" }).getByRole("listitem");
  await chain.first().waitFor();
  const told = await chain.allInnerTexts();
  expect(told.map((text) => /CN=[\w ]+/.exec(text)?.[0])).toEqual(
    ["CN=Greeters United", "CN=Garden Publishers", "CN=Garden Authority"].slice(0, told.length),
  );
  expect(told.length).toBeGreaterThan(1);
  for (const text of told) expect(text).toMatch(/valid until .*20(?:29|30)/);
  await expectAccessible(page);
  await endClean(watched);
});

test("what is used of a quota is said at four fifths, and when it is used up", { timeout: 240_000 }, async () => {
  // What is used counts within an hour of the clock.
  const leftMs = hourMs - (Date.now() % hourMs);
  if (leftMs < 100_000) await sleep(leftMs);
  const here = { community: "meadow" };
  await world.publisher.install(world.people.ada.client, world.upload, "meadow", {
    ...greeter,
    name: "org.example.thirsty",
    displayName: "Thirsty",
  });
  const greet = () => world.packages.endpoint({ community: "meadow", extension: "org.example.thirsty", method: "GET", path: "/greet" });
  await greet();
  const { community: policy, revision } = await world.packages.call("policy.get", { params: here });
  const usedNow = async () => {
    const { limits } = await world.packages.call("packages.usage", {
      params: { ...here, install: "org.example.thirsty" },
      query: { hours: 1 },
    });
    return limits.find(({ quota }) => quota === "fuelPerHour")?.used ?? 0;
  };
  await expect.poll(usedNow, { timeout: 20_000 }).toBeGreaterThan(1_000);
  const used = await usedNow();
  const set = (fuelPerHour: number, at: number) =>
    world.packages.call(
      "policy.put",
      { params: here, body: { ...policy, limits: { ...policy.limits, fuelPerHour } } },
      { ifMatch: String(at) },
    );
  const watched = await world.web.open(world.people.ada, pathOf("meadow", "org.example.thirsty", "/usage"));
  const { page } = watched;
  const meter = page.getByRole("meter", { name: "Work in this hour" });
  await meter.waitFor();

  const near = await set(Math.ceil(used / 0.9), revision);
  await page.getByText("nearly used up", { exact: true }).waitFor();
  expect(Number(await meter.getAttribute("aria-valuenow"))).toBeGreaterThanOrEqual(80);
  await expectAccessible(page);

  await set(used, near.revision);
  await page.getByText("used up", { exact: true }).waitFor();
  expect(await meter.getAttribute("aria-valuenow")).toBe("100");
  await expect(greet()).rejects.toMatchObject({ code: "ext.quota_exceeded" });
  await expectAccessible(page);
  await endClean(watched);
});

test("a setting that no form can be made of is named, and leads to JSON", { timeout: 120_000 }, async () => {
  const watched = await world.web.open(world.people.ada, "/c/meadow/plugins");
  const { page } = watched;
  await world.publisher.install(world.people.ada.client, world.upload, "meadow", {
    ...greeter,
    name: "org.example.odd",
    displayName: "Odd",
  });
  // A hub of a later version may know kinds of settings that this page does not.
  await page.route(/\/plugin-packages\/org\.example\.odd$/, async (route) => {
    const response = await route.fetch();
    const body: unknown = await response.json();
    const odd = { type: "tensor", title: "Shape of things", description: "How many of what." };
    const altered = JSON.stringify(body, (name, value: unknown) => (name === "properties" ? Object.assign({ odd }, value) : value));
    await route.fulfill({ response, body: altered });
  });
  await page.goto(`${world.web.instance.url}${pathOf("meadow", "org.example.odd", "/settings")}`);
  const odd = page.getByRole("group", { name: "Shape of things" });
  await odd.getByText("How many of what.").waitFor();
  expect(await odd.innerText()).not.toMatch(/[{}]/);
  await page.getByLabel("Greeting").waitFor();
  await expectAccessible(page);
  await odd.getByRole("button", { name: "Edit as JSON" }).click();
  await page.getByLabel("Settings as JSON").waitFor();
  await endClean(watched);
});

describe("who may not", { timeout: 120_000 }, () => {
  test("a moderator whose role only lets look sees everything and changes nothing", async () => {
    const watched = await world.web.open(world.people.max, pathOf("garden", "org.example.set"));
    const { page } = watched;
    await page.getByRole("heading", { name: "What it may do" }).waitFor();
    for (const name of ["Switch off", "Switch on"]) expect(await button(page, name).count()).toBe(0);
    expect(await tab(page, "Remove").count()).toBe(0);
    await tab(page, "Settings").click();
    await page.getByText(/You can read these and not change them\. These can: /).waitFor();
    expect(await page.getByLabel("Mode").isDisabled()).toBe(true);
    expect(await button(page, "Save settings").count()).toBe(0);
    expect(await button(page, "Set API_KEY").count()).toBe(0);
    await tab(page, "Jobs").click();
    await page.getByRole("heading", { name: "tick" }).waitFor();
    expect(await button(page, "Run now").count()).toBe(0);
    await page.goto(`${world.web.instance.url}${pathOf("garden", "org.example.set", "/remove")}`);
    await page.getByText("You cannot remove this package.").waitFor();
    await page.getByText(/^These can: /).waitFor();
    await page.goto(`${world.web.instance.url}/c/garden/plugins/modules`);
    await page.getByRole("heading", { name: "Welcome" }).waitFor();
    expect(await button(page, /^Switch off/).count()).toBe(0);
    await expectAccessible(page);
    await endClean(watched);
  });
});

describe("built-in modules", { timeout: 120_000 }, () => {
  test("are switched and set by a moderator whose role holds the right", async () => {
    const watched = await world.web.open(world.people.mo, "/c/garden/plugins/modules");
    const { page } = watched;
    await button(page, "Switch off Delegation").waitFor();
    await expectAccessible(page);
    await button(page, "Switch off Delegation").click();
    await toast(page, "Delegation is off. What it keeps stays.");
    await button(page, "Switch on Delegation").click();
    await toast(page, "Delegation is on.");
    await page.getByRole("link", { name: "Settings Proposals" }).click();
    await page.getByRole("heading", { name: "Proposals", level: 1 }).waitFor();
    await page.getByLabel("Days a vote is open").fill("0");
    await button(page, "Save settings").click();
    await page.getByText("Write 1 or more.").waitFor();
    await expectAccessible(page);
    await page.getByLabel("Days a vote is open").fill("9");
    await button(page, "Save settings").click();
    await toast(page, "The settings of Proposals are saved.");
    expect((await world.packages.call("modules.get", { params: { ...garden, module: "proposals" } })).settings).toMatchObject({
      votingDays: 9,
    });
    await endClean(watched);
  });

  test("somebody else's settings are not overwritten unseen, and what was typed stays", async () => {
    const watched = await world.web.open(world.people.ada, "/c/garden/plugins/modules/proposals");
    const { page } = watched;
    await page.route("**/events/stream*", (route) => route.abort());
    await page.reload();
    await page.getByLabel("Days of discussion").fill("3");
    await world.people.mo.client.call("modules.change", {
      params: { ...garden, module: "proposals" },
      body: { settings: { votingDays: 11 } },
    });
    await button(page, "Save settings").click();
    await page.getByText("Somebody changed these settings while you were editing.").waitFor();
    await page
      .getByRole("alert")
      .getByText(/request\.precondition_failed/)
      .waitFor();
    expect(await page.getByLabel("Days of discussion").inputValue()).toBe("3");
    await button(page, "Show theirs instead").click();
    expect(await page.getByLabel("Days a vote is open").inputValue()).toBe("11");
    expect(watched.faults.filter((fault) => !/status of 4\d\d|ERR_FAILED/.test(fault))).toEqual([]);
    await watched.close();
  });
});

test("events that it could not take are replayed and given up", { timeout: 180_000 }, async () => {
  const { ada } = world.people;
  await world.publisher.install(ada.client, world.upload, "garden", {
    ...everything,
    name: "org.example.told",
    displayName: "Told",
    filters: [],
  });
  const dan = await world.web.person("dan");
  await ada.client.call("communities.addMember", { params: garden, body: { identity: dan.handle } });
  const watched = await world.web.open(ada, pathOf("garden", "org.example.told", "/letters"));
  const { page } = watched;
  await page.getByText("None", { exact: true }).waitFor();
  const row = page.getByRole("row").filter({ hasText: "member.joined" });
  await row.waitFor({ timeout: 120_000 });
  await expectAccessible(page);
  await row.getByRole("button", { name: /^Replay event/ }).click();
  await toast(page, /1 event failed again/);
  await button(page, "Discard all").click();
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Discard all" }).click();
  await page.getByText("None", { exact: true }).waitFor();
  await endClean(watched);
});
