/**
 * What ballots are worth while surpluses are passed on: whole multiples of one unit, so that sums are sums of whole numbers.
 *
 * Invariant: a ballot is worth value / denominator. Before a surplus is passed on, the denominator grows by exactly what makes every share of it whole; only
 * when it would go beyond `denominatorMax` does it stop growing, and shares are cut down to the unit. So counts are exact fractions as long as anybody would
 * read them, and stay small however many seats there are: exact fractions alone would double in length with every seat.
 */
import { gcd } from "./fractions.ts";

/** The unit is never larger than 1 / (half of this). */
export const denominatorMax = 10n ** 18n;

export interface StvValues {
  readonly denominator: () => bigint;
  /** What a ballot of this class is worth, in units. */
  worth(valueClass: number): bigint;
  /**
   * A part of `surplus / total` of some classes: their new classes, by old ones. What was counted before is to be multiplied by `scale`.
   *
   * @param surplus in units, as `total`
   */
  share(
    classes: readonly number[],
    surplus: bigint,
    total: bigint,
  ): { readonly scale: bigint; readonly shared: ReadonlyMap<number, number> };
}

/** @param denominator to begin with */
export function createStvValues(denominator: bigint): StvValues {
  // Class 0: a ballot at its full value.
  let worths = [denominator];
  const worth = (valueClass: number): bigint => worths[valueClass] ?? 0n;
  return {
    denominator: () => denominator,
    worth,
    share(classes, surplus, total) {
      const common = classes.reduce((sum, each) => gcd(sum, worth(each)), 0n);
      const exact = total / gcd(total, surplus * common);
      const scale = denominator * exact <= denominatorMax ? exact : denominator < denominatorMax ? denominatorMax / denominator : 1n;
      denominator *= scale;
      worths = worths.map((value) => value * scale);
      const shared = new Map<number, number>();
      for (const each of classes) {
        shared.set(each, worths.length);
        worths.push((worth(each) * surplus) / total);
      }
      return { scale, shared };
    },
  };
}
