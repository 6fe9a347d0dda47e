/**
 * Walks through the shipped page as somebody without a mouse: Tab, Enter and typing, nothing else.
 *
 * Invariant: a step that cannot be reached by Tab fails here, so a walk that arrives is the proof that the page works by keyboard alone.
 */
import type { Page } from "playwright-core";

/** Called at each state of the page; tests look at it, screenshots are taken of it. */
export type OnStep = (name: string) => Promise<void>;

const tabsMax = 40;

/** Moves the focus by Tab to the control with this text or label. */
export async function tabTo(page: Page, text: string): Promise<void> {
  // Somebody begins when there is something to see; before that Tab leads nowhere.
  await page.locator("h1").first().waitFor();
  for (let tabs = 0; tabs < tabsMax; tabs += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const active = document.activeElement;
      const labels =
        active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement
          ? [...(active.labels ?? [])].map((label) => label.textContent)
          : [];
      return [active?.textContent ?? "", ...labels];
    });
    if (focused.includes(text)) return;
  }
  throw new Error(`"${text}" cannot be reached by Tab`);
}

export async function pressButton(page: Page, text: string): Promise<void> {
  await tabTo(page, text);
  await page.keyboard.press("Enter");
}

export async function typeInto(page: Page, label: string, text: string): Promise<void> {
  await tabTo(page, label);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
}

/** Waits for the heading of a step. */
export async function atHeading(page: Page, text: string): Promise<void> {
  await page.getByRole("heading", { name: text, exact: true }).waitFor();
}

/** The words as shown, in order. */
export async function wordsShown(page: Page): Promise<string[]> {
  return page.getByRole("list", { name: "Recovery phrase" }).getByRole("listitem").allTextContents();
}

/** Answers the three questions about the words. */
export async function answerWords(page: Page, words: readonly string[]): Promise<void> {
  for (const label of await page.locator("form label").allTextContents())
    await typeInto(page, label, words[Number(/\d+/.exec(label)?.[0]) - 1] ?? "");
  await page.keyboard.press("Enter");
}

export interface Way {
  readonly title: string;
  readonly submit: string;
}

export const claimWay: Way = { title: "Claim this instance", submit: "Become admin" };
export const joinWay: Way = { title: "You are invited", submit: "Join" };

/** From the link to the welcome, with a new identity. @returns its recovery phrase */
export async function enterWithNewIdentity(
  page: Page,
  link: string,
  handle: string,
  way: Way,
  onStep: OnStep = async () => undefined,
): Promise<string> {
  await page.goto(link);
  await atHeading(page, way.title);
  await onStep("1-start");
  await pressButton(page, "Create my identity");
  await atHeading(page, "Write down these twelve words");
  const words = await wordsShown(page);
  await onStep("2-words");
  await pressButton(page, "I have written them down");
  await atHeading(page, "Check what you wrote");
  await onStep("3-check");
  await answerWords(page, words);
  await atHeading(page, "Choose a handle");
  await onStep("4-handle");
  await typeInto(page, "Your handle", handle);
  await pressButton(page, way.submit);
  await atHeading(page, `Welcome, ${handle}`);
  await onStep("5-welcome");
  return words.join(" ");
}
