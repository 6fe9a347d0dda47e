/** Members of a community, how they come in, what their roles hold, and the community's own settings. */
export { CommunitySettingsPage } from "./community-settings-page.tsx";
export { InvitationsPage } from "./invitations-page.tsx";
export { MembersPage } from "./members-page.tsx";
export { RequestsPage } from "./requests-page.tsx";
export { RolesPage } from "./roles-page.tsx";
