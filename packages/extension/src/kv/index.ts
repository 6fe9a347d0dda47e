/** Face of the key-value data of extensions. */
export { createKvStore, type KvEntry, type KvPut, type KvStore } from "./kv-store.ts";
