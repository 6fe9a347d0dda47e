/**
 * Fans committed changes out to the watchers of one store.
 *
 * Invariant: a watcher sees every change from its start on, once, in order of revision, or ends with `store.unavailable`: its
 * backlog is bounded, and a gap is never silent. It starts when `add` is called, not when it is first awaited, so that
 * "watch, then list" misses nothing. Who follows several collections sees them in one order, and marks between the changes that say how far
 * they are complete.
 */
import { AppError } from "@althing/contract";
import type { RawChange } from "./store-engine.ts";

interface Watcher {
  readonly prefixes: readonly string[];
  /** Wants to know how far the changes are complete. */
  readonly marks: boolean;
  /** Changes up to this revision were acknowledged before the watcher began. */
  readonly after: number;
  readonly backlog: RawChange[];
  ended: Error | "quietly" | undefined;
  wake: (() => void) | undefined;
}

/** The key of a mark: everything up to its revision has come. No record has it. */
export const markKey = "";

export interface Watchers {
  /** @param marks changes with `markKey` come between the others */
  add(prefixes: readonly string[], after: number, signal: AbortSignal, marks?: boolean): AsyncIterableIterator<RawChange>;
  push(change: RawChange): void;
  /** Everything up to this revision was pushed. */
  reached(revision: number): void;
  /** Ends all; with an error they throw it. */
  end(error?: Error): void;
  readonly size: number;
}

export function createWatchers(backlogMax: number): Watchers {
  const watchers = new Set<Watcher>();

  const stop = (watcher: Watcher, how: Error | "quietly") => {
    watchers.delete(watcher);
    watcher.ended ??= how;
    watcher.wake?.();
  };

  async function take(watcher: Watcher): Promise<IteratorResult<RawChange, undefined>> {
    for (;;) {
      if (watcher.ended === "quietly") return { done: true, value: undefined };
      const change = watcher.backlog.shift();
      if (change !== undefined) return { done: false, value: change };
      if (watcher.ended !== undefined) {
        const error = watcher.ended;
        watcher.ended = "quietly";
        throw error;
      }
      await new Promise<void>((resolve) => (watcher.wake = resolve));
      watcher.wake = undefined;
    }
  }

  return {
    add(prefixes, after, signal, marks = false) {
      const ended = signal.aborted ? "quietly" : undefined;
      const watcher: Watcher = { prefixes, marks, after, backlog: [], ended, wake: undefined };
      const onAbort = () => stop(watcher, "quietly");
      const leave = () => signal.removeEventListener("abort", onAbort);
      if (!signal.aborted) {
        watchers.add(watcher);
        signal.addEventListener("abort", onAbort, { once: true });
      }
      return {
        async next() {
          try {
            const result = await take(watcher);
            if (result.done) leave();
            return result;
          } catch (error) {
            leave();
            throw error;
          }
        },
        return() {
          leave();
          stop(watcher, "quietly");
          return Promise.resolve({ done: true, value: undefined });
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    push(change) {
      for (const watcher of watchers) {
        if (change.revision <= watcher.after || !watcher.prefixes.some((prefix) => change.fullKey.startsWith(prefix))) continue;
        if (watcher.backlog.length >= backlogMax) {
          stop(watcher, new AppError("store.unavailable", { detail: `a watcher fell ${backlogMax} changes behind; list and watch again` }));
          continue;
        }
        watcher.backlog.push(change);
        watcher.wake?.();
      }
    },
    reached(revision) {
      for (const watcher of watchers) {
        if (!watcher.marks) continue;
        // A mark that nobody took yet is passed by this one.
        if (watcher.backlog.at(-1)?.fullKey === markKey) watcher.backlog.pop();
        watcher.backlog.push({ fullKey: markKey, revision });
        watcher.wake?.();
      }
    },
    end(error) {
      for (const watcher of [...watchers]) stop(watcher, error ?? "quietly");
    },
    get size() {
      return watchers.size;
    },
  };
}
