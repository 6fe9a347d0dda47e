/**
 * So many at a time; the others wait in the order in which they came.
 *
 * Invariant: a slot that is given back goes to who waits longest; giving back twice counts once.
 */
export interface Slots {
  take(): Promise<{ release(): void }>;
}

export function createSlots(max: number): Slots {
  const waiting: (() => void)[] = [];
  let free = max;
  const slot = () => {
    let isOpen = true;
    return {
      release() {
        if (!isOpen) return;
        isOpen = false;
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      },
    };
  };
  return {
    async take() {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      return slot();
    },
  };
}
