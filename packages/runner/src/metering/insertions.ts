/**
 * What the scan of a function found to insert or to rewrite, in the order of the original bytes.
 *
 * Invariant: offsets never fall. Three parallel typed arrays, used again for every function, because one object for each place
 * costs more than the whole scan. A place is named by its index here and may be given its kind and value later: the cost of a
 * region is known only at its end.
 */
export const place = {
  /** Nothing, after all. */
  nothing: 0,
  /** Function entry: take the counter from the global, charge, check. */
  entry: 1,
  /** Charge a region. */
  charge: 2,
  /** Charge a region and check. */
  check: 3,
  /** After a call: take the counter from the global, charge. */
  reload: 4,
  reloadCheck: 5,
  /** Before control leaves the function: put the counter back into the global. */
  flush: 6,
  /** As `flush`, unless the body is wrapped in a block that does it. */
  flushUnlessWrapped: 7,
  /** Charge by the size on top of the stack, value units for each, and check. */
  bySize: 8,
  /** Keep the operand of a grow instruction. */
  growBefore: 9,
  /** Charge what a grow instruction gave, value units for each, and check. */
  growAfter: 10,
  /** Open the outer blocks of a loop whose check leaves it; value is where its block type starts. */
  loopOpen: 11,
  /** Charge and check at the header of such a loop. */
  loopCheck: 12,
  /** Close them; value is what the header charges. */
  loopClose: 13,
  /** A label index, rewritten to value. */
  label: 14,
} as const;

export class Insertions {
  count = 0;
  at = new Int32Array(1024);
  kind = new Uint8Array(1024);
  value = new Float64Array(1024);

  /** @returns the index of the new place */
  add(at: number, kind: number, value: number): number {
    if (this.count === this.at.length) this.#grow();
    const index = this.count++;
    this.at[index] = at;
    this.kind[index] = kind;
    this.value[index] = value;
    return index;
  }

  #grow(): void {
    const length = this.at.length * 2;
    const at = new Int32Array(length);
    at.set(this.at);
    this.at = at;
    const kind = new Uint8Array(length);
    kind.set(this.kind);
    this.kind = kind;
    const value = new Float64Array(length);
    value.set(this.value);
    this.value = value;
  }
}
