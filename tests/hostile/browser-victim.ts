/** The victim in a real Chromium, as the same calls; arguments and results cross as JSON. */
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { openWatchedPage, type WatchedPage } from "../browser/chromium.ts";
import { bundleForBrowser, openTestPage } from "../browser/test-page.ts";
import type { Victim } from "./victim.ts";

export const bundleVictim = () => bundleForBrowser(join(import.meta.dirname, "victim-page.ts"));

export interface BrowserVictim extends Victim {
  readonly watched: WatchedPage;
  /** Ends the page, too. */
  close(): Promise<void>;
}

export async function openBrowserVictim(browser: Browser, origin: string, code: string): Promise<BrowserVictim> {
  const watched = await openWatchedPage(browser);
  await openTestPage(watched.page, origin, code);
  const call = (name: string, values: readonly unknown[]) =>
    watched.page.evaluate(
      ([method, list]) => {
        const victim: unknown = Reflect.get(globalThis, "victim");
        const found: unknown = typeof victim === "object" && victim !== null ? Reflect.get(victim, method) : undefined;
        if (typeof found !== "function") throw new Error(`the page has no ${method}`);
        return found(...list) as unknown;
      },
      [name, values] as const,
    );
  const close = async () => {
    await call("stop", []);
    await watched.close();
  };
  return new Proxy({} as BrowserVictim, {
    get: (_, name) =>
      name === "watched"
        ? watched
        : name === "close"
          ? close
          : name === "then"
            ? undefined
            : (...values: unknown[]) => call(String(name), values),
  });
}
