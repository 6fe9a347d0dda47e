/**
 * Records as an engine read them last, and keys that it found absent, so that they need not be read again while nothing changed them.
 *
 * Invariant: bounded in records and in characters, whatever is asked for; it knows nothing of when a record becomes old: the engine forgets it. Two
 * generations: what was not asked for while the younger one filled up goes. Large values are not kept, they would drive out what is asked for all the time.
 */
import type { RawRecord } from "./store-engine.ts";

export interface RecordMemory {
  /** `null`: it is known that there is none. `undefined`: nothing is known. */
  get(fullKey: string): RawRecord | null | undefined;
  set(fullKey: string, record: RawRecord | null): void;
  forget(fullKey: string): void;
  clear(): void;
}

/** Of one generation. */
const recordsMax = 10_000;
const charactersMax = 2 * 1024 * 1024;
const valueMaxCharacters = 64 * 1024;

export function createRecordMemory(): RecordMemory {
  let young = new Map<string, RawRecord | null>();
  let old = new Map<string, RawRecord | null>();
  let characters = 0;

  const set = (fullKey: string, record: RawRecord | null): void => {
    const size = fullKey.length + (record?.text.length ?? 0);
    if (size > valueMaxCharacters) return;
    if (young.size >= recordsMax || characters + size > charactersMax) {
      old = young;
      young = new Map();
      characters = 0;
    }
    characters += size;
    young.set(fullKey, record);
  };

  return {
    get(fullKey) {
      const known = young.get(fullKey);
      if (known !== undefined) return known;
      const older = old.get(fullKey);
      if (older !== undefined) set(fullKey, older);
      return older;
    },
    set,
    forget(fullKey) {
      young.delete(fullKey);
      old.delete(fullKey);
    },
    clear() {
      young = new Map();
      old = new Map();
      characters = 0;
    },
  };
}
