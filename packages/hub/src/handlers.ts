/**
 * Which method of the bus answers which route.
 *
 * Invariant: one entry a signed route, nothing else: no checks, no shaping. Input is parsed, the caller authenticated, the instance permission decided; what
 * depends on a room is decided by the bus, where the room is read. A missing entry is a type error.
 */
import type { Bus, Input } from "@althing/bus";
import type { RouteName } from "@althing/contract";
import type { EventStreams } from "./event-stream.ts";
import type { ExtensionPlane } from "./extension-plane.ts";
import { eventHandlers } from "./handlers/event-handlers.ts";
import { inputOf, precondition, type Call, type Handler } from "./handlers/handler.ts";
import { hookHandlers } from "./handlers/hook-handlers.ts";
import { instanceHandlers } from "./handlers/instance-handlers.ts";
import { jobHandlers } from "./handlers/job-handlers.ts";
import { membershipHandlers } from "./handlers/membership-handlers.ts";
import { moderationHandlers } from "./handlers/moderation-handlers.ts";
import { moduleHandlers } from "./handlers/module-handlers.ts";
import { proposalHandlers } from "./handlers/proposal-handlers.ts";
import { voteHandlers } from "./handlers/vote-handlers.ts";
import type { InstanceAudit } from "./instance-audit.ts";

export type SignedRoute = Exclude<RouteName, "health.get" | "openapi.get" | `internal.${string}`>;

/** The routes of communities and packages. */
function extensionHandlers(plane: () => ExtensionPlane) {
  const as = inputOf;
  return {
    "communities.create": (c) => plane().communities.create(c.caller(), as<"communities.create">(c)),
    "communities.list": (c) => plane().communities.list(c.caller(), as<"communities.list">(c)),
    "communities.get": (c) => plane().communities.get(c.caller(), as<"communities.get">(c)),
    "communities.delete": (c) => plane().communities.delete(c.caller(), as<"communities.delete">(c)),
    "communities.members": (c) => plane().communities.members(c.caller(), as<"communities.members">(c)),
    "communities.addMember": (c) => plane().communities.addMember(c.caller(), as<"communities.addMember">(c)),
    "communities.setRoles": (c) => plane().communities.setRoles(c.caller(), as<"communities.setRoles">(c)),
    "communities.removeMember": (c) => plane().communities.removeMember(c.caller(), as<"communities.removeMember">(c)),
    "policy.get": (c) => plane().policies.get(c.caller(), as<"policy.get">(c)),
    "policy.put": (c) => plane().policies.put(c.caller(), as<"policy.put">(c), precondition(c)),
    "policy.dryRun": (c) => plane().dryRun(c.caller(), as<"policy.dryRun">(c)),
    "instancePolicy.get": () => plane().policies.instance(),
    "instancePolicy.put": (c) => plane().policies.putInstance(c.caller(), as<"instancePolicy.put">(c), precondition(c)),
    "trust.list": () => plane().trust.list(),
    "trust.add": (c) => plane().trust.add(c.caller(), as<"trust.add">(c)),
    "trust.remove": (c) => plane().trust.remove(c.caller(), as<"trust.remove">(c)),
    "registry.list": (c) => plane().registry.list(c.caller(), as<"registry.list">(c)),
    "registry.get": (c) => plane().registry.get(c.caller(), as<"registry.get">(c)),
    "registry.version": (c) => plane().registry.version(c.caller(), as<"registry.version">(c)),
    "registry.publish": (c) => plane().registry.publish(c.caller(), c.upload()),
    "registry.deprecate": (c) => plane().registry.deprecate(c.caller(), as<"registry.deprecate">(c)),
    "registry.yank": (c) => plane().registry.yank(c.caller(), as<"registry.yank">(c)),
    "registry.rebind": (c) => plane().registry.rebind(c.caller(), as<"registry.rebind">(c)),
    "packages.list": (c) => plane().installs.list(c.caller(), as<"packages.list">(c)),
    "packages.pages": (c) => plane().installs.pages(c.caller(), as<"packages.pages">(c)),
    "packages.upload": (c) => plane().installs.upload(c.caller(), as<"packages.upload">(c), c.upload()),
    "packages.installRegistry": (c) => plane().installs.installRegistry(c.caller(), as<"packages.installRegistry">(c)),
    "packages.get": (c) => plane().installs.get(c.caller(), as<"packages.get">(c)),
    "packages.change": (c) => plane().installs.change(c.caller(), as<"packages.change">(c), precondition(c)),
    "packages.remove": (c) => plane().installs.remove(c.caller(), as<"packages.remove">(c)),
    "packages.rollback": (c) => plane().installs.rollback(c.caller(), as<"packages.rollback">(c), precondition(c)),
    "packages.retry": (c) => plane().installs.retry(c.caller(), as<"packages.retry">(c)),
    "packages.versions": (c) => plane().installs.versions(c.caller(), as<"packages.versions">(c)),
    "packages.log": (c) => plane().observed.log(c.caller(), as<"packages.log">(c)),
    "packages.usage": (c) => plane().observed.usage(c.caller(), as<"packages.usage">(c)),
  } as const satisfies Partial<Record<SignedRoute, Handler>>;
}

