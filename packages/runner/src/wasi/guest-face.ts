/**
 * What the shims of WASI see of the guest they serve: its budgets, its log, its one way out.
 *
 * Invariant: every import of a guest has cost fuel before a shim runs (the sandbox sees to that), and what a shim does beyond a fixed effort
 * it charges itself, so a guest cannot hold the thread by calling the host. What a shim keeps in memory was charged as lifted bytes.
 */

/** The units of fuel that one call of a shim costs; one call takes about as long as that many units of guest code. */
export const callUnits = 5_000;
/** What a resource costs of the lifted bytes, for the objects behind its handle. */
export const resourceBytes = 256;
/** What a stream passes in one call. */
export const streamChunkBytes = 65_536;

export interface GuestFace {
  /** Takes fuel for work that grows with what the guest asked for. */
  work(units: number): void;
  /** Takes from the budget of lifted bytes. @throws when it is used up */
  charge(bytes: number): void;
  /** Ends the guest. @throws always, what no guest can catch */
  end(rule: "trap" | "result", detail: string): never;
  /** Ends the invocation with what there is of an answer. @throws always, what no guest can catch */
  exit(): never;
  /** `http.fetch` of the host. Rejects with an own `payload` when it is refused. */
  fetch(request: FetchRequest): Promise<unknown>;
  log(level: "info" | "warn", message: string): void;
  /**
   * Suspends the guest until `done` is called. Rejects when the guest is over.
   * @param begin returns what takes the registration back; that is called in every case
   */
  wait(begin: (done: () => void) => () => void): Promise<void>;
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(timer: number): void;
  /** What a response's body may have. */
  readonly resultBytes: number;
}

/** The request of `http.fetch` in extension.wit. */
export interface FetchRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Uint8Array;
}

/** The error case of a WIT function: glue takes an own `payload` for it, and any other error for a trap. */
export class WitError extends Error {
  readonly payload: unknown;

  constructor(payload?: unknown) {
    super("an error case");
    this.payload = payload;
  }
}

/** A resource of the host. Cheap to make and to drop, so what counts is how many were ever made. */
export class HostResource {
  readonly face: GuestFace;

  constructor(face: GuestFace) {
    face.charge(resourceBytes);
    this.face = face;
  }
}

/**
 * A class as glue uses it: called with `new` it makes an instance for this guest, `instanceof` holds for all instances of `type`.
 * Glue constructs without saying for whom.
 */
export function boundClass(
  type: { readonly prototype: object },
  create: (...args: readonly never[]) => object,
  statics: Readonly<Record<string, unknown>> = {},
): unknown {
  const bound = function (...args: readonly never[]): object {
    return create(...args);
  };
  bound.prototype = type.prototype;
  return Object.assign(bound, statics);
}
