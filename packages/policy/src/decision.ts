/**
 * The form of every answer of this package.
 *
 * Invariant: a refusal says why and who can change it; nothing here throws, reads a store or knows the time.
 */
export interface Decision {
  readonly allowed: boolean;
  /** Why, in words fit for the person who asked. */
  readonly reason: string;
  /** Who can grant it; also set when it is allowed. */
  readonly who: string;
}
