/**
 * Which files make an extension: the step after the form.
 *
 * Invariant: form and layout are judged apart. The reader says whether an archive is canonical; this says whether it holds what an extension needs and
 * nothing that no part of the platform would look at, because unread files in a signed bundle are a place to hide things.
 */
import { malformedBundle } from "./bundle-rules.ts";
import type { BundleEntry } from "./read-bundle.ts";

export const manifestPath = "manifest.json";
export const componentPath = "extension.wasm";
export const sbomPath = "sbom.json";
export const uiFolder = "ui/";

/** @throws {bundle.malformed} a needed file is missing, or one is none of an extension's */
export function checkBundleLayout(entries: readonly BundleEntry[]): void {
  const paths = new Set(entries.map((entry) => entry.path));
  for (const needed of [manifestPath, componentPath]) {
    if (!paths.has(needed)) throw malformedBundle("missing_file", needed);
  }
  for (const path of paths) {
    const isKnown = path === manifestPath || path === componentPath || path === sbomPath || path.startsWith(uiFolder);
    if (!isKnown) throw malformedBundle("foreign_file", path);
  }
}
