/** The grammar of object keys. It is also what keeps a key from being a path. */
import { AppError } from "@althing/contract";

/** @throws {store.key_invalid} not 64 lower-case hexadecimal digits */
export function checkObjectKey(key: string): void {
  if (typeof key === "string" && /^[0-9a-f]{64}$/.test(key)) return;
  throw new AppError("store.key_invalid", {
    key: String(key).slice(0, 64),
    detail: "an object's key is a sha256, 64 lower-case hexadecimal digits",
  });
}

/** @param present is there an object of this key already? */
export function wrongBytes(key: string, observed: string, present: boolean): AppError {
  return present ? new AppError("object.exists", { key }) : new AppError("object.hash_mismatch", { key, observed });
}
