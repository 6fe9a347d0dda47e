/**
 * Goes through a page by Tab alone, looking for controls by the name that a screen reader would say.
 *
 * Invariant: nothing is clicked and no focus is set: what Tab does not reach is not found.
 */
import type { Page } from "playwright-core";

const tabsMax = 120;

/** Marks of writing direction around names that people gave are nothing that anybody hears. */
const marks = /[\u2066-\u2069]/g;

async function focusedNames(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const active = document.activeElement;
    if (!(active instanceof HTMLElement)) return [];
    const labels =
      active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement
        ? [...(active.labels ?? [])].map((label) => label.textContent)
        : [];
    const group = active.closest("fieldset")?.querySelector("legend")?.textContent ?? "";
    const own = [active.getAttribute("aria-label") ?? "", ...labels, active.textContent].filter((name) => name !== "");
    return [...own, ...own.map((name) => `${group}: ${name}`)];
  });
}

/** Moves the focus by Tab to the control that `name` fits. In a group of radio buttons: `legend: label`. */
export async function tabToName(page: Page, name: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let tabs = 0; tabs < tabsMax; tabs += 1) {
    const names = (await focusedNames(page)).map((one) => one.replaceAll(marks, "").trim());
    if (names.some((one) => name.test(one))) return;
    seen.push((names[0] ?? "").slice(0, 40));
    await page.keyboard.press("Tab");
  }
  throw new Error(`${String(name)} cannot be reached by Tab; what was: ${seen.join(" | ")}`);
}

export async function pressName(page: Page, name: RegExp): Promise<void> {
  await tabToName(page, name);
  await page.keyboard.press("Enter");
}
