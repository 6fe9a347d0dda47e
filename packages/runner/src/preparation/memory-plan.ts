/**
 * Divides the guest's memory and tables among the core modules of a component.
 *
 * Invariant: the maxima of all memories that can come to be, each counted as often as its module is instantiated, stay within
 * `maxMemoryBytes` together; the same for tables. The metering pass writes these maxima into the modules, so the engine keeps
 * the bound, not a check at run time. Every memory may grow a little (adapters and stubs need some pages); what is left goes to
 * the memory that begins largest, which is the language runtime's.
 */
import { refusePreparation } from "./refusal.ts";

export const pageBytes = 65_536;

/** Elements of all tables of a guest together. */
const maxTableElements = 1_000_000;
/** Pages every memory but the largest may grow by. */
const smallGrowthPages = 16;

/** What a module defines. */
export interface ModuleNeeds {
  /** How often the module is instantiated. */
  readonly instances: number;
  /** Minimum of its memory in pages; `undefined` without one. */
  readonly minimumPages: number | undefined;
  readonly maximumPages: number | undefined;
  /** Sum of the minima of its tables. */
  readonly tableElements: number;
}

/** What the metering pass may let a module have, per instance. */
export interface ModuleGrant {
  readonly maxMemoryPages: number;
  readonly maxTableElements: number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The module whose memory begins largest; -1 when none has a memory. */
function indexOfLargest(modules: readonly ModuleNeeds[]): number {
  let best = -1;
  modules.forEach((module, index) => {
    if (module.minimumPages !== undefined && module.minimumPages > (modules[best]?.minimumPages ?? -1)) best = index;
  });
  return best;
}

function planMemory(modules: readonly ModuleNeeds[], maxMemoryBytes: number): number[] {
  const totalPages = Math.floor(maxMemoryBytes / pageBytes);
  const minima = modules.map((module) => module.minimumPages ?? 0);
  const used = sum(modules.map((module, index) => module.instances * (minima[index] ?? 0)));
  if (used > totalPages) refusePreparation("memory.sum", `the memories begin with ${used} pages together, more than ${totalPages}`);
  let spare = totalPages - used;
  const largest = indexOfLargest(modules);
  const others = modules.filter((module, index) => index !== largest && module.minimumPages !== undefined);
  const growers = sum(others.map((module) => module.instances));
  // Half of what is spare at most: many small memories must not starve the largest.
  const growth = growers === 0 ? 0 : Math.min(smallGrowthPages, Math.floor(spare / 2 / growers));
  const grants = modules.map((module, index) => {
    if (module.minimumPages === undefined) return 0;
    if (index === largest) return module.minimumPages;
    const granted = Math.min(module.minimumPages + growth, Math.max(module.maximumPages ?? Infinity, module.minimumPages));
    spare -= (granted - module.minimumPages) * module.instances;
    return granted;
  });
  const main = modules[largest];
  if (main?.minimumPages !== undefined && main.instances > 0) grants[largest] = main.minimumPages + Math.floor(spare / main.instances);
  return grants;
}

function planTables(modules: readonly ModuleNeeds[]): number[] {
  const used = sum(modules.map((module) => module.instances * module.tableElements));
  if (used > maxTableElements)
    refusePreparation("table.sum", `the tables begin with ${used} elements together, more than ${maxTableElements}`);
  const instances = Math.max(1, sum(modules.map((module) => module.instances)));
  const share = Math.floor((maxTableElements - used) / instances);
  return modules.map((module) => module.tableElements + share);
}

/**
 * @returns a grant for each module, in order
 * @throws {component.refused} `memory.sum`, `table.sum` when what the modules begin with is too much
 */
export function planMemories(modules: readonly ModuleNeeds[], maxMemoryBytes: number): ModuleGrant[] {
  const pages = planMemory(modules, maxMemoryBytes);
  const tables = planTables(modules);
  return modules.map((_module, index) => ({ maxMemoryPages: pages[index] ?? 0, maxTableElements: tables[index] ?? 0 }));
}
