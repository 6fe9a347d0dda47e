/**
 * Bounds of the walk over a component, and the counters they are held against.
 *
 * Every bound is checked before the memory or time it bounds is spent. They stand far above what toolchains put out (a QuickJS
 * component: 13 modules, 3 levels, about 2,000 items) and far below what would hurt.
 */
import { refusePreparation } from "./refusal.ts";

/** Bytes of a component. */
export const maxComponentBytes = 64 * 1024 * 1024;
/** Components inside components. */
const maxDepth = 8;
/** Instance types inside instance types. */
const maxTypeDepth = 8;
/** Core modules in the file. */
const maxModules = 200;
/** Everything counted in a vector, over the whole file: names, types, aliases, functions, sections. */
const maxItems = 400_000;
/** Core and component instances that come to be when the component is instantiated, nested ones multiplied out. */
const maxInstances = 500;

/** Counters over one whole file. */
export class WalkBudget {
  #items = 0;
  #modules = 0;

  /** Counts `count` items of a vector before they are read. */
  items(count: number): void {
    this.#items += count;
    if (this.#items > maxItems) refusePreparation("limit.items", `more than ${maxItems} items`);
  }

  module(): void {
    this.#modules++;
    if (this.#modules > maxModules) refusePreparation("limit.modules", `more than ${maxModules} core modules`);
  }

  depth(depth: number): void {
    if (depth > maxDepth) refusePreparation("limit.depth", `components nested deeper than ${maxDepth}`);
  }

  typeDepth(depth: number): void {
    if (depth > maxTypeDepth) refusePreparation("limit.depth", `instance types nested deeper than ${maxTypeDepth}`);
  }

  instances(count: number): void {
    if (count > maxInstances) refusePreparation("limit.instances", `more than ${maxInstances} instances`);
  }
}
