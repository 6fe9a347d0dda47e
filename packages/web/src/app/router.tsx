/**
 * Every address of the application, and the screen that stands there.
 *
 * Invariant: each area is loaded when it is first opened; an address that is not here shows a page that says so. Addresses are stable: people send them
 * to each other, and the command line prints them.
 */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { NoPage } from "./main-place.tsx";
import { CommunityFrame, PlainFrame, Shell } from "./shell.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NoPage });
const plain = createRoute({ getParentRoute: () => root, id: "plain", component: PlainFrame });
const community = createRoute({ getParentRoute: () => root, path: "c/$community", component: CommunityFrame });

const start = () => import("../start/index.ts");
const overview = () => import("../overview/index.ts");
const rooms = () => import("../rooms/index.ts");
const proposals = () => import("../proposals/index.ts");
const delegation = () => import("../delegation/index.ts");
const members = () => import("../members/index.ts");
const moderation = () => import("../moderation/index.ts");
const plugins = () => import("../plugins/index.ts");
const extensionPages = () => import("../extension-pages/index.ts");
const instance = () => import("../instance/index.ts");

const plainPages = [
  createRoute({ getParentRoute: () => plain, path: "/", component: lazyRouteComponent(start, "HomePage") }),
  createRoute({ getParentRoute: () => plain, path: "claim", component: lazyRouteComponent(start, "HomePage") }),
  createRoute({ getParentRoute: () => plain, path: "join", component: lazyRouteComponent(start, "HomePage") }),
  createRoute({ getParentRoute: () => plain, path: "identity", component: lazyRouteComponent(start, "IdentityPage") }),
  createRoute({ getParentRoute: () => plain, path: "communities/welcome", component: lazyRouteComponent(start, "WelcomePage") }),
  createRoute({ getParentRoute: () => plain, path: "communities/new", component: lazyRouteComponent(start, "FoundCommunityPage") }),
  createRoute({ getParentRoute: () => plain, path: "communities/directory", component: lazyRouteComponent(start, "DirectoryPage") }),
  createRoute({ getParentRoute: () => plain, path: "communities/invitation", component: lazyRouteComponent(start, "InvitationPage") }),
  createRoute({ getParentRoute: () => plain, path: "communities/door/$community", component: lazyRouteComponent(start, "DoorPage") }),
  createRoute({
    getParentRoute: () => plain,
    path: "communities/appeals/$community",
    component: lazyRouteComponent(moderation, "AboutMePage"),
  }),
  createRoute({ getParentRoute: () => plain, path: "rooms", component: lazyRouteComponent(rooms, "InstanceRoomsPage") }),
  createRoute({ getParentRoute: () => plain, path: "rooms/$room", component: lazyRouteComponent(rooms, "InstanceRoomPage") }),
  createRoute({ getParentRoute: () => plain, path: "instance", component: lazyRouteComponent(instance, "PosturePage") }),
  createRoute({ getParentRoute: () => plain, path: "instance/users", component: lazyRouteComponent(instance, "UsersPage") }),
  createRoute({
    getParentRoute: () => plain,
    path: "instance/communities",
    component: lazyRouteComponent(instance, "InstanceCommunitiesPage"),
  }),
  createRoute({ getParentRoute: () => plain, path: "instance/trust", component: lazyRouteComponent(instance, "TrustPage") }),
  createRoute({ getParentRoute: () => plain, path: "instance/policy", component: lazyRouteComponent(instance, "InstancePolicyPage") }),
  createRoute({ getParentRoute: () => plain, path: "instance/registry", component: lazyRouteComponent(instance, "RegistryPage") }),
  createRoute({ getParentRoute: () => plain, path: "instance/usage", component: lazyRouteComponent(instance, "UsagePage") }),
  createRoute({ getParentRoute: () => plain, path: "instance/audit", component: lazyRouteComponent(instance, "AuditPage") }),
] as const;

