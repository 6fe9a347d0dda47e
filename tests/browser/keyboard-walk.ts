/**
 * Goes through a page by Tab alone, looking for controls by the name that a screen reader would say.
 *
 * Invariant: nothing is clicked and no focus is set: what Tab does not reach is not found.
 */
import type { Page } from "playwright-core";

const tabsMax = 120;
const focusWaitMs = 15_000;
const focusPollMs = 25;

/** Marks of writing direction around names that people gave are nothing that anybody hears. */
const marks = /[\u2066-\u2069]/g;

async function focusedNames(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const active = document.activeElement;
    if (!(active instanceof HTMLElement)) return [];
    const labels =
      active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement || active instanceof HTMLSelectElement
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

/** In place of what is in the field. */
export async function typeInName(page: Page, name: RegExp, text: string): Promise<void> {
  await tabToName(page, name);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
}

/** Waits until the focus is where `name` fits, by itself. */
export async function untilFocused(page: Page, name: RegExp): Promise<void> {
  let names: readonly string[] = [];
  for (const end = Date.now() + focusWaitMs; Date.now() < end; await page.waitForTimeout(focusPollMs)) {
    names = (await focusedNames(page)).map((one) => one.replaceAll(marks, "").trim());
    if (names.some((one) => name.test(one))) return;
  }
  throw new Error(`the focus is not at ${String(name)} but at: ${names.length === 0 ? "nothing" : names.join(" | ").slice(0, 200)}`);
}

/** Waits until the focus is at a refusal that tells its code. */
export async function untilFocusedRefusal(page: Page, code: RegExp): Promise<void> {
  await page.locator("[role=alert]:focus").filter({ hasText: code }).waitFor();
}

/** Every control once, by Tab and back by Shift and Tab: none of them keeps the focus. @returns how many there are */
export async function goRound(page: Page): Promise<number> {
  const at = () =>
    page.evaluate(() => {
      const active = document.activeElement;
      // The document itself is where the browser's own controls come in between, in one direction more than in the other.
      if (active === null || active === document.body) return 0;
      // By the element and not by its place: a page goes on changing.
      const kept: unknown = Reflect.get(globalThis, "tabStops");
      const stops: readonly unknown[] = Array.isArray(kept) ? kept : [null];
      const known = stops.indexOf(active);
      if (known > 0) return known;
      Reflect.set(globalThis, "tabStops", [...stops, active]);
      return stops.length;
    });
  const round = async (key: "Tab" | "Shift+Tab") => {
    // Where it begins may be no stop, as a heading is none.
    await page.keyboard.press(key);
    const seen = [await at()];
    for (let presses = 0; presses < tabsMax; presses += 1) {
      await page.keyboard.press(key);
      const now = await at();
      if (now === seen.at(-1)) throw new Error(`${key} does not lead out of ${(await focusedNames(page)).join(" | ").slice(0, 200)}`);
      if (now === seen[0]) return seen.filter((one) => one > 0).toSorted((a, b) => a - b);
      seen.push(now);
    }
    throw new Error(`${key} does not come round in ${String(tabsMax)} presses`);
  };
  const [there, back] = [await round("Tab"), await round("Shift+Tab")];
  if (there.join() !== back.join()) throw new Error(`by Tab one comes to ${there.join()}, back to ${back.join()}`);
  return there.length;
}
