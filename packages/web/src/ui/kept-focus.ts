/**
 * Where the focus goes when what had it is taken out of the page: to the heading of the nearest part that is still there.
 *
 * Invariant: nobody who works by keyboard or by ear is put back to the top of the document because a row they acted on is gone. What a screen itself focuses
 * comes first, and whoever pointed somewhere else is left there.
 */
const parts = "section, article, aside, dialog, fieldset, form, li, main";
const headings = "h1, h2, h3, legend";

/** An element, and what stood around it, from the inside out. */
export interface Place {
  readonly element: HTMLElement;
  readonly around: readonly Element[];
}

/** Remembers where an element stands, while it does. */
export function placeOf(element: unknown): Place | undefined {
  if (!(element instanceof HTMLElement) || element === document.body) return undefined;
  const around: Element[] = [];
  for (let at = element.parentElement; at !== null; at = at.parentElement) around.push(at);
  return { element, around };
}

const isLost = () => document.activeElement === null || document.activeElement === document.body;

/** A heading can have the focus only as long as it has it, so that it is no stop on anybody's way. @returns whether it took it */
function focusHeading(heading: Element | null): boolean {
  if (!(heading instanceof HTMLElement)) return false;
  if (!heading.hasAttribute("tabindex")) {
    heading.tabIndex = -1;
    heading.addEventListener("blur", () => heading.removeAttribute("tabindex"), { once: true });
  }
  heading.focus({ preventScroll: true });
  return document.activeElement === heading;
}

/** To the element, or where it is gone or cannot take the focus, to the nearest heading around where it stood. */
export function goBackTo(place: Place | undefined): void {
  if (place === undefined) return;
  const { element, around } = place;
  if (element.isConnected) element.focus();
  if (!isLost()) return;
  for (const part of around) if (part.isConnected && part.matches(parts) && focusHeading(part.querySelector(headings))) return;
  if (!focusHeading(document.querySelector("#main h1"))) focusHeading(document.getElementById("main"));
}

/** From now on, for the whole document. */
export function keepFocus(): void {
  let place: Place | undefined;
  document.addEventListener("focusin", ({ target }) => {
    place = placeOf(target);
  });
  document.addEventListener("pointerdown", () => {
    place = undefined;
  });
  const observer = new MutationObserver((records) => {
    const lost = place;
    if (lost === undefined || !isLost()) return;
    if (!records.some(({ removedNodes }) => [...removedNodes].some((node) => node.contains(lost.element)))) return;
    // A dialog that is gone knows what opened it.
    if (lost.element.closest("dialog")?.isConnected === false) return;
    // A screen that comes in its place takes the focus by itself.
    setTimeout(() => {
      if (place === lost && isLost()) goBackTo(lost);
    });
  });
  observer.observe(document.body, { childList: true, subtree: true });
}
