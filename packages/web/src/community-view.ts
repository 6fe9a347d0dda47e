/**
 * A community's packages, as a list: what each is called, whether it runs, and the way to its pages.
 *
 * Invariant: a package that does not run says so here, with the words of whatever stopped it, instead of leading to a page that would not load.
 */
import type { Community, Install } from "@althing/contract";
import { communityAddress, extensionAddress } from "./community-route.ts";
import { h } from "./element.ts";
import { faultText } from "./newcomer-view.ts";

const states: Readonly<Record<Install["state"], string>> = {
  active: "active",
  inactive: "switched off",
  installed: "waits for consent",
  "awaiting-consent": "waits for consent",
  quarantined: "in quarantine",
};

/** Members without `plugins.read` see what runs, and no more. */
type Shown = Pick<Install, "extension" | "displayName" | "version" | "uiUrl"> & Partial<Pick<Install, "state" | "blocked" | "quarantine">>;

export function communityView(community: Community, packages: readonly Shown[]): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-labelledby": "community-title" },
    h("p", { class: "step" }, "Community"),
    h("h1", { id: "community-title" }, community.displayName),
    h("p", { class: "lead" }, packages.length === 0 ? "No packages are installed here yet." : "Packages of this community."),
    packages.length === 0 ? undefined : h("ul", { class: "packages" }, ...packages.map((install) => row(community, install))),
  );
}

function row({ name }: Community, install: Shown): HTMLElement {
  const state = install.state ?? "active";
  const runs = state === "active" && install.blocked === undefined;
  const why = install.blocked?.text ?? install.quarantine?.reason;
  return h(
    "li",
    {},
    h(
      "div",
      {},
      h("p", { class: "what" }, h("strong", {}, install.displayName), " ", h("span", { class: "state" }, install.version)),
      h("p", { class: "why" }, install.blocked === undefined ? states[state] : "blocked", why === undefined ? undefined : `: ${why}`),
    ),
    runs && install.uiUrl !== undefined
      ? h("a", { class: "open", href: extensionAddress(name, install.extension, "/"), "aria-label": `Open ${install.displayName}` }, "Open")
      : undefined,
  );
}

/** For what cannot be shown; the error's own words and code, and a way back. */
export function refusedView(title: string, error: unknown, community?: string): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-labelledby": "refused-title" },
    h("h1", { id: "refused-title" }, title),
    h("p", { class: "fault", role: "alert" }, faultText(error), " ", codeOf(error)),
    h(
      "p",
      {},
      community === undefined
        ? h("a", { href: "/" }, "Back to the start")
        : h("a", { href: communityAddress(community) }, "Back to the community"),
    ),
  );
}

export function codeOf(error: unknown): HTMLElement | undefined {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  return code === undefined ? undefined : h("code", {}, code);
}
