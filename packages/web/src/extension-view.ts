/**
 * The page around an extension's frame: its name, the ways within it, its notices, and what stopped it.
 *
 * Invariant: everything outside the frame is the host's: a notice of the extension is text under the extension's name, an address is one of its own
 * paths, and a refusal is shown in the platform's words with its code, so that a page cannot hide that it asked for more than it may.
 */
import { isAppError, type AppError, type Community } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { communityAddress, extensionAddress, readCommunityRoute } from "./community-route.ts";
import { codeOf } from "./community-view.ts";
import { byId, h } from "./element.ts";
import {
  createHostedFrame,
  createHostTheme,
  mayShow,
  navLinks,
  type ExtensionPages,
  type FrameFault,
  type HostedFrame,
  type NavItem,
  type ToastKind,
} from "./extension-frame/index.ts";

export interface ExtensionViewOptions {
  readonly client: PackagesClient;
  readonly community: Community;
  readonly pages: ExtensionPages;
  /** Plain text. */
  readonly path: string;
}

const toastsMax = 3;
const toastShownMs = 8_000;
const faultTexts: Readonly<Record<FrameFault, string>> = {
  silent: "Its page did not load, or it did not answer in time.",
  gone: "Its page ended, crashed or went somewhere else.",
  flooding: "Its page sent more messages than a page may, so it was stopped.",
};

/** Builds the view and starts the frame; follows the browser's back and forward until the document ends. */
export function extensionView(options: ExtensionViewOptions): HTMLElement {
  const { community, pages } = options;
  const parts = {
    status: h("p", { class: "fine", role: "status" }),
    refusal: h("p", { class: "fault", role: "alert" }),
    stage: h("div", { class: "stage" }),
    toasts: h("div", { class: "toasts", role: "status" }),
    nav: h("nav", { class: "ways", "aria-label": `Pages of ${pages.name}` }),
  };
  const links = navLinks(pages, community.permissions);
  let path = options.path;
  let frame: HostedFrame | undefined;

  const drawNav = () => parts.nav.replaceChildren(...links.map((item) => navLink(options, item, path, go)));
  const move = (next: string) => {
    path = next;
    drawNav();
    parts.refusal.replaceChildren();
    if (frame === undefined) start();
    else frame.show(next);
  };
  function go(next: string): void {
    history.pushState(null, "", extensionAddress(community.name, pages.id, next));
    move(next);
  }
  function start(): void {
    parts.refusal.replaceChildren();
    if (!mayShow(pages, path, community.permissions)) {
      parts.status.textContent = "";
      parts.stage.replaceChildren(stopped(pages.name, "It has no page at this address that you may open."));
      return;
    }
    parts.status.textContent = `${pages.name} is loading…`;
    frame = openFrame(options, path, parts, go, (fault) => {
      frame = undefined;
      parts.status.textContent = "";
      parts.stage.replaceChildren(stopped(pages.name, faultTexts[fault], start));
    });
    parts.stage.replaceChildren(frame.element);
  }

  addEventListener("popstate", () => {
    const next = readCommunityRoute(location.pathname)?.extension?.path ?? "/";
    if (!mayShow(pages, next, community.permissions)) {
      frame?.close();
      frame = undefined;
    }
    move(next);
  });
  drawNav();
  start();
  // The page in the frame has a main part of its own; this one is told from it by its name.
  byId("main").setAttribute("aria-labelledby", "extension-title");
  return h(
    "section",
    { class: "card extension", "aria-labelledby": "extension-title" },
    h("p", { class: "step" }, h("a", { href: communityAddress(community.name) }, community.displayName)),
    h("h1", { id: "extension-title" }, pages.name),
    links.length < 2 ? undefined : parts.nav,
    parts.status,
    parts.refusal,
    parts.stage,
    parts.toasts,
  );
}

function openFrame(
  { client, community, pages }: ExtensionViewOptions,
  path: string,
  { status, refusal, toasts }: Readonly<Record<"status" | "refusal" | "toasts", HTMLElement>>,
  onNavigate: (path: string) => void,
  onFault: (fault: FrameFault) => void,
): HostedFrame {
  return createHostedFrame({
    pages,
    path,
    permissions: community.permissions,
    theme: createHostTheme(),
    send: ({ method, path: encoded, headers, body }, signal) =>
      client.endpoint({
        community: community.id,
        extension: pages.id,
        method,
        path: encoded,
        headers,
        signal,
        ...(body === undefined ? {} : { body }),
      }),
    onReady: () => (status.textContent = ""),
    onNavigate,
    onToast: (text, kind) => showToast(toasts, pages.name, text, kind),
    onRefusal: (error) => refusal.replaceChildren(...refusalParts(pages.name, error)),
    onFault,
  });
}

function refusalParts(name: string, error: AppError): (Node | string)[] {
  return [h("strong", {}, `${name}: a call was refused.`), ` ${error.message} ${isAppError(error) ? error.fix : ""} `, codeOf(error) ?? ""];
}

function navLink(
  { community, pages }: ExtensionViewOptions,
  { label, path }: NavItem,
  current: string,
  go: (path: string) => void,
): HTMLElement {
  const link = h(
    "a",
    { href: extensionAddress(community.name, pages.id, path), "aria-current": path === current ? "page" : undefined },
    label,
  );
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(path);
  });
  return link;
}

/** The boundary: whatever became of the frame, the viewer learns whose it was. */
function stopped(name: string, text: string, again?: () => void): HTMLElement {
  const retry = h("button", { type: "button", class: "quiet" }, "Load it again");
  if (again !== undefined) retry.addEventListener("click", again);
  return h(
    "div",
    { class: "stopped", role: "alert" },
    h("h2", {}, `${name} is not shown`),
    h("p", {}, text),
    again === undefined ? undefined : h("div", { class: "actions" }, retry),
  );
}

function showToast(place: HTMLElement, name: string, text: string, kind: ToastKind): void {
  const dismiss = h("button", { type: "button", class: "quiet" }, "Dismiss");
  const toast = h("div", { class: `toast ${kind}` }, h("p", {}, h("strong", {}, `${name}: `), text), dismiss);
  dismiss.addEventListener("click", () => toast.remove());
  place.append(toast);
  while (place.children.length > toastsMax) place.firstElementChild?.remove();
  setTimeout(() => toast.remove(), toastShownMs);
}
