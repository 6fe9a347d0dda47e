/**
 * Remembers what was read of bundles by their hash.
 *
 * Invariant: the hash says what the bytes are, so nothing remembered can be out of date; only memory bounds it. A reading that failed is forgotten.
 */
/** Manifest files remembered together; what is made of one takes a few times its size. */
const rememberedMaxBytes = 16 * 1024 * 1024;
/** Counted for each besides its file. */
const rememberedCostBytes = 1_024;

/** What was read of bundles, the least used forgotten first; callers at the same moment share one reading. */
export function createBundleMemory<T>(bytesOf: (bundle: T) => number) {
  const known = new Map<string, { readonly reading: Promise<T>; bytes: number }>();
  let bytes = 0;
  const forget = (key: string) => {
    bytes -= known.get(key)?.bytes ?? 0;
    known.delete(key);
  };
  return {
    async take(key: string, read: () => Promise<T>): Promise<T> {
      const before = known.get(key);
      const entry = before ?? { reading: read(), bytes: 0 };
      known.delete(key);
      known.set(key, entry);
      try {
        const bundle = await entry.reading;
        if (entry.bytes === 0 && known.get(key) === entry) {
          entry.bytes = bytesOf(bundle) + rememberedCostBytes;
          bytes += entry.bytes;
        }
        for (const oldest of known.keys()) {
          if (bytes <= rememberedMaxBytes) break;
          forget(oldest);
        }
        return bundle;
      } catch (error) {
        if (known.get(key) === entry) forget(key);
        throw error;
      }
    },
  };
}
