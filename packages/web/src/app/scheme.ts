/**
 * Light or dark: what the reader chose, else what the machine prefers.
 *
 * Invariant: the choice is an attribute of the document (`data-scheme`), so that pages, plots and frames of extensions read one truth.
 */
export const schemes = ["system", "light", "dark"] as const;
export type Scheme = (typeof schemes)[number];

const storageKey = "althing-scheme";
const machine = matchMedia("(prefers-color-scheme: dark)");

export function chosenScheme(): Scheme {
  const kept = localStorage.getItem(storageKey);
  return schemes.find((scheme) => scheme === kept) ?? "system";
}

function apply(): void {
  const scheme = chosenScheme();
  document.documentElement.dataset["scheme"] = scheme === "system" ? (machine.matches ? "dark" : "light") : scheme;
}

export function chooseScheme(scheme: Scheme): void {
  localStorage.setItem(storageKey, scheme);
  apply();
}

/** At the start of the page, before anything is drawn. */
export function followScheme(): void {
  apply();
  machine.addEventListener("change", apply);
  // Another tab of this browser chose.
  addEventListener("storage", apply);
}
