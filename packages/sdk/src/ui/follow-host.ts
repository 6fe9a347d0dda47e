/**
 * The two habits that nearly every extension page wants: look like the host, and be as tall as its content.
 */
import type { HostConnection } from "./connect-host.ts";
import type { Theme } from "./envelope.ts";

/** Sets `color-scheme` and the host's tokens as `--althing-…` on the page, now and at every change. Returns what stops it. */
export function followTheme(host: HostConnection, root: HTMLElement = document.documentElement): () => void {
  const apply = (theme: Theme) => {
    root.style.colorScheme = theme.scheme;
    root.dataset["theme"] = theme.scheme;
    for (const [name, value] of Object.entries(theme.tokens)) root.style.setProperty(`--althing-${name}`, value);
  };
  apply(host.theme);
  return host.onTheme(apply);
}

/** Asks for the content's height, now and whenever it changes. Returns what stops it. */
export function followHeight(host: HostConnection, content: HTMLElement = document.body): () => void {
  const observer = new ResizeObserver(() => host.resize(content.scrollHeight));
  observer.observe(content);
  return () => observer.disconnect();
}
