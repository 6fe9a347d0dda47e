/**
 * The region of the function being scanned that is open now, and what is known of the counter at this point of it.
 *
 * Invariants: the local holds the counter, or a call has outdated it (`stale`) and the global holds it (`flushed`); at every
 * branch and label the local holds it. `unchecked` is the most that any path to this point has charged since a check. Both are
 * about functions that keep the counter in a local; the emitter leaves out what the others do not need.
 */
import { uncheckedUnits, uncheckedUnitsAfterCall } from "./costs.ts";
import { type Insertions, place } from "./insertions.ts";

export class Regions {
  /** Units of the open region so far. */
  cost = 0;
  unchecked = 0;
  readonly #places: Insertions;
  #open = 0;
  /** Is there a call in the region? */
  #called = false;
  #stale = false;
  #flushed = false;

  constructor(places: Insertions) {
    this.#places = places;
  }

  /** Opens the region at function entry. */
  begin(at: number, units: number): void {
    this.unchecked = 0;
    this.#called = this.#stale = false;
    this.start(at, place.entry);
    this.cost = units;
  }

  start(at: number, kind: number): void {
    this.#open = this.#places.add(at, kind, 0);
    this.cost = 0;
    this.#flushed = false;
  }

  /** Ends the region before or with the instruction at `at`: fixes its cost and decides whether its start must check. */
  end(at: number): void {
    this.#freshen(at);
    const places = this.#places;
    const kind = places.kind[this.#open] as number;
    const { cost } = this;
    places.value[this.#open] = cost;
    this.cost = 0;
    if (kind === place.entry || kind === place.check) {
      this.unchecked = 0;
    } else {
      this.unchecked += cost;
      if (cost > 0 && this.unchecked > uncheckedUnits) {
        places.kind[this.#open] = kind === place.charge ? place.check : place.reloadCheck;
        this.unchecked = 0;
      }
    }
    if (this.#called) this.#afterCall();
  }

  /** Ends the region where control leaves the function; a wrapped body needs the local at its end. */
  leave(at: number, kind: number, wrapped = false): void {
    if (this.#flushed && !wrapped) this.#stale = false;
    this.end(at);
    this.#flush(at, kind);
  }

  /** A call at `at`; `after` is the next instruction. */
  call(at: number, after: number, split: boolean): void {
    if (split) this.end(at);
    this.#flush(at, place.flush);
    if (split) {
      this.#afterCall();
      this.start(after, place.reload);
    } else {
      this.#called = this.#flushed = this.#stale = true;
    }
  }

  /** Opens the region after a label at which paths join. */
  join(at: number, unchecked: number): void {
    this.#stale = false;
    this.unchecked = unchecked;
    this.start(at, place.charge);
  }

  /** Something at `at` charges and checks by itself. */
  chargeOutside(at: number): void {
    this.#freshen(at);
    this.#flushed = false;
    this.unchecked = 0;
  }

  #freshen(at: number): void {
    if (!this.#stale) return;
    this.#places.add(at, place.reload, 0);
    this.#stale = false;
  }

  #flush(at: number, kind: number): void {
    if (!this.#flushed) this.#places.add(at, kind, 0);
  }

  #afterCall(): void {
    this.#called = false;
    this.unchecked = Math.max(this.unchecked, uncheckedUnits - uncheckedUnitsAfterCall);
  }
}
