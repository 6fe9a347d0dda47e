/**
 * The sections of an export that memberships, modules and the public log give.
 *
 * Invariant: records as they are kept, without what is a secret (tokens); the log whole, so that its chain can be verified from the export alone.
 */
import { hasCode, moduleNames, type CommunityId, type ModuleName } from "@althing/contract";
import type { CommunityCollections } from "../collections.ts";
import type { EventLog } from "../events/index.ts";
import type { Modules } from "../modules/modules.ts";
import { exportPageOf, type ExportSection } from "./community-export.ts";
import type { MembershipCollections } from "./membership-collections.ts";

export interface SectionDeps {
  readonly collections: CommunityCollections;
  readonly memberships: MembershipCollections;
  readonly events: EventLog;
  readonly modules: Modules;
}

export function exportSections({ collections, memberships, events, modules }: SectionDeps): ExportSection[] {
  return [
    {
      name: "community",
      async read(id) {
        const row = await collections.communities.get([id]);
        return { records: row === undefined ? [] : [row.value] };
      },
    },
    { name: "roles", read: (...page) => exportPageOf(collections.roles, page, ([, role], value) => ({ role, ...value })) },
    { name: "members", read: (...page) => exportPageOf(collections.members, page, ([, endpoint], value) => ({ endpoint, ...value })) },
    {
      name: "invitations",
      permission: "members.invite",
      read: (...page) => exportPageOf(memberships.invitations, page, ([, id], { hash: _hash, ...shown }) => ({ id, ...shown })),
    },
    {
      name: "join-requests",
      permission: "members.invite",
      read: (...page) => exportPageOf(memberships.requests, page, ([, endpoint], value) => ({ endpoint, ...value })),
    },
    {
      name: "policy",
      permission: "plugins.read",
      async read(id) {
        const row = await collections.policies.get([id]);
        return { records: row === undefined ? [] : [row.value] };
      },
    },
    {
      name: "modules",
      permission: "plugins.read",
      read: async (id) => ({ records: await Promise.all(moduleNames.map((module) => moduleState(modules, id, module))) }),
    },
    {
      name: "events",
      permission: "events.read",
      async read(id, after, limit) {
        const records = await events.read(id, Number(after ?? 0), limit);
        const last = records.at(-1)?.index;
        return { records, ...(records.length === limit && last !== undefined ? { next: String(last) } : {}) };
      },
    },
  ];
}

/** Settings of a module that is off are not used by anything, and so not read. */
async function moduleState(modules: Modules, id: CommunityId, module: ModuleName): Promise<unknown> {
  try {
    return { module, enabled: true, settings: await modules.settings(id, module) };
  } catch (error) {
    if (!hasCode(error, "module.disabled")) throw error;
    return { module, enabled: false };
  }
}
