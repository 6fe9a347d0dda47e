/**
 * Tasks of a room one after the other, in the order in which they came.
 *
 * Invariant: one runs at a time, and what it awaits is awaited before the next. Those that wait may *begin* meanwhile (a signature on another thread), a
 * bounded number of them and in order; beginning decides nothing, the task does at its turn. A task that comes alone never begins early: the
 * hop to another thread costs time and saves none.
 */
export interface Task {
  run(): Promise<void> | void;
  /** Begins what may be done before its turn; does not throw. */
  begin?(): void;
}

export interface TaskQueue {
  push(task: Task): void;
  /** Drops what waits; the one that runs goes on. */
  clear(): void;
  /** The end of what runs. */
  readonly running: Promise<void> | undefined;
}

/** @param onFailure a task threw: the queue was not cleared, and stops until the next `push` */
export function createTaskQueue(options: { readonly aheadMax: number; readonly onFailure: (error: unknown) => void }): TaskQueue {
  const tasks: Task[] = [];
  let begun = 0;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    // What came in the same turn is there before the first of it runs.
    await undefined;
    try {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
        begun = Math.max(begun - 1, 0);
        for (; begun < tasks.length && begun < options.aheadMax; begun += 1) tasks[begun]?.begin?.();
        const pending = task.run();
        if (pending !== undefined) await pending;
      }
    } catch (error) {
      options.onFailure(error);
    } finally {
      running = undefined;
    }
  }

  return {
    push(task) {
      tasks.push(task);
      running ??= run();
    },
    clear() {
      tasks.length = 0;
      begun = 0;
    },
    get running() {
      return running;
    },
  };
}
