/** What every page must be, whatever its state: nothing for axe to complain of in either scheme, and nothing wider than the screen. */
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { expect } from "vitest";

/** What axe has against the page, in both schemes. */
export async function complaintsOf(page: Page): Promise<readonly string[]> {
  const found: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    // The page hears of it a moment later; half in one scheme and half in the other is not what anybody sees.
    await page.waitForFunction((scheme) => document.documentElement.dataset["scheme"] === scheme, colorScheme);
    // The scheme changes colours and nothing else, so everything else is looked at once.
    const axe = new AxeBuilder({ page });
    const look = () => (colorScheme === "light" ? axe : axe.withRules(["color-contrast"])).analyze();
    let { violations } = await look();
    // It may have looked while the page was being drawn. What is wrong is wrong a moment later, too.
    if (violations.length > 0) {
      await page.waitForTimeout(500);
      ({ violations } = await look());
    }
    for (const { id, nodes } of violations)
      found.push(`${colorScheme}: ${id} at ${nodes.map((node) => `${node.target.join(" ")} (${node.html.slice(0, 120)})`).join(", ")}`);
  }
  return found;
}

export async function expectAccessible(page: Page): Promise<void> {
  expect(await complaintsOf(page)).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow, "nothing is wider than the screen").toBe(0);
}
