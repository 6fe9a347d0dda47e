/**
 * From places in a bundle back to the author's files.
 *
 * Invariant: a place that the map does not know stays as it is; nothing is guessed.
 */
import { SourceMap } from "node:module";
import { isAbsolute, relative, resolve } from "node:path";

/** How the engine names the bundle in stacks. */
const bundleName = /componentize-qjs:user\.js:(\d+):(\d+)/g;

export interface BundleMap {
  /** JSON of the source map; the bundler writes paths in it relative to where it would put the bundle, `base`. */
  readonly json: string;
  readonly base: string;
}

/** `file` as a person in `folder` would write it: relative where it lies below, absolute elsewhere. */
export function shownPath(file: string, folder: string): string {
  const path = relative(folder, file);
  return path === "" || path.startsWith("..") || isAbsolute(path) ? file : path;
}

/**
 * A stack of a guest, with the author's files and lines in place of those of the bundle.
 *
 * @param folder paths below it are shown relative to it
 */
export function explainStack(stack: string, map: BundleMap, folder: string): string {
  const lines = new SourceMap(JSON.parse(map.json) as ConstructorParameters<typeof SourceMap>[0]);
  return stack.replace(bundleName, (whole, line: string, column: string) => {
    const entry = lines.findEntry(Number(line) - 1, Number(column) - 1);
    if (!("originalSource" in entry) || entry.originalSource === "") return whole;
    return `${shownPath(resolve(map.base, entry.originalSource), folder)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
