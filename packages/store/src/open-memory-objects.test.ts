import { describeObjects } from "../test/objects.contract.ts";
import { openMemoryObjects } from "./open-memory-objects.ts";

describeObjects("memory", false, async () => {
  const keys = new Set<string>();
  const objects = openMemoryObjects();
  return {
    open: async () => ({
      ...objects,
      async put(key, bytes) {
        const put = await objects.put(key, bytes);
        keys.add(key);
        return put;
      },
    }),
    async files() {
      const there: string[] = [];
      for (const key of keys) if (await objects.has(key)) there.push(key);
      return there;
    },
    damage: () => Promise.reject(new Error("nothing outlives the store")),
    [Symbol.asyncDispose]: () => objects.close(),
  };
});
