/**
 * What a request under an Idempotency-Key has committed, noted in the very batch that commits it.
 *
 * Invariant: while such a request runs, the first batch that it writes also marks its record, held to the revision at which it was claimed. So the mark
 * is there exactly when the act is, whenever the process dies; and a request whose claim somebody else took over commits nothing any more. The scope follows the
 * request's own calls (AsyncLocalStorage), so no route and no area can forget it; what a request merely causes (an extension that is asked) runs
 * outside of it. See docs/architecture/hub.md, "Idempotency".
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Collection, Store, Write } from "@althing/store";

/** One running request. */
export interface Outcome {
  run<R>(act: () => Promise<R>): Promise<R>;
  /** Was anything of it committed, under its mark? */
  readonly isMarked: boolean;
}

interface Running {
  readonly toMark: (noted: string | undefined) => Write;
  isOver: boolean;
  isMarked: boolean;
  noted: string | undefined;
  /** Batches of one request that are written side by side: the first alone carries the mark. */
  marking: Promise<unknown>;
}

/** What was decided can be as large as an answer; what is larger is found by reading. */
const notedMaxChars = 128 * 1024;
/** As the store takes; one such batch alone could not take the mark. */
const batchWritesMax = 1_000;

const scope = new AsyncLocalStorage<Running | undefined>();

/** @param toMark the write that marks the request's record; `noted` is JSON of what was decided */
export function createOutcome(toMark: (noted: string | undefined) => Write): Outcome {
  const running: Running = { toMark, isOver: false, isMarked: false, noted: undefined, marking: Promise.resolve() };
  return {
    get isMarked() {
      return running.isMarked;
    },
    async run(act) {
      try {
        return await scope.run(running, act);
      } finally {
        // What it left running in the background is not the request's.
        running.isOver = true;
      }
    },
  };
}

/** Work that a request causes and that is not its act. */
export function outsideOutcome<R>(work: () => R): R {
  return scope.run(undefined, work);
}

function unmarkedInScope(): Running | undefined {
  const running = scope.getStore();
  return running === undefined || running.isOver || running.isMarked ? undefined : running;
}

/** What the request is answered with, or finds it: told before the batch that makes it so. */
export function noteDecided(decided: unknown): void {
  const running = unmarkedInScope();
  if (running === undefined) return;
  const text: string | undefined = JSON.stringify(decided);
  running.noted = text === undefined || text.length > notedMaxChars ? undefined : text;
}

/** What was noted by the request that runs, once it is committed. */
export function notedInScope(): string | undefined {
  const running = scope.getStore();
  return running?.isMarked === true ? running.noted : undefined;
}

async function batchMarked(store: Store, running: Running, writes: readonly Write[], requestId: string | undefined): Promise<number> {
  const before = running.marking;
  let ended = (): void => undefined;
  running.marking = new Promise<void>((resolve) => {
    ended = resolve;
  });
  try {
    await before;
    if (running.isOver || running.isMarked || writes.length >= batchWritesMax - 1) return await store.batch(writes, requestId);
    // First, because a batch's revision is its last write's, and that is the caller's own.
    const revision = await store.batch([running.toMark(running.noted), ...writes], requestId);
    running.isMarked = true;
    return revision;
  } finally {
    ended();
  }
}

/** The store as everything behind the routes has it. */
export function outcomeStore(store: Store): Store {
  const one = (found: Running, write: Write) => batchMarked(store, found, [write], undefined);

  function marking<T>(inner: Collection<T>): Collection<T> {
    return {
      ...inner,
      create(key, value) {
        const found = unmarkedInScope();
        return found === undefined ? inner.create(key, value) : one(found, inner.toPut(key, value, 0));
      },
      put(key, value, expect) {
        const found = unmarkedInScope();
        return found === undefined ? inner.put(key, value, expect) : one(found, inner.toPut(key, value, expect));
      },
      async delete(key, expect) {
        const found = unmarkedInScope();
        await (found === undefined ? inner.delete(key, expect) : one(found, inner.toDelete(key, expect)));
      },
    };
  }

  return {
    ...store,
    collection: (def) => marking(store.collection(def)),
    batch(writes, requestId) {
      const found = unmarkedInScope();
      return found === undefined ? store.batch(writes, requestId) : batchMarked(store, found, writes, requestId);
    },
  };
}
