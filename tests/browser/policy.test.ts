/**
 * The plugin policy in a real Chromium: what each rule lets in and keeps out, for an admin of a community and for a moderator whose role holds the right;
 * and that a moderator whose role does not hold it neither sees the controls nor gets around them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { expectAccessible } from "./accessible.ts";
import { everything, greeter, writePackage } from "./plugin-packages.ts";
import { button, endClean, expectWholeRefusal, openPluginWorld, type PluginWorld } from "./plugin-world.ts";
import { phone, type WebPerson } from "./web-world.ts";

let world: PluginWorld;

beforeAll(async () => {
  world = await openPluginWorld();
  // The operator lets communities go as far as taking unsigned packages.
  await world.web.admin.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: { trust: "allow_unsigned" }, locks: [] } });
}, 120_000);
afterAll(() => world?.close());

const group = (page: Page, name: string) => page.getByRole("group", { name, exact: true });
const key = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

async function savePolicy(page: Page): Promise<void> {
  await button(page, "Save the policy").click();
  await page.getByText("The policy is saved. It holds from the next call on.").first().waitFor();
  await page.getByText("Nothing is changed.").waitFor();
}

async function sendFiles(page: Page, community: string, files: { readonly bundle: string; readonly signature?: string }): Promise<void> {
  await page.goto(`${world.web.instance.url}/c/${community}/plugins/install`);
  await page.getByLabel("Package file").setInputFiles(files.bundle);
  if (files.signature !== undefined) await page.getByLabel("Signature file").setInputFiles(files.signature);
  await button(page, "Upload").click();
}

describe.each(["ada", "mo"] as const)("by %s, who holds the right", (who) => {
  let person: WebPerson;
  let community: string;
  beforeAll(async () => {
    person = world.people[who];
    community = await world.found(`garden-${who}`);
  }, 60_000);
  const policyPath = () => `/c/${community}/plugins/policy`;
  const params = () => ({ community });

  test("signed-only policy refuses an unsigned package", { timeout: 120_000 }, async () => {
    await world.web.admin.client.call("policy.put", { params: params(), body: { trust: "allow_unsigned" } });
    const loose = await writePackage(
      world.dir.path,
      await world.publisher.pack({ ...greeter, name: "org.example.loose", displayName: "Loose" }),
    );
    const strict = await writePackage(
      world.dir.path,
      await world.publisher.pack({ ...greeter, name: "org.example.strict", displayName: "Strict" }),
    );
    const watched = await world.web.open(person, `/c/${community}/plugins`);
    const { page } = watched;
    await sendFiles(page, community, { bundle: loose.bundle });
    await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
    await page.getByText("Not signed").first().waitFor();
    await page.getByText("Nobody whom this instance trusts signed it.").waitFor();

    await page.goto(`${world.web.instance.url}${policyPath()}`);
    await group(page, "Whose packages are taken").getByLabel("Signed by somebody this instance trusts").check();
    await savePolicy(page);
    await sendFiles(page, community, { bundle: strict.bundle });
    await expectWholeRefusal(page, /no signature/, /trust\.unsigned/);
    await expectAccessible(page);
    // What came in before is blocked, with the rule and whoever can change it.
    await page.goto(`${world.web.instance.url}/c/${community}/plugins/packages/org.example.loose`);
    await page.getByText("Policy does not let it run").waitFor();
    await page.getByText("Blocked by policy").waitFor();
    // With its signature the same package is taken.
    await sendFiles(page, community, strict);
    await page.getByRole("heading", { name: "Strict", exact: true }).waitFor();
    await endClean(watched);
  });

  test("registry allowlist allows one host and refuses another", { timeout: 120_000 }, async () => {
    const offered = await world.publisher.pack({ ...greeter, name: `org.example.far-${who}`, displayName: "Far" });
    world.registry.offer([offered], world.publisher.key);
    const watched = await world.web.open(person, policyPath());
    const { page } = watched;
    await key(page, "Registries that may be used").getByLabel("Set it here").check();
    await page.getByLabel("Hosts of registries, one a line").fill(world.registry.host);
    await savePolicy(page);
    await page.goto(`${world.web.instance.url}/c/${community}/plugins/install`);
    await page.getByLabel("Another registry, by its address").check();
    await page.getByText(`Hosts on the list now: ${world.registry.host}.`).waitFor();
    await page.getByLabel("Address of the registry’s index").fill("https://packages.example.net/index.json");
    await button(page, "Fetch and check").click();
    await expectWholeRefusal(
      page,
      /packages\.example\.net is not on the registry allowlist/,
      /Who can change it/,
      /policy\.host_not_allowed/,
    );
    expect(await page.getByLabel("Address of the registry’s index").inputValue(), "what was typed stays").toContain("packages.example.net");
    await page.getByLabel("Address of the registry’s index").fill(world.registry.url);
    await button(page, "Fetch and check").click();
    await page.getByRole("heading", { name: "Far", exact: true }).waitFor();
    await page.getByRole("heading", { name: "Decide what it may do" }).waitFor();
    await endClean(watched);
  });

  test("outbound HTTP allowlist allows one host and refuses another", { timeout: 120_000 }, async () => {
    const caller = world.packages;
    await world.publisher.install(world.people.ada.client, world.upload, community, { ...everything, events: [], filters: [] });
    const watched = await world.web.open(person, policyPath());
    const { page } = watched;
    await group(page, "May packages reach other servers").getByLabel("Yes, the hosts below").check();
    await page.getByLabel("Hosts that packages may reach, one a line").fill("a.*.example");
    await button(page, "Save the policy").click();
    await expectWholeRefusal(page, /policy\.pattern_invalid/);
    await key(page, "May packages reach other servers").getByRole("alert").waitFor();
    await page.getByLabel("Hosts that packages may reach, one a line").fill("allowed.example.org");
    await savePolicy(page);
    const reach = (host: string) =>
      caller.endpoint({ community, extension: "org.example.everything", method: "GET", path: `/reach/${host}` });
    for (const host of ["allowed.example.org", "refused.example.net"]) await reach(host);

    await page.goto(`${world.web.instance.url}/c/${community}/plugins/packages/org.example.everything`);
    const withheld = page.getByRole("listitem").filter({ hasText: "Policy does not allow this now" });
    await withheld.filter({ hasText: "refused.example.net" }).waitFor();
    expect(await withheld.filter({ hasText: "allowed.example.org" }).count()).toBe(0);
    await page.getByRole("link", { name: "Log", exact: true }).click();
    const rows = page.getByRole("list", { name: "Log" }).getByRole("listitem").filter({ hasText: "/reach/:host" });
    await rows.nth(1).waitFor();
    for (const row of await rows.locator("summary").all()) await row.click();
    // The one was looked for on the network, and this machine has none; the other was not.
    await page.getByText(/allowed\.example\.org: (?!.*host_not_allowed)/).waitFor();
    await page.getByText(/refused\.example\.net: .*not among the hosts|refused\.example\.net: .*host_not_allowed/).waitFor();
    await endClean(watched);
  });

  test("background jobs on and off", { timeout: 120_000 }, async () => {
    const watched = await world.web.open(person, `/c/${community}/plugins/packages/org.example.everything/jobs`);
    const { page } = watched;
    await page.getByText("Would not run now").waitFor();
    await page.getByText("backgroundJobs").waitFor();
    expect(await button(page, "Run now").isDisabled()).toBe(true);
    await page.goto(`${world.web.instance.url}${policyPath()}`);
    await group(page, "May packages work by themselves").getByLabel("Yes, jobs run on schedule").check();
    await savePolicy(page);
    await page.goto(`${world.web.instance.url}/c/${community}/plugins/packages/org.example.everything/jobs`);
    await page.getByText("every Monday at 09:00 in Asia/Tokyo").waitFor();
    await page.getByText(/9:00 AM in Asia\/Tokyo/).waitFor();
    await button(page, "Run now").click();
    await page.getByRole("row").filter({ hasText: "ticked" }).filter({ hasText: "done" }).waitFor();
    await expectAccessible(page);
    await page.goto(`${world.web.instance.url}${policyPath()}`);
    await group(page, "May packages work by themselves").getByLabel("No, jobs do not run").check();
    await button(page, "Try it out first").click();
    const found = page.getByRole("table", { name: "What this policy would stop" });
    await found.getByRole("row").filter({ hasText: "Job: tick" }).filter({ hasText: "backgroundJobs" }).waitFor();
    expect(await page.getByText("Nothing is changed.").count(), "a try-out saves nothing").toBe(0);
    await savePolicy(page);
    await page.goto(`${world.web.instance.url}/c/${community}/plugins/packages/org.example.everything/jobs`);
    await page.getByText("Would not run now").waitFor();
    await endClean(watched);
  });
});

describe("by max, a moderator whose role does not hold the right", () => {
  beforeAll(async () => {
    await world.found("hill");
    await world.publisher.install(world.people.ada.client, world.upload, "hill", greeter);
  }, 60_000);

  test("the policy can be read and not touched, and nothing can be installed", { timeout: 120_000 }, async () => {
    const { max } = world.people;
    const watched = await world.web.open(max, "/c/hill/plugins/policy");
    const { page } = watched;
    await page.getByText("You can see the policy and not change it.").waitFor();
    for (const name of ["Whose packages are taken", "May packages reach other servers", "May packages work by themselves"]) {
      const choices = group(page, name).getByRole("radio");
      for (const choice of await choices.all()) expect(await choice.isDisabled()).toBe(true);
    }
    expect(await button(page, "Save the policy").count()).toBe(0);
    expect(await button(page, "Try it out first").count()).toBe(0);
    await expectAccessible(page);
    await page.goto(`${world.web.instance.url}/c/hill/plugins`);
    await page.getByRole("link", { name: "Greeter", exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "Install a package" }).count()).toBe(0);
    await page.goto(`${world.web.instance.url}/c/hill/plugins/install`);
    await page.getByText(/These can: /).waitFor();
    await endClean(watched);
  });

  test("the hub refuses each of the four when it is asked past the page", async () => {
    const { client } = world.people.max;
    const params = { community: "hill" };
    const forbidden = expect.objectContaining({ code: "auth.forbidden" });
    for (const body of [
      { trust: "allow_unsigned" as const },
      { registryAllowlist: ["packages.example.net"] },
      { outboundHttp: { enabled: true, allowlist: ["a.example.net"] } },
      { backgroundJobs: true },
    ]) {
      await expect(client.call("policy.put", { params, body })).rejects.toEqual(forbidden);
      await expect(client.call("policy.dryRun", { params, body })).rejects.toEqual(forbidden);
    }
    await expect(
      client.call("packages.installRegistry", { params, body: { url: "https://packages.example.net/index.json" } }),
    ).rejects.toEqual(forbidden);
    await expect(
      client.call("packages.remove", { params: { ...params, install: greeter.name ?? "" }, query: { data: "purge" } }),
    ).rejects.toEqual(forbidden);
  });

  test("a plain member does not even see the way", { timeout: 120_000 }, async () => {
    const watched = await world.web.open(world.people.bob, "/c/hill/plugins/policy");
    const { page } = watched;
    await expectWholeRefusal(page, /auth\.forbidden/);
    expect(await page.getByRole("navigation", { name: "Community" }).getByRole("link", { name: "Plugins" }).count()).toBe(0);
    await endClean(watched);
  });
});

describe("what the instance says above a community", () => {
  beforeAll(() => world.found("valley"), 60_000);

  test("locks and ceilings are seen, and a value above one is refused at its field", { timeout: 120_000 }, async () => {
    const alice = world.web.admin.client;
    await alice.call("policy.put", { params: { community: "valley" }, body: { publicEndpoints: true } });
    await alice.call("instancePolicy.put", {
      body: { defaults: {}, ceilings: { trust: "allow_unsigned", limits: { fuel: 10_000_000 } }, locks: ["publicEndpoints"] },
    });
    const watched = await world.web.open(world.people.ada, "/c/valley/plugins/policy", phone);
    const { page } = watched;
    await key(page, "May packages answer strangers").getByText("Locked by the instance").waitFor();
    await key(page, "May packages answer strangers").getByText("An admin of the instance", { exact: true }).waitFor();
    for (const choice of await group(page, "May packages answer strangers").getByRole("radio").all())
      expect(await choice.isDisabled()).toBe(true);
    await page.getByText("At most 10 million steps.").waitFor();
    const fuel = page.getByLabel("Work of one call");
    await fuel.fill("lots");
    await page.getByText("One value cannot be read. It is marked below.").waitFor();
    expect(await button(page, "Save the policy").isDisabled()).toBe(true);
    await fuel.fill("20");
    await button(page, "Save the policy").click();
    await expectWholeRefusal(page, /policy\.above_ceiling/, /20000000/, /10000000/);
    expect(await fuel.getAttribute("aria-invalid")).toBe("true");
    await expectAccessible(page);
    await fuel.fill("5");
    // What was set before the lock is not sent, so it does not stand in the way.
    await savePolicy(page);
    expect((await alice.call("policy.get", { params: { community: "valley" } })).community).toEqual({ limits: { fuel: 5_000_000 } });
    await endClean(watched);
  });

  test("two people at once: the second is told, sees that it changed, and keeps what was typed", { timeout: 120_000 }, async () => {
    const watched = await world.web.open(world.people.mo, "/c/valley/plugins/policy");
    const { page } = watched;
    // The news comes with the refusal and not before it: as on a slow line.
    await page.route("**/events/stream*", (route) => route.abort());
    await page.reload();
    await group(page, "May packages work by themselves").getByLabel("Yes, jobs run on schedule").check();
    await world.people.ada.client.call("policy.put", { params: { community: "valley" }, body: { limits: { fuel: 4_000_000 } } });
    await button(page, "Save the policy").click();
    await page.getByText("Somebody changed the policy while you were editing.").waitFor();
    expect(await group(page, "May packages work by themselves").getByLabel("Yes, jobs run on schedule").isChecked()).toBe(true);
    await button(page, "Show theirs instead").click();
    expect(await page.getByLabel("Work of one call").inputValue()).toBe("4");
    expect(watched.faults.filter((fault) => !/status of 4\d\d|ERR_FAILED/.test(fault))).toEqual([]);
    await watched.close();
  });
});
