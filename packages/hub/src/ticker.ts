/**
 * Calls something again and again: what keeps the time of a community plane.
 *
 * Invariant: a call begins only when the one before has ended and `mayRun` says so; after `stop` resolved nothing runs and nothing will.
 */
/** Between two ticks of a hub: what is due is begun within a second, the time of a tick included. */
export const tickIntervalMs = 500;

export interface Ticker {
  stop(): Promise<void>;
}

export interface TickerOptions {
  /** From the end of one call to the next. */
  readonly intervalMs: number;
  readonly mayRun: () => boolean;
  readonly work: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

export function startTicker({ intervalMs, mayRun, work, onFailure }: TickerOptions): Ticker {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;

  async function once(): Promise<void> {
    try {
      if (mayRun()) await work();
    } catch (error) {
      onFailure(error);
    }
    if (!isStopped) wait();
  }
  function wait(): void {
    timer = setTimeout(() => {
      running = once();
    }, intervalMs);
  }
  wait();
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Resolves when the work has, and after `waitMs` in any case. */
export async function within(waitMs: number, work: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, waitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
