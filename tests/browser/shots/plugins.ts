/** Pictures of packages, modules and the plugin policy. */
import { createPackagesClient } from "@althing/client";
import type { Page } from "playwright-core";
import { everything, greeter, greeterId, greeterNext, newPublisher } from "../plugin-packages.ts";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const heading = (name: string) => (page: Page) => page.getByRole("heading", { name }).first().waitFor();
const alert = (page: Page) => page.getByRole("alert").first().waitFor();

const hangs = (url: string) => async (page: Page) => {
  await page.route(url, () => undefined);
};
const refuses = (url: string) => async (page: Page) => {
  await page.route(url, (route) => route.fulfill({ status: 503, body: "" }));
};

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const bob = await world.person("bob");
  const here = await world.community("garden", admin, [{ who: bob, roles: ["observer"] }]);
  const quiet = await world.community("quiet", admin);
  const publisher = newPublisher();
  const packages = createPackagesClient({ identity: admin.identity, urls: [world.instance.url] });
  const upload: typeof packages.upload = (community, files) => packages.upload(community, files);
  await admin.client.call("trust.add", { body: { pem: publisher.key.publicKeyPem } });
  await admin.client.call("instancePolicy.put", {
    body: {
      defaults: { backgroundJobs: true },
      ceilings: { outboundHttp: { enabled: true, allowlist: ["*.example.org"] }, limits: { fuel: 100_000_000 } },
      locks: ["publicEndpoints"],
    },
  });
  await admin.client.call("policy.put", {
    params: { community: here },
    body: { outboundHttp: { enabled: true, allowlist: ["allowed.example.org"] }, limits: { timeMs: 1_500 } },
  });
  await publisher.install(admin.client, upload, here, greeter);
  const all = await publisher.install(admin.client, upload, here, everything);
  const poll = { ...greeter, name: "org.example.poll", displayName: "Poll" };
  await publisher.install(admin.client, upload, here, poll);
  await admin.client.call("packages.change", {
    params: { community: here, install: (await admin.client.call("packages.get", { params: { community: here, install: poll.name } })).id },
    body: { active: false },
  });
  for (const wanted of [greeterNext, { ...everything, name: "org.example.fresh", displayName: "Fresh", filters: [] }]) {
    const made = await publisher.pack(wanted);
    await packages.publish({ bundle: new Uint8Array(made.bundle), signature: made.signature });
    await packages.upload(here, { bundle: new Uint8Array(made.bundle), signature: made.signature });
  }
  const other = await publisher.pack({
    ...greeter,
    name: "org.example.other",
    displayName: "Other",
    description: "Offered and not installed.",
  });
  await packages.publish({ bundle: new Uint8Array(other.bundle), signature: other.signature });
  for (const path of ["/greet", "/greet", "/fail", "/reach/allowed.example.org", "/reach/refused.example.net", "/greet"])
    await packages.endpoint({ community: here, extension: all.extension, method: "GET", path }).catch(() => undefined);
  await admin.client.call("jobs.run", { params: { community: here, install: all.id, name: "tick" }, body: {} });

  const base = `/c/${here}/plugins`;
  const of = (extension: string, tab = "") => `${base}/packages/${extension}${tab === "" ? "" : `/${tab}`}`;
  const shot = (name: string, path: string, ready: Shot["ready"], more: Partial<Shot> = {}): Shot => ({
    name,
    who: admin,
    path,
    ready,
    ...more,
  });
  return [
    shot("packages", base, heading("Other")),
    shot("packages-empty", `/c/${quiet}/plugins`, heading("Offered by this instance")),
    shot("packages-slow", base, heading("In this community"), { before: hangs("**/plugin-packages?*") }),
    shot("packages-refused", base, alert, {
      before: refuses("**/plugin-packages?*"),
    }),
    shot("install", `${base}/install`, heading("A file on this device")),
    shot("install-registry", `${base}/install/org.example.other`, (page) => page.getByText("Offered and not installed.").waitFor()),
    shot(
      "install-running",
      `${base}/install/org.example.other`,
      async (page) => {
        await page.getByText("Offered and not installed.").waitFor();
        await page.getByRole("button", { name: "Fetch and check" }).click();
        await page.getByText("What happens now").waitFor();
      },
      { before: hangs("**/install-registry") },
    ),
    shot("install-refused", `${base}/install`, async (page) => {
      await page.getByLabel("Another registry, by its address").check();
      await page.getByLabel("Address of the registry’s index").fill("https://packages.example.net/index.json");
      await page.getByRole("button", { name: "Fetch and check" }).click();
      await alert(page);
    }),
    shot("consent", of("org.example.fresh"), heading("Decide what it may do")),
    shot("consent-choice", of("org.example.fresh"), (page) =>
      page.getByRole("button", { name: "Choose one by one what it may do" }).click(),
    ),
    shot("upgrade", of(greeterId), async (page) => {
      await heading("What else changes")(page);
      await page.getByText("900 ms").first().waitFor();
    }),
    shot("overview", of(all.extension), heading("What it may do")),
    shot("settings", of(all.extension, "settings"), (page) => page.getByLabel("Mode").waitFor()),
    shot("settings-fault", of(all.extension, "settings"), async (page) => {
      await page.getByLabel("At most").fill("12");
      await page.getByRole("button", { name: "Add one to Words" }).click();
      await page.getByLabel("Words 1").fill("x");
      await page.getByRole("button", { name: "Save settings" }).click();
      await page.getByText("2 values do not fit.").waitFor();
    }),
    shot("settings-secret", of(all.extension, "settings"), (page) => page.getByRole("button", { name: "Set API_KEY" }).click()),
    shot("health", of(all.extension, "health"), heading("What failed lately")),
    shot("log", of(all.extension, "log"), (page) => page.getByText("/fail").first().click()),
    shot("usage", of(all.extension, "usage"), (page) => page.locator(".recharts-surface").first().waitFor()),
    shot("jobs", of(all.extension, "jobs"), (page) => page.getByText("ticked").waitFor()),
    shot("letters-empty", of(all.extension, "letters"), (page) => page.getByText("None").waitFor()),
    shot("versions", of(greeterId, "versions"), heading("Versions")),
    shot("remove", of(greeterId, "remove"), async (page) => {
      await page.getByLabel("Remove everything").check();
      await page.getByRole("button", { name: "Remove with all data" }).click();
    }),
    shot("modules", `${base}/modules`, heading("Welcome")),
    shot("module", `${base}/modules/welcome`, (page) => page.getByRole("button", { name: "Add one to Questions" }).click()),
    shot("policy", `${base}/policy`, heading("How much they may use")),
    shot("policy-tried", `${base}/policy`, async (page) => {
      await page.getByRole("group", { name: "May packages work by themselves" }).getByLabel("No, jobs do not run").check();
      await page.getByRole("button", { name: "Try it out first" }).click();
      await heading("What this policy would stop")(page);
    }),
    shot("policy-reader", `${base}/policy`, heading("How much they may use"), { who: bob }),
  ];
};
