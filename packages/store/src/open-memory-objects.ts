/** Objects in memory, for tests; the same refusals as the folder (open-folder-objects.ts). */
import { createHash } from "node:crypto";
import { AppError } from "@althing/contract";
import { checkObjectKey, wrongBytes } from "./object-key.ts";
import type { ObjectStore } from "./types.ts";

export function openMemoryObjects(): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  let closed = false;
  const open = () => {
    if (closed) throw new AppError("store.unavailable", { detail: "it is closed" });
  };
  return {
    async put(key, bytes) {
      open();
      checkObjectKey(key);
      const parts: Uint8Array[] = [];
      if (bytes instanceof Uint8Array) parts.push(bytes);
      else for await (const part of bytes) parts.push(part);
      const whole = Buffer.concat(parts);
      const observed = createHash("sha256").update(whole).digest("hex");
      if (observed !== key) throw wrongBytes(key, observed, objects.has(key));
      open();
      objects.set(key, new Uint8Array(whole));
      return { bytes: whole.length };
    },
    async get(key) {
      open();
      checkObjectKey(key);
      const bytes = objects.get(key);
      if (bytes === undefined) throw new AppError("object.not_found", { key });
      return bytes.slice();
    },
    async has(key) {
      open();
      checkObjectKey(key);
      return objects.has(key);
    },
    async delete(key) {
      open();
      checkObjectKey(key);
      objects.delete(key);
    },
    async close() {
      closed = true;
      objects.clear();
    },
  };
}
