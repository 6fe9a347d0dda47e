/** Preparation of components: from uploaded bytes to files a sandbox loads. See docs/architecture/preparation.md. */
export {
  type CachedComponent,
  openPreparationCache,
  type PreparationCache,
  type PreparationCacheOptions,
  type PrepareLimits,
} from "./preparation-cache.ts";
export type { PreparedComponent, PreparedFile } from "./prepared.ts";
export { guardedNames } from "./glue.ts";
export { extensionWorld, type GuestWorld, type GuestWorlds, wasiHttpWorld, worldOf } from "./worlds.ts";
