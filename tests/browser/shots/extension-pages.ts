/** Pictures of extensions' own pages: in their frame, slow, refused, switched off, and at an address that none of them has. */
import { createPackagesClient } from "@althing/client";
import { bundleFile } from "@althing/extension/bundle";
import type { Page } from "playwright-core";
import { greeter, newPublisher } from "../plugin-packages.ts";
import type { ShotsOf } from "../take-screenshots.ts";

const alert = (page: Page) => page.getByRole("alert").first().waitFor();
const shown = `<!doctype html><html lang="en"><head><meta charset="utf-8" /><title>Greeter</title><link rel="stylesheet" href="./page.css" /></head><body><main><h1>Whom to greet</h1><p>Everybody who came in this week.</p></main></body></html>`;
const style = "body { font: 16px system-ui, sans-serif; margin: 16px; color-scheme: light dark; }";

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const bob = await world.person("bob");
  const here = await world.community("garden", admin, [{ who: bob }]);
  const publisher = newPublisher();
  const packages = createPackagesClient({ identity: admin.identity, urls: [world.instance.url] });
  const upload: typeof packages.upload = (community, files) => packages.upload(community, files);
  await admin.client.call("trust.add", { body: { pem: publisher.key.publicKeyPem } });
  const ui = {
    entry: "ui/index.html",
    nav: [
      { label: "Start", path: "/start" },
      { label: "Settings", path: "/settings" },
    ],
  };
  const files = [bundleFile("ui/index.html", shown), bundleFile("ui/page.css", style)];
  const { extension } = await publisher.install(admin.client, upload, here, { ...greeter, ui, files });
  const off = await publisher.install(admin.client, upload, here, {
    ...greeter,
    name: "org.example.quiet",
    displayName: "Quiet",
    ui,
    files,
  });
  await admin.client.call("packages.change", { params: { community: here, install: off.id }, body: { active: false } });
  await packages.close();
  const path = `/c/${here}/x/${extension}/start`;
  return [
    { name: "full", who: bob, path, ready: (page) => page.frameLocator("iframe.extension-frame").getByText("Whom to greet").waitFor() },
    {
      name: "slow",
      who: bob,
      path,
      before: async (page) => void (await page.route("**/extension-pages", () => undefined)),
      ready: (page) => page.getByRole("navigation", { name: "Community" }).waitFor(),
    },
    {
      name: "refused",
      who: bob,
      path,
      before: async (page) => void (await page.route("**/extension-pages", (route) => route.fulfill({ status: 503, body: "" }))),
      ready: alert,
    },
    { name: "off", who: bob, path: `/c/${here}/x/org.example.quiet/start`, ready: alert },
    { name: "no-page", who: bob, path: `/c/${here}/x/NotAnId/`, ready: (page) => page.locator("h1").waitFor() },
  ];
};
