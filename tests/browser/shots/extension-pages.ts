/** Pictures of extensions' own pages: in their frame, slow, refused, switched off, and at an address that none of them has. */
import { join } from "node:path";
import { createPackagesClient } from "@althing/client";
import { newPublisherKey } from "@althing/extension/trust";
import { repositoryRoot } from "@althing/testkit";
import type { Page } from "playwright-core";
import { installProject } from "../extension-frame-world.ts";
import type { ShotsOf } from "../take-screenshots.ts";

const alert = (page: Page) => page.getByRole("alert").first().waitFor();
/** A frame of another origin is painted by another process, which hears of its size a moment later. */
async function inFrame(page: Page, text: string): Promise<void> {
  await page.frameLocator("iframe.extension-frame").getByText(text).waitFor();
  await page.waitForTimeout(1_000);
}
const question = "When do we plant the hedge?";

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const bob = await world.person("bob");
  const here = await world.community("garden", admin, [{ who: bob }]);
  const packages = createPackagesClient({ identity: admin.identity, urls: [world.instance.url] });
  const key = newPublisherKey();
  const sample = join(repositoryRoot, "extensions/poll");
  const { extension } = await installProject(packages, here, sample, key);
  const unused = await world.community("empty", admin, [{ who: bob }]);
  await installProject(packages, unused, sample, key);
  const off = await world.community("quiet", admin, [{ who: bob }]);
  const { id } = await installProject(packages, off, sample, key);
  await admin.client.call("packages.change", { params: { community: off, install: id }, body: { active: false } });
  const body = new TextEncoder().encode(JSON.stringify({ question, options: ["In March", "In April", "In autumn"] }));
  await packages.endpoint({ community: here, extension, method: "POST", path: "/polls", body });
  await packages.close();
  const path = `/c/${here}/x/${extension}`;
  return [
    { name: "full", who: bob, path, ready: (page) => inFrame(page, question) },
    { name: "empty", who: bob, path: `/c/${unused}/x/${extension}`, ready: (page) => inFrame(page, "No polls yet.") },
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
    { name: "off", who: bob, path: `/c/${off}/x/${extension}`, ready: alert },
    { name: "no-page", who: bob, path: `/c/${here}/x/NotAnId/`, ready: (page) => page.locator("h1").waitFor() },
  ];
};
