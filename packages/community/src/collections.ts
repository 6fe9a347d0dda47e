/**
 * The records of communities, one schema a collection.
 *
 * Invariant: a member is one row; what roles permit is in rows of their own, read at each decision. Data formats: a change here is a migration.
 */
import {
  communityIdSchema,
  communityNameSchema,
  endpointIdSchema,
  handleSchema,
  instancePluginPolicySchema,
  pluginPolicyChangeSchema,
  registrationSchema,
  roleNameSchema,
  signPubSchema,
  timeSchema,
} from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";

const communityRowSchema = z.object({
  id: communityIdSchema,
  name: communityNameSchema,
  displayName: z.string(),
  /** null once erased. */
  createdBy: endpointIdSchema.nullable(),
  createdAt: timeSchema,
  members: z.int().nonnegative(),
  /** Kept in the row, so that the last one is protected by compare-and-set. */
  owners: z.array(endpointIdSchema),
  description: z.string().optional(),
  /** Absent: as the instance says. */
  registration: registrationSchema.optional(),
});
export type CommunityRow = z.infer<typeof communityRowSchema>;

const memberRowSchema = z.object({
  handle: handleSchema,
  signPub: signPubSchema,
  roles: z.array(roleNameSchema),
  since: timeSchema,
  /** The rules that were accepted on joining. */
  rules: z.strictObject({ version: z.string(), at: timeSchema }).optional(),
});
export type MemberRow = z.infer<typeof memberRowSchema>;

const roleRowSchema = z.object({ permissions: z.array(z.string()), description: z.string().optional() });
export type RoleRow = z.infer<typeof roleRowSchema>;

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
    /** `community-founders/<endpoint>`: makes foundings of one person follow one another. */
    founders: open("community-founders", z.strictObject({})),
    /** `single-community/instance`: which one is the only one. */
    single: open("single-community", z.strictObject({ community: communityIdSchema })),
    /** `community-roles/<id>/<role>`; the owner's row says nothing about its permissions. */
    roles: open("community-roles", roleRowSchema),
    /** `community-policies/<id>`; `instance-policy/plugins`. */
    policies: open("community-policies", pluginPolicyChangeSchema),
    instancePolicy: open("instance-policy", instancePluginPolicySchema),
  };
}
export type CommunityCollections = ReturnType<typeof openCommunityCollections>;
