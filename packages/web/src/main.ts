/**
 * The page at `/`: the posture, the way in, and who you are. Below `/c/` it shows communities instead.
 *
 * Invariant: a token comes in the fragment, which browsers do not send, and is taken out of the address before anything else happens, so that it
 * stays out of histories, screenshots and server logs. Works under a policy without inline code.
 */
import { tokenSchema } from "@althing/contract";
import { createClient, fetchHealth, loadBrowserIdentity, openMemoryState, type Identity } from "@althing/client";
import { showCommunityPage, showNoPage } from "./community-page.ts";
import { readCommunityRoute } from "./community-route.ts";
import { byId, focusHeading, h, show } from "./element.ts";
import { identityView } from "./identity-view.ts";
import { faultText, runNewcomer, runRestore, type Newcomer } from "./newcomer-view.ts";
import { postureView, unreachableView } from "./posture-view.ts";

/** `#claim=<token>`, `#join=<token>`, and `/claim#token=<token>`. */
function takeNewcomer(): Newcomer | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== "") history.replaceState(null, "", "/");
  for (const [name, kind] of [
    ["claim", "claim"],
    ["token", "claim"],
    ["join", "join"],
  ] as const) {
    const token = tokenSchema.safeParse(fragment.get(name));
    if (token.success) return { kind, token: token.data };
  }
  return undefined;
}

async function showPosture(): Promise<void> {
  const place = byId("posture");
  try {
    place.replaceChildren(postureView(await fetchHealth(location.origin)));
  } catch (error) {
    place.replaceChildren(unreachableView(faultText(error)));
  }
}

async function showWho(place: HTMLElement, identity: Identity): Promise<void> {
  const client = createClient({ identity, urls: [location.origin], state: openMemoryState() });
  try {
    place.replaceChildren(identityView(await client.me(), false));
  } catch (error) {
    place.replaceChildren(
      h(
        "section",
        { class: "card" },
        h("h1", {}, "This browser keeps an identity"),
        h("p", { class: "lead" }, faultText(error)),
        h("p", { class: "fine" }, "Endpoint id ", h("code", {}, identity.endpoint)),
      ),
    );
  } finally {
    await client.close();
  }
}

async function enter(): Promise<void> {
  const place = byId("entry");
  const newcomer = takeNewcomer();
  if (newcomer !== undefined) {
    const { user } = await runNewcomer(place, newcomer);
    show(place, identityView(user, true));
    await showPosture();
    return;
  }
  const kept = await loadBrowserIdentity();
  await showWho(place, kept ?? (await runRestore(place)));
  // Whoever just typed the words is led on; a page that only loads leaves the focus where it is.
  if (kept === undefined) focusHeading(place);
}

async function showCommunities(): Promise<void> {
  const route = readCommunityRoute(location.pathname);
  if (route === undefined) showNoPage(byId("entry"));
  else await showCommunityPage(byId("entry"), route);
}

byId("place").textContent = location.host;
if (location.pathname.startsWith("/c/")) await showCommunities();
else {
  addEventListener("hashchange", () => location.reload());
  await Promise.all([showPosture(), enter()]);
}
