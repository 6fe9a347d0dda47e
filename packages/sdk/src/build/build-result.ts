/**
 * What a build gives back, whichever language it was.
 */
import type { BundleMap } from "./source-positions.ts";

export interface BuildResult {
  readonly component: Uint8Array;
  /** Size of the component. */
  readonly bytes: number;
  readonly timings: {
    /** Bundling, or compiling to a core module. */
    readonly bundleMs: number;
    readonly componentMs: number;
  };
  /** For {@link explainStack}; compilers of core modules have none. */
  readonly map: BundleMap | undefined;
}
