/**
 * What a caller may set for the metering pass, and the limits it keeps by itself.
 *
 * Every limit is a named refusal, checked before the memory or time it bounds is spent. The defaults hold for the largest real
 * components known (12 MB JavaScript engines) with room to spare, and stay below the engine's own limits so that a module that
 * passes here cannot be refused later for what the pass added.
 */

/** Limits of the input; one refusal `limit.<name>` each. */
export interface MeterLimits {
  /** Bytes of the original module. */
  readonly maxModuleBytes: number;
  /** Entries of the type index space. */
  readonly maxTypes: number;
  /** Defined functions. */
  readonly maxFunctions: number;
  readonly maxGlobals: number;
  readonly maxExports: number;
  /** Defined tables. */
  readonly maxTables: number;
  /** Bytes of one function body, before and after rewriting. */
  readonly maxFunctionBytes: number;
  /** Parameters and locals of one function; the engine takes 50,000, the pass adds up to three. */
  readonly maxLocals: number;
  /** Blocks inside blocks. */
  readonly maxNesting: number;
  /** Bytes of garbage-collected objects that constant expressions may allocate at instantiation, where no fuel is counted. */
  readonly maxConstantGcBytes: number;
}

export interface MeterOptions {
  /** Ceiling for the maximum of a defined memory, in pages of 64 KiB. */
  readonly maxMemoryPages: number;
  /** Ceiling for the maxima of all defined tables together, in elements. */
  readonly maxTableElements: number;
  readonly limits?: Partial<MeterLimits>;
}

export const defaultMeterLimits: MeterLimits = {
  maxModuleBytes: 64 * 1024 * 1024,
  maxTypes: 200_000,
  maxFunctions: 500_000,
  maxGlobals: 200_000,
  maxExports: 200_000,
  maxTables: 1_000,
  maxFunctionBytes: 7_000_000,
  maxLocals: 49_000,
  maxNesting: 50_000,
  maxConstantGcBytes: 4 * 1024 * 1024,
};
