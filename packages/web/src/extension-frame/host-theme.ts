/**
 * The host page's look as an extension's page gets it: the scheme and a few colours by name.
 *
 * Invariant: read from the page's own custom properties at the moment they are asked for, so that the style sheet stays the only place of a colour;
 * the names are part of the protocol (docs/architecture/iframe-ui.md) and the properties are not.
 */
export interface Theme {
  readonly scheme: "light" | "dark";
  readonly tokens: Readonly<Record<string, string>>;
}

export interface ThemeSource {
  current(): Theme;
  /** Called at every change; returns what stops it. */
  onChange(listener: () => void): () => void;
}

/** Token of the protocol → custom property of the page. */
const properties = {
  background: "--card",
  ground: "--ground",
  text: "--ink",
  muted: "--soft",
  border: "--line",
  accent: "--accent",
  "on-accent": "--on-accent",
  good: "--good",
  warning: "--note",
  bad: "--bad",
  radius: "--radius",
} as const;

/** Follows the scheme of the page, whoever chose it. */
export function createHostTheme(root: HTMLElement = document.documentElement): ThemeSource {
  return {
    current() {
      const style = getComputedStyle(root);
      const tokens = Object.entries(properties).map(([token, property]) => [token, style.getPropertyValue(property).trim()] as const);
      return {
        scheme: root.dataset["scheme"] === "dark" ? "dark" : "light",
        tokens: Object.fromEntries(tokens.filter(([, value]) => value !== "")),
      };
    },
    onChange(listener) {
      const observer = new MutationObserver(listener);
      observer.observe(root, { attributeFilter: ["data-scheme"] });
      return () => observer.disconnect();
    },
  };
}
