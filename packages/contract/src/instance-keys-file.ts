/**
 * `instance.json`: the keys that all nodes of an instance share.
 *
 * Invariant: version 1 holds three keys of 32 random bytes and nothing else. The hub makes it for a node that is alone, `althing cluster init`
 * for the nodes of a cluster; both must mean the same, so the form is here.
 */
import { z } from "zod";

const keySchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const instanceKeysFileSchema = z.strictObject({
  version: z.literal(1),
  /** HMAC key of opaque names. */
  nameKey: keySchema,
  /** Key of stored secrets. */
  secretsKey: keySchema,
  /** Key of receipts. */
  receiptKey: keySchema,
});
export type InstanceKeysFile = z.infer<typeof instanceKeysFileSchema>;

/** @param newKey 32 random bytes in base64url */
export function newInstanceKeys(newKey: () => string): InstanceKeysFile {
  return { version: 1, nameKey: newKey(), secretsKey: newKey(), receiptKey: newKey() };
}
