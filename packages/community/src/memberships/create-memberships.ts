/**
 * Memberships of communities, joined: roles, founding on request, invitations, joining, erasure, export.
 *
 * Invariant: the one place that says in which order these parts are made. Erasers, closers and sections of the export are lists that other areas add theirs
 * to while the plane is built; they are read when they are needed.
 */
import { createCommunities, type Communities } from "../communities.ts";
import { createRoles, type Roles } from "../roles/roles.ts";
import type { Closer } from "./close-community.ts";
import { createCommunityExport, type CommunityExport, type ExportSection } from "./community-export.ts";
import { createDoor, type Door } from "./door.ts";
import { createErasure, type Eraser, type Erasure } from "./erasure.ts";
import { exportSections } from "./export-sections.ts";
import { createFounding, type Founding } from "./founding.ts";
import { createInvitations, type Invitations } from "./invitations.ts";
import { createJoining, type Joining } from "./joining.ts";
import { openMembershipCollections } from "./membership-collections.ts";
import type { JoiningDeps } from "./membership-deps.ts";
import { createMembershipRules } from "./membership-rules.ts";

export interface Memberships {
  readonly communities: Communities;
  readonly roles: Roles;
  readonly founding: Founding;
  readonly door: Door;
  readonly joining: Joining;
  readonly invitations: Invitations;
  readonly erasure: Erasure;
  readonly exporter: CommunityExport;
  /** Areas add how they erase what they keep of a person. */
  readonly erasers: Eraser[];
  /** Areas add how they remove what they keep of a community that ends. */
  readonly closers: Closer[];
  /** Areas add what they give to an export. */
  readonly exportSections: ExportSection[];
}

export type MembershipsDeps = Omit<JoiningDeps, "memberships">;

export function createMemberships(given: MembershipsDeps): Memberships {
  const deps: JoiningDeps = { ...given, memberships: openMembershipCollections(given.store) };
  const { collections, memberships, events, modules, authority } = deps;
  const erasers: Eraser[] = [];
  const closers: Closer[] = [];
  const sections = exportSections({ collections, memberships, events, modules });
  const rules = createMembershipRules(deps);
  const communities = createCommunities({ ...deps, rules, closers });
  const door = createDoor(deps);
  const joining = createJoining(deps, rules, door);
  const invitations = createInvitations(deps, rules, door, joining);
  return {
    ...{ communities, door, joining, invitations, erasers, closers, exportSections: sections },
    roles: createRoles(deps, rules),
    founding: createFounding(deps, communities),
    erasure: createErasure(deps, rules, invitations, erasers),
    exporter: createCommunityExport(authority, sections),
  };
}
