/** Face of memberships: coming in, being there, leaving, erasure, export. */
export { type Closer } from "./close-community.ts";
export { createCommunityExport, exportPageOf, type CommunityExport, type ExportPage, type ExportSection } from "./community-export.ts";
export { createDoor, type Door } from "./door.ts";
export { createErasure, type Eraser, type Erasure } from "./erasure.ts";
export { exportSections } from "./export-sections.ts";
export { createFounding, type Founding } from "./founding.ts";
export { createInvitations, type Invitations } from "./invitations.ts";
export { createJoining, type Joining } from "./joining.ts";
export { openMembershipCollections, type MembershipCollections } from "./membership-collections.ts";
export { createMembershipRules, type MembershipRules } from "./membership-rules.ts";
export { createMemberships, type Memberships, type MembershipsDeps } from "./create-memberships.ts";
