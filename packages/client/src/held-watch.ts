/**
 * When history is looked into for frames that came too early, and when their wait is over.
 *
 * Invariant: each stream has its own wait, counted from when it began; a wait ends only after a look, and not while nobody answers for history, because what
 * senders lost meanwhile they send again only then. However many streams wait, history is read for all of them together: who sends in disorder cannot have
 * it read for each frame (docs/architecture/client.md, "Receiving").
 */
import { unref } from "./pause.ts";

/** How long a frame that came too early waits for those before it; longer than a sender takes to send one again. */
const gapWaitMs = 2_500;
/** The same where a node may have died with the frame, and the others first elect a leader. */
const electionWaitMs = 15_000;
/** From one look to the next while a frame waits: the first comes at once, unless there was one a moment ago. */
const pausesMs = [500, 1_000, 2_000, gapWaitMs];
/** Whoever waits longer for a page of history found nobody who answered. */
const slowAnswerMs = 1_000;

export interface HeldWatchDeps {
  /** Of the stream that waits longest; absent while none does. */
  readonly heldSinceMs: () => number | undefined;
  /** Has the instance several nodes? */
  readonly isSeveral: () => boolean;
  /** Runs it in its turn, or not at all where nobody listens. */
  readonly enqueue: (look: () => Promise<void>) => void;
  /** Reads history, and gives up what `overSinceMs` then says. */
  readonly look: () => Promise<void>;
}

export interface HeldWatch {
  /** Something may be held. */
  watch(): void;
  /** Somebody listens again: a look that was due meanwhile did not come about. */
  anew(): void;
  /** A page of history came after so long. */
  answered(waitedMs: number): void;
  /** The wait is over for what is held since then or longer. */
  overSinceMs(): number;
  close(): void;
}

export function createHeldWatch({ heldSinceMs, isSeveral, enqueue, look }: HeldWatchDeps): HeldWatch {
  /** From when a look is due until it has ended. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Since something is held. */
  let looks = 0;
  let lookedMs = Number.NEGATIVE_INFINITY;
  /** Since when history answers, after it did not for long. */
  let readableMs = Number.NEGATIVE_INFINITY;
  const heldMaxMs = () => (isSeveral() ? electionWaitMs : gapWaitMs);

  function watch(): void {
    const sinceMs = heldSinceMs();
    if (timer !== undefined || sinceMs === undefined) return;
    const nextMs = lookedMs + (pausesMs[Math.min(looks, pausesMs.length - 1)] ?? gapWaitMs);
    const endMs = Math.max(sinceMs + heldMaxMs(), readableMs + gapWaitMs);
    timer = setTimeout(() => enqueue(run), Math.max(0, Math.min(nextMs, endMs) - performance.now()));
    unref(timer);
  }

  async function run(): Promise<void> {
    if (heldSinceMs() !== undefined) {
      await look();
      looks += 1;
      lookedMs = performance.now();
    }
    if (heldSinceMs() === undefined) looks = 0;
    // Not before: what comes to be held during a look is looked for by it.
    timer = undefined;
    watch();
  }

  return {
    watch,
    anew() {
      clearTimeout(timer);
      timer = undefined;
      looks = 0;
      watch();
    },
    answered(waitedMs) {
      if (waitedMs > slowAnswerMs) readableMs = performance.now();
    },
    overSinceMs() {
      const nowMs = performance.now();
      return nowMs - readableMs < gapWaitMs ? Number.NEGATIVE_INFINITY : nowMs - heldMaxMs();
    },
    close: () => clearTimeout(timer),
  };
}
