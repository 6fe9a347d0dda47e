/**
 * What a data folder is opened with: the keys of each part, or none of them.
 *
 * Invariant: a folder is encrypted as a whole or not at all, and its `format.json` says which by the key's fingerprint. That is compared before anything is
 * opened, made or started: nats-server takes files that it cannot decrypt for an empty folder.
 */
import { createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { AppError } from "@althing/contract";
import type { ObjectCipher } from "@althing/store";
import { readAtRestKeys, type AtRestKeys } from "./at-rest-keys.ts";
import { openStream, sealStream } from "./sealed-bytes.ts";

/** The fields of each part are spread into the options of what opens it. */
export interface AtRest {
  /** Absent: the folder is plain. */
  readonly fingerprint?: string;
  /** For nats-server. */
  readonly nats: { readonly natsKey?: string };
  /** For state and claims. */
  readonly sqlite: { readonly key?: Uint8Array };
  readonly executions: { readonly key?: Uint8Array };
  /** For blobs and bundles in folders. */
  readonly objects: { readonly cipher?: ObjectCipher };
  /** For `instance.json`. */
  readonly instanceKey?: Uint8Array;
  /** For backups that were given no key of their own. */
  readonly backupKey?: Uint8Array;
}

export const plainAtRest: AtRest = { nats: {}, sqlite: {}, executions: {}, objects: {} };

export function atRestOf(keys: AtRestKeys): AtRest {
  return {
    fingerprint: keys.fingerprint,
    nats: { natsKey: keys.nats },
    sqlite: { key: keys.sqlite },
    executions: { key: keys.executions },
    objects: { cipher: objectCipher(keys) },
    instanceKey: keys.instance,
    backupKey: keys.backup,
  };
}

function objectCipher({ objects, objectNames }: AtRestKeys): ObjectCipher {
  return {
    nameOf: (key) => createHmac("sha256", objectNames).update(key).digest("hex"),
    seal: (bytes) => sealStream(objects, bytes),
    open: (bytes) => openStream(objects, bytes),
  };
}

/** @param keyFile its path; absent: none was given @throws as `readAtRestKeys` */
export async function readAtRest(keyFile: string | undefined, root: string): Promise<AtRest> {
  return keyFile === undefined ? plainAtRest : atRestOf(await readAtRestKeys(keyFile, root));
}

/**
 * Is this the key of that folder?
 * @param recorded the fingerprint that the folder's `format.json` has
 * @throws {encryption.key_missing} {encryption.key_wrong} {encryption.not_enabled}
 */
export function requireSameKey(
  path: string,
  recorded: string | undefined,
  given: { readonly atRest: AtRest; readonly keyFile?: string | undefined },
): void {
  const { fingerprint } = given.atRest;
  if (recorded === fingerprint) return;
  if (fingerprint === undefined) throw new AppError("encryption.key_missing", { path });
  if (recorded === undefined) throw new AppError("encryption.not_enabled", { path });
  throw new AppError("encryption.key_wrong", { path, key: given.keyFile ?? "" });
}

/** Where a folder that is complete waits for its place. */
export const incomingPlace = (root: string): string => `${root}.incoming`;
/** Where the folder of before waits for its end. */
export const beforePlace = (root: string): string => `${root}.before-at-rest`;

/** A folder that is missing because a change was cut off must not be made anew. @throws {encryption.unfinished} */
export function requireNoCutOff(root: string): void {
  const incoming = incomingPlace(root);
  if (!existsSync(root) && existsSync(incoming)) throw new AppError("encryption.unfinished", { path: root, incoming });
}
