/**
 * The open blocks of the function being scanned.
 *
 * Invariant: `depth` counts open frames, the function's own first; all state is in typed arrays that are used again, so nesting
 * costs a few bytes a level and the limit on it is the only bound needed.
 */
import { refuse } from "./refusal.ts";

export const frameKind = { function: 0, block: 1, loop: 2, if: 3, else: 4, try: 5, catch: 6 } as const;

const initialFrames = 256;

export class ControlStack {
  depth = 0;
  #kind = new Uint8Array(initialFrames);
  #reachable = new Uint8Array(initialFrames);
  #target = new Uint8Array(initialFrames);
  /** Units charged since the last check: at the opening, and the most of all that join at the end. */
  #start = new Float64Array(initialFrames);
  #join = new Float64Array(initialFrames);
  /** Innermost loop at or around the frame (-1 none), its first place, whether its check may leave it. */
  #loop = new Int32Array(initialFrames);
  #mark = new Int32Array(initialFrames);
  #qualifies = new Uint8Array(initialFrames);

  clear(): void {
    this.depth = 0;
  }

  /** @throws {component.refused} limit.nesting */
  push(kind: number, reachable: boolean, unchecked: number, maxNesting: number): void {
    if (this.depth > maxNesting) refuse("limit.nesting", `more than ${maxNesting} blocks inside each other`);
    if (this.depth === this.#kind.length) this.#grow();
    const index = this.depth++;
    this.#kind[index] = kind;
    this.#reachable[index] = reachable ? 1 : 0;
    this.#target[index] = 0;
    this.#start[index] = unchecked;
    this.#join[index] = 0;
    this.#loop[index] = index === 0 ? -1 : (this.#loop[index - 1] as number);
  }

  pop(): void {
    this.depth--;
  }

  /** Makes the top frame, a loop, the innermost one; the loop around it is innermost no more. */
  markLoop(mark: number, qualifies: boolean): void {
    this.disqualifyLoop();
    const index = this.depth - 1;
    this.#loop[index] = index;
    this.#mark[index] = mark;
    this.#qualifies[index] = qualifies ? 1 : 0;
  }

  disqualifyLoop(): void {
    const loop = this.depth === 0 ? -1 : (this.#loop[this.depth - 1] as number);
    if (loop >= 0) this.#qualifies[loop] = 0;
  }

  /** Does a branch of this depth leave the innermost loop, and may that loop still get outer blocks? */
  leavesLoop(depth: number): boolean {
    const loop = this.#loop[this.depth - 1] as number;
    return loop >= 0 && this.#qualifies[loop] === 1 && this.depth - 1 - depth < loop;
  }

  loopQualifies(): boolean {
    return this.#qualifies[this.depth - 1] === 1;
  }

  loopMark(): number {
    return this.#mark[this.depth - 1] as number;
  }

  /** @returns the kind of the frame branched to */
  branchTo(depth: number, unchecked: number): number {
    const index = this.depth - 1 - depth;
    if (index < 0) return refuse("malformed", `a branch to label ${depth} of ${this.depth}`);
    this.#target[index] = 1;
    if ((this.#join[index] as number) < unchecked) this.#join[index] = unchecked;
    return this.#kind[index] as number;
  }

  /** Control reaches the end of the top frame from here too. */
  joinHere(unchecked: number): void {
    this.branchTo(0, unchecked);
  }

  kind(): number {
    return this.#kind[this.depth - 1] as number;
  }

  setKind(kind: number): void {
    this.#kind[this.depth - 1] = kind;
  }

  wasReachable(): boolean {
    return this.#reachable[this.depth - 1] === 1;
  }

  isTarget(): boolean {
    return this.#target[this.depth - 1] === 1;
  }

  uncheckedAtStart(): number {
    return this.#start[this.depth - 1] as number;
  }

  uncheckedAtJoin(): number {
    return this.#join[this.depth - 1] as number;
  }

  #grow(): void {
    const longer = <T extends Uint8Array | Int32Array | Float64Array>(source: T, target: T): T => {
      target.set(source);
      return target;
    };
    const length = this.#kind.length * 2;
    this.#kind = longer(this.#kind, new Uint8Array(length));
    this.#reachable = longer(this.#reachable, new Uint8Array(length));
    this.#target = longer(this.#target, new Uint8Array(length));
    this.#start = longer(this.#start, new Float64Array(length));
    this.#join = longer(this.#join, new Float64Array(length));
    this.#loop = longer(this.#loop, new Int32Array(length));
    this.#mark = longer(this.#mark, new Int32Array(length));
    this.#qualifies = longer(this.#qualifies, new Uint8Array(length));
  }
}
