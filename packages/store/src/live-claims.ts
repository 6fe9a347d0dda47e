/**
 * The claims that have not expired, in memory, by when they end.
 *
 * Invariant: a key that was added is held until its very millisecond. Claims that end about together share a slot, and a slot is dropped
 * whole when its last one has ended: nobody ever walks through all claims, and no map grows for longer than a slot lasts. A look-up asks each slot; nonces,
 * which live a minute, fill six of them.
 */

/** Widths of slots, milliseconds, for claims that end within the given time. */
const widths = [
  { withinMs: 150_000, widthMs: 16_000 },
  { withinMs: 36 * 3_600_000, widthMs: 3_600_000 },
] as const;

interface Slot {
  untilMs: number;
  readonly expiries: Map<string, number>;
}

export interface LiveClaims {
  /** Is the key held at this time? */
  has(key: string, nowMs: number): boolean;
  add(key: string, expiresAtMs: number, nowMs: number): void;
  /** Forgets what has ended. */
  sweep(nowMs: number): void;
  clear(): void;
  readonly size: number;
}

function slotOf(expiresAtMs: number, nowMs: number): string {
  for (const { withinMs, widthMs } of widths) {
    if (expiresAtMs - nowMs <= withinMs) return `${widthMs}/${Math.floor(expiresAtMs / widthMs)}`;
  }
  return "later";
}

export function createLiveClaims(): LiveClaims {
  const slots = new Map<string, Slot>();
  return {
    has(key, nowMs) {
      for (const { expiries } of slots.values()) {
        const expiresAtMs = expiries.get(key);
        if (expiresAtMs !== undefined && expiresAtMs > nowMs) return true;
      }
      return false;
    },
    add(key, expiresAtMs, nowMs) {
      const name = slotOf(expiresAtMs, nowMs);
      let slot = slots.get(name);
      if (slot === undefined) slots.set(name, (slot = { untilMs: 0, expiries: new Map() }));
      if (expiresAtMs > slot.untilMs) slot.untilMs = expiresAtMs;
      slot.expiries.set(key, expiresAtMs);
    },
    sweep(nowMs) {
      for (const [name, { untilMs }] of slots) if (untilMs <= nowMs) slots.delete(name);
    },
    clear: () => slots.clear(),
    get size() {
      let total = 0;
      for (const { expiries } of slots.values()) total += expiries.size;
      return total;
    },
  };
}
