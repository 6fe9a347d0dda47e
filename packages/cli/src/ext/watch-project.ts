/**
 * Tells when files of a project changed, once they are quiet.
 *
 * Invariant: what is written while somebody is busy is told at the next question, so no change is lost; outputs of ours (`dist`, `.althing`, packed
 * bundles) and droppings of editors tell nothing, or a build would start the next one.
 */
import { watch } from "node:fs";
import { sep } from "node:path";

export interface ProjectWatch {
  /** Paths that changed since the last question, waiting for the first; empty when the signal ends it. */
  next(signal: AbortSignal): Promise<readonly string[]>;
  close(): void;
}

const quietMs = 60;
const ours = /^(?:dist|node_modules|\.althing|\.git)(?:\/|$)/;
const droppings = /(?:~|\.sw[a-z]|\.tmp|\.althing|\.sig\.json|(?:^|\/)(?:4913|\.#[^/]*|#[^/]*#))$/;

export function isSource(path: string): boolean {
  return !ours.test(path) && !droppings.test(path);
}

export function watchProject(folder: string): ProjectWatch {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let waiting: (() => void) | undefined;
  const watcher = watch(folder, { recursive: true }, (_event, name) => {
    const path = (name ?? "").split(sep).join("/");
    if (path === "" || !isSource(path)) return;
    changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => waiting?.(), quietMs);
  });
  return {
    async next(signal) {
      const wake = () => waiting?.();
      signal.addEventListener("abort", wake);
      while (changed.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (waiting = resolve));
      signal.removeEventListener("abort", wake);
      waiting = undefined;
      const paths = [...changed].toSorted();
      changed.clear();
      return signal.aborted ? [] : paths;
    },
    close() {
      clearTimeout(timer);
      watcher.close();
    },
  };
}
