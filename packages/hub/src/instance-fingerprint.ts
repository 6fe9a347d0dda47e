/**
 * Which instance a store belongs to: a fingerprint of the instance's keys, kept in the store itself.
 *
 * Invariant: the first hub to open a store writes it, held to "must not exist", so of nodes that found it at once one is the instance and the
 * others must have its keys; a hub with other keys ends before it reads or writes anything else. Other keys would give the same rooms other names on
 * the messaging server, and open none of the stored secrets. The fingerprint says nothing about the key it is made of.
 */
import { createHmac } from "node:crypto";
import { AppError, hasCode } from "@althing/contract";
import type { Store } from "@althing/store";
import { z } from "zod";

const fingerprintVersion = 1;
/** `instance-keys/fingerprint`. A change of how it is made is a new version, and a migration writes it. */
const fingerprints = {
  name: "instance-keys",
  schema: z.strictObject({ version: z.literal(fingerprintVersion), fingerprint: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
};

/** @param nameKey 32 bytes, of `instance.json` */
function fingerprintOf(nameKey: Uint8Array): string {
  return createHmac("sha256", nameKey).update(`althing/instance-keys/fingerprint/v${fingerprintVersion}`).digest("base64url");
}

/**
 * A store that has no fingerprint yet gets one.
 * @param path of the file that the key came from, named in the error
 * @throws {data.key_foreign} {store.unavailable} {store.value_invalid}
 */
export async function requireOwnStore(store: Store, nameKey: Uint8Array, path: string): Promise<void> {
  const records = store.collection(fingerprints);
  const key = ["fingerprint"] as const;
  const own = fingerprintOf(nameKey);
  let found = await records.get(key);
  if (found === undefined) {
    try {
      await records.create(key, { version: fingerprintVersion, fingerprint: own });
      return;
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
      // Another node was first: its word counts.
      found = await records.get(key);
    }
  }
  if (found?.value.fingerprint !== own) throw new AppError("data.key_foreign", { path });
}
