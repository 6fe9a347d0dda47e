/** Face of the bundle format: reading, writing, rules. */
export { checkBundleLayout, componentPath, manifestPath, sbomPath, uiFolder } from "./bundle-layout.ts";
export { bundleRules, defaultBundleLimits, showPath, type BundleLimits, type BundleRule } from "./bundle-rules.ts";
export type { ByteSource } from "./gzip-form.ts";
export {
  isContentHash,
  readBundle,
  readBundleFiles,
  readTar,
  type BundleEntry,
  type BundleSink,
  type BundleSummary,
  type ContentHash,
  type ReadBundleOptions,
  type WantedFiles,
} from "./read-bundle.ts";
export { bundleFile, packBundle, writeBundle, writeTar, type BundleFile } from "./write-bundle.ts";
