/**
 * Values that are there at once on Node and later in a browser.
 *
 * Invariant: a chain over values that are there runs synchronously. node:crypto answers in microseconds and would lose a third of its speed to
 * promise ticks, WebCrypto answers only through promises; one source serves both, and callers `await` either.
 */

/** There at once on Node, a promise in a browser; `await` takes both. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with `value`: at once when it is there, else when it arrives. */
export function chain<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
