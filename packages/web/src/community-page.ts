/**
 * What is shown below `/c/`: a community's packages, or one extension's pages.
 *
 * Invariant: asked as the identity that this browser keeps and shown from the hub's answer alone; whatever is refused is shown with its code.
 */
import { AppError, isAppError, limits } from "@althing/contract";
import { createPackagesClient, loadBrowserIdentity, type PackagesClient } from "@althing/client";
import type { CommunityRoute } from "./community-route.ts";
import { communityView, refusedView } from "./community-view.ts";
import { h } from "./element.ts";
import { readExtensionPages } from "./extension-frame/index.ts";
import { extensionView } from "./extension-view.ts";

function strangerView(): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-labelledby": "stranger-title" },
    h("h1", { id: "stranger-title" }, "This browser keeps no identity"),
    h("p", { class: "lead" }, "Communities are open to their members. Come in first, then follow the address again."),
    h("p", {}, h("a", { href: "/" }, "Go to the start")),
  );
}

async function listPage(client: PackagesClient, ref: string): Promise<HTMLElement> {
  const params = { community: ref };
  const community = await client.call("communities.get", { params });
  const packages = community.permissions.includes("plugins.read")
    ? (await client.call("packages.list", { params, query: { limit: limits.installsPerCommunityMax } })).packages
    : (await client.call("packages.pages", { params })).extensions;
  document.title = `${community.displayName} – Althing`;
  return communityView(community, packages);
}

async function extensionPage(
  client: PackagesClient,
  ref: string,
  { id, path }: NonNullable<CommunityRoute["extension"]>,
): Promise<HTMLElement> {
  const params = { community: ref };
  const [community, { extensions }] = await Promise.all([
    client.call("communities.get", { params }),
    client.call("packages.pages", { params }),
  ]);
  const found = extensions.find(({ extension }) => extension === id);
  const pages = found === undefined ? undefined : readExtensionPages(found);
  if (pages === undefined) throw await whyNot(client, ref, id);
  document.title = `${pages.name} – ${community.displayName} – Althing`;
  return extensionView({ client, community, pages, path });
}

/** Those who may see packages are told what stops this one. */
async function whyNot(client: PackagesClient, community: string, extension: string): Promise<AppError> {
  const notThere = new AppError("ext.not_found", { extension });
  try {
    const { blocked } = await client.call("packages.get", { params: { community, install: extension } });
    return blocked === undefined
      ? notThere
      : new AppError("install.blocked", { rule: blocked.rule, detail: blocked.text, who: blocked.who });
  } catch {
    return notThere;
  }
}

/** Fills `place`. */
export async function showCommunityPage(place: HTMLElement, { community, extension }: CommunityRoute): Promise<void> {
  try {
    const identity = await loadBrowserIdentity();
    if (identity === undefined) {
      place.replaceChildren(strangerView());
      return;
    }
    const client = createPackagesClient({ identity, urls: [location.origin] });
    place.replaceChildren(await (extension === undefined ? listPage(client, community) : extensionPage(client, community, extension)));
  } catch (error) {
    const back = extension === undefined || (isAppError(error) && error.code.startsWith("community.")) ? undefined : community;
    place.replaceChildren(refusedView("This page cannot be shown", error, back));
  }
}

/** For an address below `/c/` that names nothing. */
export function showNoPage(place: HTMLElement): void {
  place.replaceChildren(refusedView("There is no such page", new Error("The address names no community and no extension.")));
}
