/** Face of the registry: publishing and finding packages, signed indexes of static registries, and the shelf that holds bundles. */
export { createBundleShelf, type BundleShelf, type BundleShelfDeps, type OpenBundle } from "./bundle-shelf.ts";
export { createRegistry, type Registry, type RegistryDeps } from "./create-registry.ts";
export type { Preparer } from "./prepare-component.ts";
export {
  registryIndexMaxBytes,
  registryIndexSchema,
  signRegistryIndex,
  verifyRegistryIndex,
  type IndexPin,
  type RegistryIndex,
  type RegistryIndexEntry,
  type RegistryIndexInput,
  type VerifiedIndex,
} from "./registry-index.ts";
export { engineVersion } from "./verify-candidate.ts";
