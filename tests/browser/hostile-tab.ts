/**
 * A tab that is lied to, and what must hold in it whatever it was told.
 *
 * Invariant: "nothing was executed" is looked for in four ways: a variable that only a payload sets, elements that only a payload has, the policy's own
 * reports, dialogs. "It is explained" means words in the page and nothing that still loads.
 */
import type { BrowserContext, Page } from "playwright-core";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
import { intercept, type Interception, type Poisoner } from "./hostile-answers.ts";
import { keepIdentity, phone, type WebPerson, type WebWorld } from "./web-world.ts";

export interface Sight {
  /** Nothing here may be anything but none. */
  readonly attacks: readonly string[];
  /** Visible text of the main part. */
  readonly words: string;
  readonly isLoading: boolean;
  readonly refusals: number;
}

export interface HostileTab {
  readonly page: Page;
  readonly hub: Interception;
  /** Policy, errors, warnings, dialogs since the last time, but for requests that were refused on purpose. */
  newFaults(): readonly string[];
  /** Opens an address anew. */
  load(address: string): Promise<void>;
  /** Goes there inside of the application. */
  go(address: string): Promise<void>;
  /** Until every request was answered and nothing loads any more, or `withinMs` have passed. */
  settle(withinMs?: number): Promise<Sight>;
  look(): Promise<Sight>;
  /** Presses every "Try again". @returns whether there was one */
  tryAgain(): Promise<boolean>;
}

/** The profile all tabs of a suite share: a phone in which `who` is at home. */
export async function openProfile(world: WebWorld, who: WebPerson): Promise<WatchedPage> {
  const first = await openWatchedPage(world.browser, phone);
  await keepIdentity(first, world.instance.url, who.phrase);
  return first;
}

function look(page: Page): Promise<Sight> {
  return page.evaluate((): Sight => {
    const main = document.querySelector("dialog[open]") ?? document.querySelector("main") ?? document.body;
    const found = (what: string, selector: string): string[] =>
      [...document.querySelectorAll(selector)].map((element) => `${what}: ${element.outerHTML.slice(0, 160)}`);
    const handlers = [...document.querySelectorAll("*")].flatMap((element) =>
      [...element.attributes].filter(({ name }) => name.startsWith("on")).map(({ name }) => `${element.tagName} has ${name}`),
    );
    const { scrollWidth, clientWidth } = document.documentElement;
    /** What is wider within than it is itself, shows that, and holds nothing of the kind. */
    const widest = (): string => {
      const over = [...document.querySelectorAll("body *")].filter(
        (element) =>
          element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && getComputedStyle(element).overflowX === "visible",
      );
      const leaves = over.filter((element) => !over.some((other) => other !== element && element.contains(other)));
      const said = leaves.map((element) => `${element.tagName} ${element.className} in ${element.parentElement?.className ?? ""}`);
      return said.slice(0, 4).join(" | ");
    };
    const canaries = [globalThis, Object.prototype].filter((one) => Reflect.has(one, "canary"));
    const links = [...document.querySelectorAll("a[href], area[href], form[action], iframe[src]")].flatMap((element) => {
      const target = element.getAttribute("href") ?? element.getAttribute("action") ?? element.getAttribute("src") ?? "";
      return /^\s*(?:javascript|vbscript|data):/i.test(target) ? [`link to ${target.slice(0, 80)}`] : [];
    });
    return {
      attacks: [
        ...canaries.map(() => "something was executed"),
        ...found("injected", "[data-injected], script:not([src]), style, object, embed, base, meta[http-equiv=refresh]"),
        ...found("frame", "iframe:not(.extension-frame)"),
        ...found("picture", "img"),
        ...handlers,
        ...links,
        ...(scrollWidth > clientWidth ? [`wider than the screen by ${scrollWidth - clientWidth}: ${widest()}`] : []),
      ],
      words: main instanceof HTMLElement ? main.innerText : "",
      isLoading: [...main.querySelectorAll("[role=status], [aria-busy=true]")].some(
        (element) => element.matches("[aria-busy=true]") || /^(?:Loading|Working)…$/.test(element.textContent.trim()),
      ),
      refusals: document.querySelectorAll("main [role=alert], dialog[open] [role=alert]").length,
    };
  });
}

const stepMs = 25;

export async function openTab(world: WebWorld, context: BrowserContext, breakingUrl: string, poisoner?: Poisoner): Promise<HostileTab> {
  const { page, faults } = await openWatchedPage(world.browser, {}, context);
  const dialogs: string[] = [];
  let heard = 0;
  page.on("dialog", (dialog) => {
    dialogs.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const hub = await intercept(page, breakingUrl, poisoner);
  const sight = () => look(page);
  return {
    page,
    hub,
    newFaults() {
      const all = [...dialogs.splice(0), ...faults.slice(heard)];
      heard = faults.length;
      return all.filter((fault) => !/Failed to load resource|frame-ancestors/.test(fault)).map((fault) => fault.slice(0, 200));
    },
    load: async (address) => void (await page.goto(`${world.instance.url}${address}`, { waitUntil: "commit" })),
    go: (address) =>
      page.evaluate((to) => {
        history.pushState({}, "", to);
      }, address),
    look: sight,
    tryAgain: () =>
      page.evaluate(() => {
        const again = [...document.querySelectorAll("main [role=alert] button")].filter(({ textContent }) => textContent === "Try again");
        for (const button of again) if (button instanceof HTMLElement) button.click();
        return again.length > 0;
      }),
    async settle(withinMs = 15_000) {
      const end = performance.now() + withinMs;
      let seen = await sight();
      for (let quiet = 0; quiet < 3 && performance.now() < end;) {
        await page.waitForTimeout(stepMs);
        seen = await sight();
        quiet = hub.pending === 0 && !seen.isLoading && seen.words.trim() !== "" ? quiet + 1 : 0;
      }
      return seen;
    },
  };
}