const communityPages = [
  createRoute({ getParentRoute: () => community, path: "/", component: lazyRouteComponent(overview, "OverviewPage") }),
  createRoute({ getParentRoute: () => community, path: "rooms", component: lazyRouteComponent(rooms, "CommunityRoomsPage") }),
  createRoute({ getParentRoute: () => community, path: "rooms/$room", component: lazyRouteComponent(rooms, "CommunityRoomPage") }),
  createRoute({ getParentRoute: () => community, path: "proposals", component: lazyRouteComponent(proposals, "ProposalsPage") }),
  createRoute({ getParentRoute: () => community, path: "proposals/new", component: lazyRouteComponent(proposals, "NewProposalPage") }),
  createRoute({ getParentRoute: () => community, path: "proposals/$proposal", component: lazyRouteComponent(proposals, "ProposalPage") }),
  createRoute({
    getParentRoute: () => community,
    path: "proposals/$proposal/edit",
    component: lazyRouteComponent(proposals, "EditProposalPage"),
  }),
  createRoute({
    getParentRoute: () => community,
    path: "proposals/$proposal/versions",
    component: lazyRouteComponent(proposals, "VersionsPage"),
  }),
  createRoute({
    getParentRoute: () => community,
    path: "proposals/$proposal/amendments",
    component: lazyRouteComponent(proposals, "AmendmentsPage"),
  }),
  createRoute({ getParentRoute: () => community, path: "delegation", component: lazyRouteComponent(delegation, "DelegationPage") }),
  createRoute({ getParentRoute: () => community, path: "announcements", component: lazyRouteComponent(overview, "AnnouncementsPage") }),
  createRoute({ getParentRoute: () => community, path: "events", component: lazyRouteComponent(overview, "EventsPage") }),
  createRoute({ getParentRoute: () => community, path: "members", component: lazyRouteComponent(members, "MembersPage") }),
  createRoute({ getParentRoute: () => community, path: "members/requests", component: lazyRouteComponent(members, "RequestsPage") }),
  createRoute({ getParentRoute: () => community, path: "members/invitations", component: lazyRouteComponent(members, "InvitationsPage") }),
  createRoute({ getParentRoute: () => community, path: "members/roles", component: lazyRouteComponent(members, "RolesPage") }),
  createRoute({ getParentRoute: () => community, path: "moderation", component: lazyRouteComponent(moderation, "ModerationPage") }),
  createRoute({ getParentRoute: () => community, path: "settings", component: lazyRouteComponent(members, "CommunitySettingsPage") }),
  createRoute({ getParentRoute: () => community, path: "plugins", component: lazyRouteComponent(plugins, "PackagesPage") }),
  createRoute({ getParentRoute: () => community, path: "plugins/install", component: lazyRouteComponent(plugins, "InstallPage") }),
  createRoute({
    getParentRoute: () => community,
    path: "plugins/install/$extension",
    component: lazyRouteComponent(plugins, "InstallPage"),
  }),
  createRoute({ getParentRoute: () => community, path: "plugins/modules", component: lazyRouteComponent(plugins, "ModulesPage") }),
  createRoute({ getParentRoute: () => community, path: "plugins/modules/$module", component: lazyRouteComponent(plugins, "ModulePage") }),
  createRoute({ getParentRoute: () => community, path: "plugins/policy", component: lazyRouteComponent(plugins, "PolicyPage") }),
  createRoute({
    getParentRoute: () => community,
    path: "plugins/packages/$extension",
    component: lazyRouteComponent(plugins, "PackagePage"),
  }),
  createRoute({
    getParentRoute: () => community,
    path: "plugins/packages/$extension/$tab",
    component: lazyRouteComponent(plugins, "PackagePage"),
  }),
  createRoute({ getParentRoute: () => community, path: "x/$extension/$", component: lazyRouteComponent(extensionPages, "ExtensionPage") }),
] as const;

const tree = root.addChildren([plain.addChildren([...plainPages]), community.addChildren([...communityPages])]);

export function createAppRouter() {
  return createRouter({ routeTree: tree, defaultPreload: "intent", scrollRestoration: true, trailingSlash: "preserve" });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
