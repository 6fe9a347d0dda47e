/**
 * The records of communities, one schema a collection.
 *
 * Invariant: a member is one row; what roles permit is in rows of their own, read at each decision. Data formats: a change here is a migration.
 */
import {
  communityIdSchema,
  communityNameSchema,
  communityRoleSchema,
  endpointIdSchema,
  handleSchema,
  instancePluginPolicySchema,
  pluginPolicyChangeSchema,
  signPubSchema,
  timeSchema,
} from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";

const communityRowSchema = z.object({
  id: communityIdSchema,
  name: communityNameSchema,
  displayName: z.string(),
  createdBy: endpointIdSchema,
  createdAt: timeSchema,
  members: z.int().nonnegative(),
  /** Kept in the row, so that the last one is protected by compare-and-set. */
  owners: z.array(endpointIdSchema),
});
export type CommunityRow = z.infer<typeof communityRowSchema>;

const memberRowSchema = z.object({
  handle: handleSchema,
  signPub: signPubSchema,
  roles: z.array(communityRoleSchema),
  since: timeSchema,
});
export type MemberRow = z.infer<typeof memberRowSchema>;

/** Typed views of everything communities keep. */
export function openCommunityCollections(store: Store) {
  const open = <T>(name: string, schema: z.ZodType<T>): Collection<T> => store.collection({ name, schema });
  return {
    /** `communities/<id>` and `community-names/<name>`. */
    communities: open("communities", communityRowSchema),
    names: open("community-names", z.object({ community: communityIdSchema })),
    /** `community-members/<id>/<endpoint>` and its mirror `member-communities/<endpoint>/<id>`. */
    members: open("community-members", memberRowSchema),
    ofMember: open("member-communities", z.object({ founded: z.boolean() })),
    /** `community-roles/<id>/<role>`. */
    roles: open("community-roles", z.object({ permissions: z.array(z.string()) })),
    /** `community-policies/<id>`; `instance-policy/plugins`. */
    policies: open("community-policies", pluginPolicyChangeSchema),
    instancePolicy: open("instance-policy", instancePluginPolicySchema),
  };
}
export type CommunityCollections = ReturnType<typeof openCommunityCollections>;