export function createHandlers(
  bus: Bus,
  plane: () => ExtensionPlane,
  eventStreams: EventStreams,
  audit: InstanceAudit,
): Readonly<Record<SignedRoute, Handler>> {
  const { users, sessions, rooms, blobs } = bus;
  /** The route's schema made this input, which the type system cannot see through the table. */
  const as = <N extends RouteName>(call: Call) => call.input as Input<N>;
  /** Whether all nodes have it, where there are several. */
  const withReplicas = async <T extends object>(act: Promise<T>): Promise<T & { replicas?: string }> => {
    const done = await act;
    const replicas = await bus.replicas();
    return replicas === undefined ? done : { ...done, replicas };
  };
  const putBlob = (call: Call) => {
    const { sha256, bytes } = call.upload();
    return blobs.put(call.caller(), { ...as<"blobs.put">(call), hash: sha256, bytes });
  };
  return audit.around({
    "claim.post": (c) => users.claim(c.signPub, as<"claim.post">(c)),
    "join.post": (c) => users.join(c.signPub, as<"join.post">(c)),
    "invitations.create": (c) => users.createInvitation(c.caller()),
    "users.list": (c) => users.list(c.caller(), as<"users.list">(c)),
    "users.add": (c) => withReplicas(users.add(c.caller(), as<"users.add">(c))),
    "users.revoke": (c) => withReplicas(users.revoke(c.caller(), as<"users.revoke">(c))),
    "identities.get": (c) => users.identity(c.caller(), as<"identities.get">(c)),
    "me.get": (c) => users.me(c.caller()),
    "me.keys.put": (c) => users.putKeys(c.caller(), as<"me.keys.put">(c)),
    "session.open": (c) => sessions.open(c.caller(), as<"session.open">(c)),
    "session.close": (c) => sessions.close(c.caller(), as<"session.close">(c)),
    "rooms.create": (c) => rooms.create(c.caller(), as<"rooms.create">(c)),
    "rooms.mine": (c) => rooms.mine(c.caller(), as<"rooms.mine">(c)),
    "rooms.ofCommunity": (c) => rooms.ofCommunity(c.caller(), as<"rooms.ofCommunity">(c)),
    "rooms.extensions": (c) => plane().extensionRooms.list(c.caller(), as<"rooms.extensions">(c)),
    "rooms.get": (c) => rooms.get(c.caller(), as<"rooms.get">(c)),
    "rooms.delete": (c) => rooms.delete(c.caller(), as<"rooms.delete">(c)),
    "rooms.members": (c) => rooms.members(c.caller(), as<"rooms.members">(c)),
    "rooms.invite": (c) => rooms.invite(c.caller(), as<"rooms.invite">(c), precondition(c)),
    "rooms.join": (c) => rooms.join(c.caller(), as<"rooms.join">(c)),
    "rooms.requests": (c) => rooms.requests(c.caller(), as<"rooms.requests">(c)),
    "rooms.decline": (c) => rooms.decline(c.caller(), as<"rooms.decline">(c)),
    "rooms.leave": (c) => rooms.leave(c.caller(), as<"rooms.leave">(c)),
    "rooms.kick": (c) => rooms.kick(c.caller(), as<"rooms.kick">(c), precondition(c)),
    "rooms.role": (c) => rooms.role(c.caller(), as<"rooms.role">(c), precondition(c)),
    "rooms.rekey": (c) => rooms.rekey(c.caller(), as<"rooms.rekey">(c), precondition(c)),
    "rooms.epochs": (c) => rooms.epochs(c.caller(), as<"rooms.epochs">(c)),
    "rooms.history": (c) => rooms.history(c.caller(), as<"rooms.history">(c)),
    "blobs.put": (c) => putBlob(c),
    "blobs.get": (c) => blobs.get(c.caller(), as<"blobs.get">(c)),
    ...extensionHandlers(plane),
    ...eventHandlers(() => plane().community, eventStreams),
    ...hookHandlers(() => plane().community),
    ...jobHandlers(() => plane().community),
    ...membershipHandlers(() => plane().community),
    ...moderationHandlers(() => plane().community),
    ...moduleHandlers(() => plane().community),
    ...proposalHandlers(() => plane().community),
    ...voteHandlers(() => plane().community),
    ...instanceHandlers(bus, plane, () => audit),
  });
}
