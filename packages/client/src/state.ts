/**
 * What a client remembers between runs: pins and, for each room, the highest epoch, cursors and counters.
 *
 * Invariant: values only ever grow (a later epoch, a higher counter, one more pin), so that two processes with one identity may merge in any
 * order; `update` is a read-merge-write that nobody interrupts. `append` is the cheap path taken for every delivered message: it survives
 * the death of the process, and costs no fsync (docs/architecture/client.md, "State").
 */

/** Names: `pins`, `room/<id>`. Values are JSON. */
export interface ClientState {
  load(name: string): Promise<unknown>;
  save(name: string, value: unknown): Promise<void>;
  /** What was appended since the last `save` or `update` of this name, oldest first. */
  entries(name: string): Promise<unknown[]>;
  append(name: string, entry: unknown): void | Promise<void>;
  /** Replaces the value by `change(value, entries)` and drops the entries, atomically among all users of this state. */
  update(name: string, change: (stored: unknown, entries: readonly unknown[]) => unknown): Promise<void>;
  close(): Promise<void>;
}

/** State that ends with the process: every run starts at first sight. */
export function openMemoryState(): ClientState {
  const values = new Map<string, string>();
  const logs = new Map<string, unknown[]>();
  const load = (name: string): unknown => {
    const text = values.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  };
  const replace = (name: string, value: unknown) => {
    values.set(name, JSON.stringify(value));
    logs.delete(name);
  };
  return {
    load: async (name) => load(name),
    save: async (name, value) => replace(name, value),
    entries: async (name) => [...(logs.get(name) ?? [])],
    append(name, entry) {
      const log = logs.get(name);
      if (log === undefined) logs.set(name, [entry]);
      else log.push(entry);
    },
    update: async (name, change) => replace(name, change(load(name), logs.get(name) ?? [])),
    close: async () => undefined,
  };
}
