/**
 * Takes pictures of every state of the shipped page, light and dark, wide and on a phone, for a person to look at:
 *
 *   node tests/browser/take-screenshots.ts FOLDER
 *
 * A command and no test: what looks well is not decided by a program, and pictures that are compared byte for byte break with every font.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { startInstance } from "@althing/testkit";
import type { BrowserContextOptions } from "playwright-core";
import { openWatchedPage, startChromium } from "./chromium.ts";
import { atHeading, claimWay, enterWithNewIdentity, pressButton, typeInto } from "./page-walk.ts";

const folder = resolve(process.argv[2] ?? "screenshots");
const sizes: Readonly<Record<string, BrowserContextOptions>> = {
  wide: { viewport: { width: 1100, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

await mkdir(folder, { recursive: true });
const browser = await startChromium();
try {
  for (const [size, options] of Object.entries(sizes)) {
    await using instance = await startInstance();
    const { page, close } = await openWatchedPage(browser, options);
    const take = async (name: string) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(folder, `${size}-${name}-${colorScheme}.png`), fullPage: true });
      }
    };
    await page.goto(instance.url);
    await atHeading(page, "This instance is ready");
    await take("0-visitor");
    await pressButton(page, "I have a recovery phrase");
    await typeInto(page, "Recovery phrase, twelve words", "not the words");
    await pressButton(page, "Restore");
    await page.getByRole("alert").filter({ hasText: "phrase" }).waitFor();
    await take("0-restore");
    await page.goto("about:blank");
    await enterWithNewIdentity(page, instance.adminLink ?? "", "alice", claimWay, take);
    await close();
  }
} finally {
  await browser.close();
}
console.log(folder);
