/**
 * The form of a backup: a tar whose first entry says what it is, and whose last two say what must be in it (docs/architecture/backup.md).
 *
 * Invariant: these names and no others; each at most once; `manifest.json` names every part with size and SHA-256, objects are named by theirs; the manifest's own
 * hash is the last entry and the backup's id. Bytes are judged before anything is put into place.
 */
import { savedStreamSchema } from "@althing/bus";
import { communityIdSchema, streams, timeSchema } from "@althing/contract";
import { z } from "zod";

export const backupFormatVersion = 1;
export const headName = "althing-backup.json";
export const manifestName = "manifest.json";
export const sealName = "manifest.sha256";
export const roomStreamName = `streams/${streams.rooms}.snapshot`;
export const keyNames = ["keys/hub.nkey", "keys/sys.nkey", "keys/instance.json"] as const;
/** What the databases of this file are encrypted with, where they are: inside of the file's own encryption. */
export const databaseKeyName = "keys/databases.json";
export const databaseKeySchema = z.strictObject({ version: z.literal(1), key: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });
export const stateName = "state/state.db";
export const executionsName = "state/executions.db";
export const configName = "config/althing.toml";
export const formatName = "format.json";

export const objectKinds = ["blobs", "bundles"] as const;
export type ObjectKind = (typeof objectKinds)[number];
const objectGrammar = /^(blobs|bundles)\/([0-9a-f]{64})$/;

const kib = 1024;
/** What is held in memory while it is read. */
export const smallPartMaxBytes: Readonly<Record<string, number>> = {
  [headName]: 64 * kib,
  [manifestName]: 64 * kib * kib,
  [sealName]: 256,
  [formatName]: 64 * kib,
  [configName]: kib * kib,
  [databaseKeyName]: 64 * kib,
  ...Object.fromEntries(keyNames.map((name) => [name, 64 * kib])),
};
const bigParts: readonly string[] = [stateName, executionsName, roomStreamName];

export function isPartName(name: string): boolean {
  return Object.hasOwn(smallPartMaxBytes, name) || bigParts.includes(name) || objectGrammar.test(name);
}

export function objectOf(name: string): { readonly kind: ObjectKind; readonly hash: string } | undefined {
  const match = objectGrammar.exec(name);
  const kind = objectKinds.find((known) => known === match?.[1]);
  return kind === undefined || match?.[2] === undefined ? undefined : { kind, hash: match[2] };
}

const count = z.int().nonnegative();
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** Only what any version must be able to read, to say that it is newer. */
export const anyHeadSchema = z.looseObject({ format: z.literal("althing-backup"), version: z.int().positive() });

export const headSchema = z.strictObject({
  format: z.literal("althing-backup"),
  version: z.literal(backupFormatVersion),
  /** Of the program that made it. */
  program: z.string().max(64),
  /** The same for every backup of one instance, and tells nothing of its keys. */
  instance: z.string().regex(/^[0-9a-f]{32}$/),
  createdAt: timeSchema,
  dataFormat: z.int().positive(),
  /** Version of the records' schema. */
  schema: count,
  /** What kept the records; their form in the file is the same. */
  store: z.enum(["sqlite", "kv"]),
});
export type BackupHead = z.infer<typeof headSchema>;

const partSchema = z.strictObject({ bytes: count, sha256: sha256Schema });
const objectsSchema = z.strictObject({ count, bytes: count });
export const chainHeadSchema = z.strictObject({ community: communityIdSchema, events: count, head: sha256Schema });
export type ChainHead = z.infer<typeof chainHeadSchema>;

export const manifestSchema = z.strictObject({
  head: headSchema,
  parts: z.record(z.string(), partSchema),
  objects: z.strictObject({ blobs: objectsSchema, bundles: objectsSchema }),
  /** Objects that the instance itself lacked, taken in knowingly. */
  missing: z.array(z.string()),
  counts: z.strictObject({ users: count, rooms: count, communities: count, messages: count }),
  /** The newest event of each community. */
  chains: z.array(chainHeadSchema),
  /** What the server needs beside the bytes of a stream. */
  streams: z.record(z.string(), savedStreamSchema),
  /** Where `config/althing.toml` lay: inside the data folder it goes back to its place. */
  configInData: z.boolean(),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

/** What commands tell about a backup. */
export interface BackupReport {
  readonly file: string;
  /** SHA-256 of the manifest: the same for equal backups, another for any other. */
  readonly id: string;
  readonly bytes: number;
  readonly encrypted: boolean;
  readonly createdAt: string;
  readonly program: string;
  readonly instance: string;
  readonly schema: number;
  readonly counts: BackupManifest["counts"] & { readonly blobs: number; readonly bundles: number; readonly events: number };
  readonly missing: readonly string[];
}

export function reportOf(
  manifest: BackupManifest,
  seen: { readonly file: string; readonly id: string; readonly bytes: number; readonly encrypted: boolean },
): BackupReport {
  const { head, counts, objects, chains, missing } = manifest;
  const events = chains.reduce((sum, chain) => sum + chain.events, 0);
  return {
    ...seen,
    ...{ createdAt: head.createdAt, program: head.program, instance: head.instance, schema: head.schema, missing },
    counts: { ...counts, blobs: objects.blobs.count, bundles: objects.bundles.count, events },
  };
}
