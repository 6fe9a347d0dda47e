/**
 * Builds DOM nodes from plain calls.
 *
 * Invariant: text goes in as text nodes only, never as markup, so nothing a server says can become an element; no inline styles or handlers as
 * attributes, which the page's policy forbids.
 */
export type Child = Node | string | undefined;

export interface Attributes {
  readonly [name: string]: string | boolean | undefined;
}

/** `h("p", { class: "note" }, "text")`. Attributes that are false or undefined are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (typeof value === "string") node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** The element of the document with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the document has no #${id}`);
  return found;
}

/** Shows `content` alone and moves the focus to its heading, so that keyboard and screen reader follow. */
export function show(place: HTMLElement, ...content: readonly Node[]): void {
  place.replaceChildren(...content);
  focusHeading(place);
}

export function focusHeading(place: HTMLElement): void {
  const heading = place.querySelector("h1, h2");
  if (heading instanceof HTMLElement) {
    heading.tabIndex = -1;
    heading.focus();
  }
}
