/**
 * Works through the forms of a page as somebody would who presses everything: fills in what can be filled in, presses what can be pressed, in dialogs too.
 *
 * Invariant: nothing about a form is known here but what stands in it, so new forms are worked through without a line; a field keeps its element as long
 * as its form stays, and what was typed is compared element by element.
 */
import type { Page } from "playwright-core";

export interface FoundButton {
  /** Where it stands and what it says: the same button a second time has the same key. */
  readonly key: string;
  readonly name: string;
  readonly isClosing: boolean;
}

export interface TypedText {
  readonly label: string;
  readonly value: string;
}

/** Runs before anything of the page: what the walk does inside of it, by one name, so that each step is one message. */
export function installFormWalk(): void {
  const left = /^(?:Sign out|Forget|Send$|Send a file|Send again|Attach|Move |Remove option)/;
  const closing = /^(?:Close$|Cancel|Dismiss|Back|Keep|Stay|Put back|Not now)/;
  const place = () => document.querySelector("dialog[open]") ?? document.querySelector("main") ?? document.body;
  const isSeen = (element: Element) => element.checkVisibility({ visibilityProperty: true });
  const nameOf = (element: Element) => (element.getAttribute("aria-label") ?? element.textContent).trim();
  const labelOf = (field: Element) =>
    field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement
      ? ([...(field.labels ?? [])][0]?.textContent ?? "")
      : "";
  const set = (field: HTMLInputElement | HTMLTextAreaElement, value: string) => {
    // React listens to the event, and looks whether the element's own setter was used.
    const own = field instanceof HTMLInputElement ? HTMLInputElement.prototype : HTMLTextAreaElement.prototype;
    Object.getOwnPropertyDescriptor(own, "value")?.set?.call(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const textFor = (field: HTMLInputElement | HTMLTextAreaElement): string => {
    const asked = /Type (?:your handle, )?([\w.-]+)/.exec(labelOf(field))?.[1];
    if (asked !== undefined) return asked;
    if (/numeric|decimal/.test(field.inputMode) && field.type === "text") return "2";
    if (field.type === "number") return field instanceof HTMLInputElement && field.min !== "" ? field.min : "2";
    if (field.type === "datetime-local") return "2031-05-06T07:08";
    if (/\bkey\b/i.test(labelOf(field))) return "ab".repeat(32);
    if (field.type === "url") return "https://example.org/index.json";
    return /handle|whom|who /i.test(labelOf(field)) ? "carol" : /name/i.test(labelOf(field)) ? "typed-name" : "typed words";
  };
  let typed: { readonly field: HTMLInputElement | HTMLTextAreaElement; readonly value: string }[] = [];
  const varied = new WeakSet<Element>();
  const repaired = new WeakMap<Element, number>();
  const fields = () =>
    [...place().querySelectorAll("input, textarea")].filter((field) => isSeen(field) && !field.matches(":disabled, [readonly]"));
  const choose = (list: HTMLSelectElement) => {
    varied.add(list);
    const own = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value");
    own?.set?.call(list, list.options[list.options.length - 1]?.value);
    list.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const agree = () => {
    const groups = new Set<string>();
    for (const field of fields()) {
      if (!(field instanceof HTMLInputElement)) continue;
      const isOpen =
        field.type === "radio" && place().querySelector(`input[type=radio][name="${CSS.escape(field.name)}"]:checked`) === null;
      if (isOpen && !groups.has(field.name)) field.click();
      if (field.type === "radio") groups.add(field.name);
      // What has to be agreed to before the act.
      if (field.type === "checkbox" && !field.checked && /understand|accept|sure|agree/i.test(labelOf(field))) field.click();
    }
  };
  const walk = {
    /** Fills in every field of the dialog that is open, else of the page. */
    fill(): void {
      agree();
      for (const field of fields()) {
        const isText =
          field instanceof HTMLTextAreaElement ||
          (field instanceof HTMLInputElement && !/^(?:search|checkbox|radio|file|hidden|color|range)$/.test(field.type));
        // What was left empty because nothing else would do stays so.
        if (isText && field.value === "" && !repaired.has(field)) set(field, textFor(field));
        else if (
          isText &&
          !repaired.has(field) &&
          field.value.length < 2_000 &&
          !field.value.endsWith("typed words") &&
          (field instanceof HTMLTextAreaElement || field.type === "text") &&
          !/name|handle|type /i.test(labelOf(field))
        )
          set(field, `${field.value} typed words`);
      }
    },
    /** Chooses something else somewhere: what is the same cannot be saved. @returns whether there was something left */
    vary(): boolean {
      const choices = [...place().querySelectorAll("input[type=checkbox], input[type=datetime-local], select")].filter(
        (one) => isSeen(one) && !one.matches(":disabled") && !varied.has(one),
      );
      const [choice] = choices;
      if (choice === undefined) return false;
      varied.add(choice);
      if (choice instanceof HTMLInputElement)
        if (choice.type === "checkbox") choice.click();
        else set(choice, textFor(choice));
      if (choice instanceof HTMLSelectElement) choose(choice);
      return true;
    },
    /** Shows what a list of choices leaves out: the last of them in place of the first. @returns whether there was something left */
    turn(): boolean {
      // Another language would be another page.
      const isTurned = (one: Element) => isSeen(one) && !one.matches(":disabled") && !varied.has(one) && !/language/i.test(labelOf(one));
      const choice = [...place().querySelectorAll("select")].find(isTurned);
      if (choice === undefined) return false;
      choose(choice);
      return true;
    },
    /** What the page itself calls wrong is filled in otherwise. @returns whether there was something */
    repair(): boolean {
      const wrong = fields().filter((field) => field.matches("[aria-invalid=true]:not([type=file])"));
      for (const field of wrong) {
        const tries = repaired.get(field) ?? 0;
        repaired.set(field, tries + 1);
        if (field instanceof HTMLInputElement && field.type === "checkbox") field.click();
        else if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)
          set(field, ["2", "1/2", "", "a-word"][tries % 4] ?? "");
      }
      return wrong.length > 0;
    },
    hasDisabled: (): boolean =>
      [...place().querySelectorAll("button:disabled")].some((button) => isSeen(button) && !button.matches("[aria-busy=true]")),
    /** Remembers what is in the fields now. */
    remember(): void {
      typed = fields().flatMap((field) =>
        (field instanceof HTMLTextAreaElement ||
          (field instanceof HTMLInputElement && !/^(?:search|checkbox|radio|file)$/.test(field.type))) &&
        field.value !== ""
          ? [{ field, value: field.value }]
          : [],
      );
    },
    /** What is no longer there of what was remembered. */
    lost(): TypedText[] {
      return typed
        .filter(({ field, value }) => !field.isConnected || field.value !== value)
        .map(({ field, value }) => ({ label: labelOf(field), value }));
    },
    buttons(): FoundButton[] {
      const where = document.querySelector("dialog[open] h2")?.textContent ?? "page";
      return [...place().querySelectorAll("button, summary")]
        .filter((button) => isSeen(button) && !button.matches(":disabled"))
        .map((button) => ({ name: nameOf(button), button }))
        .filter(({ name }) => name !== "" && !left.test(name))
        .map(({ name }) => ({ name, key: `${where}: ${name}`, isClosing: closing.test(name) }));
    },
    press(name: string): void {
      const found = [...place().querySelectorAll("button, summary")].find(
        (button) => isSeen(button) && nameOf(button) === name && !button.matches(":disabled"),
      );
      if (found instanceof HTMLElement) found.click();
    },
    isDialog: (): boolean => document.querySelector("dialog[open]") !== null,
  };
  Reflect.set(globalThis, "formWalk", walk);
}

type Walk = "fill" | "vary" | "turn" | "repair" | "hasDisabled" | "remember" | "lost" | "buttons" | "isDialog";

async function step(page: Page, name: Walk | "press", argument?: string): Promise<unknown> {
  return page.evaluate(
    ([method, value]) => {
      const walk: unknown = Reflect.get(globalThis, "formWalk");
      const found: unknown = typeof walk === "object" && walk !== null ? Reflect.get(walk, method) : undefined;
      return typeof found === "function" ? (found.call(walk, value) as unknown) : undefined;
    },
    [name, argument ?? ""] as const,
  );
}

const isRows = (value: unknown): value is readonly Readonly<Record<string, unknown>>[] => Array.isArray(value);

export const formWalk = {
  fill: (page: Page) => step(page, "fill"),
  repair: async (page: Page) => (await step(page, "repair")) === true,
  hasDisabled: async (page: Page) => (await step(page, "hasDisabled")) === true,
  turn: async (page: Page) => (await step(page, "turn")) === true,
  vary: async (page: Page) => (await step(page, "vary")) === true,
  remember: (page: Page) => step(page, "remember"),
  press: (page: Page, name: string) => step(page, "press", name),
  isDialog: async (page: Page) => (await step(page, "isDialog")) === true,
  async lost(page: Page): Promise<readonly string[]> {
    const rows = await step(page, "lost");
    return isRows(rows) ? rows.map(({ label, value }) => `${String(label)} (“${String(value).slice(0, 40)}”)`) : [];
  },
  async buttons(page: Page): Promise<readonly FoundButton[]> {
    const rows = await step(page, "buttons");
    return isRows(rows)
      ? rows.map(({ key, name, isClosing }) => ({ key: String(key), name: String(name), isClosing: isClosing === true }))
      : [];
  },
};
