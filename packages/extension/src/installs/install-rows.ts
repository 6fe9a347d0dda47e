/**
 * The records of installs.
 *
 * Invariant: an install is one record that says what runs and with which grants; what only explains it (manifest, declared grants, diffs) is read from the
 * bundle by its hash and never stored twice. The record, its id, the community's count and the references of its objects change in one batch.
 */
import {
  communityIdSchema,
  contentHashSchema,
  endpointIdSchema,
  extensionIdSchema,
  grantsSchema,
  installIdSchema,
  installSourceSchema,
  trustStateSchema,
  type CommunityId,
} from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";

const settings = z.record(z.string(), z.unknown());
/** sha256 of the signature file in the object store; absent: unsigned. */
const signature = z.string().length(64).optional();

const arrivalSchema = z.object({
  version: z.string(),
  contentHash: contentHashSchema,
  signature,
  trust: trustStateSchema,
  source: installSourceSchema,
  at: z.string(),
  /** null once erased. */
  by: endpointIdSchema.nullable(),
});
/** One bundle that came in. */
export type Arrival = z.infer<typeof arrivalSchema>;

/** `ext-installs/<community>/<extension>` */
const installRowSchema = z.object({
  id: installIdSchema,
  community: communityIdSchema,
  extension: extensionIdSchema,
  /** What runs, or would. */
  current: arrivalSchema,
  /** Was anything ever granted to `current`? Before that nothing runs. */
  consented: z.boolean(),
  isActive: z.boolean(),
  quarantine: z.object({ reason: z.string(), hint: z.string(), at: z.string() }).optional(),
  granted: grantsSchema,
  settings,
  /** An upgrade that declares more than `current`. */
  pending: arrivalSchema.optional(),
  createdAt: z.string(),
  createdBy: endpointIdSchema.nullable(),
});
export type InstallRow = z.infer<typeof installRowSchema>;

/** `ext-install-ids/<id>` */
const idSchema = z.object({ community: communityIdSchema, extension: extensionIdSchema });

/** `ext-install-counts/<community>`: makes the community's maximum exact. */
const countSchema = z.object({ count: z.int().nonnegative() });

/** `ext-install-versions/<community>/<extension>/<content hash>`: every version that was current once, as it was left. */
const versionSchema = z.object({ arrival: arrivalSchema, consented: z.boolean(), granted: grantsSchema, settings });
export type InstallVersionRow = z.infer<typeof versionSchema>;

/** `ext-kept/<community>/<extension>`: what an uninstall left. `removing`: it has not ended. */
const keptSchema = z.object({ id: installIdSchema, settings, removing: z.enum(["keep", "purge"]).optional() });
export type KeptRow = z.infer<typeof keptSchema>;

export interface InstallRows {
  readonly installs: Collection<InstallRow>;
  readonly ids: Collection<z.infer<typeof idSchema>>;
  readonly counts: Collection<z.infer<typeof countSchema>>;
  readonly versions: Collection<InstallVersionRow>;
  readonly kept: Collection<KeptRow>;
}

export function openInstallRows(store: Store): InstallRows {
  return {
    installs: store.collection({ name: "ext-installs", schema: installRowSchema }),
    ids: store.collection({ name: "ext-install-ids", schema: idSchema }),
    counts: store.collection({ name: "ext-install-counts", schema: countSchema }),
    versions: store.collection({ name: "ext-install-versions", schema: versionSchema }),
    kept: store.collection({ name: "ext-kept", schema: keptSchema }),
  };
}

export interface FoundInstall {
  readonly row: InstallRow;
  readonly revision: number;
}

/** Every version of an install; a prefix list, page by page. */
export async function versionsOf({ versions }: InstallRows, community: CommunityId, extension: string): Promise<InstallVersionRow[]> {
  const found: InstallVersionRow[] = [];
  let after: readonly [string, ...string[]] | undefined;
  do {
    const page = await versions.list({ prefix: [community, extension], limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { value } of page.records) found.push(value);
    after = page.next;
  } while (after !== undefined);
  return found;
}
