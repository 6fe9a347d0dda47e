/**
 * How the answer of a change is made again that was committed by a process which died before it answered.
 *
 * Invariant: nothing here changes anything that the first request did not: an answer is what was noted with the commit, or is read, or comes of doing again
 * what finds itself done. A route that is not here has lost its answer then (`request.answer_lost`); docs/architecture/hub.md says which and why.
 */
import type { Bus } from "@althing/bus";
import { AppError, communityIdSchema, hasCode, routes, type ErrorCode, type Route, type RouteName } from "@althing/contract";
import { z } from "zod";
import type { ExtensionPlane } from "../extension-plane.ts";
import type { SignedRoute } from "../handlers.ts";
import { inputOf, type Call, type Handler } from "./handler.ts";

/** @param noted what was decided, as it was noted */
export type Recovery = (call: Call, noted: unknown) => Promise<unknown>;

export interface Recoveries {
  of(route: RouteName): Recovery | undefined;
  /** Is the answer of this route what its act decided? */
  isNoted(route: RouteName): boolean;
}

/** Their answer is what their act decided. */
const notedRoutes = [
  ...(["claim.post", "join.post", "invitations.create", "users.add"] as const),
  ...(["communities.addMember", "communities.setRoles", "communities.invite", "communities.join", "communities.joinByInvitation"] as const),
  ...(["communities.approve", "delegations.give", "votes.cast", "votes.castSealed"] as const),
  ...(["moderation.act", "moderation.lift", "moderation.appeal", "moderation.decide"] as const),
  ...(["proposals.create", "proposals.edit", "proposals.discuss", "proposals.open", "proposals.extend", "proposals.close"] as const),
  ...(["proposals.withdraw", "proposals.amend", "proposals.decideAmendment"] as const),
] satisfies readonly SignedRoute[];

/** Done again they find what is there, and go on where they stopped. */
const repeatedRoutes = [
  ...(["blobs.put", "rooms.join", "trust.add", "registry.deprecate", "registry.yank"] as const),
  ...(["votes.startOpening", "deadLetters.replay", "deadLetters.discard"] as const),
] satisfies readonly SignedRoute[];

/** Ends that take several steps: done again until there is nothing left. */
const endedRoutes = {
  "communities.delete": "community.not_found",
  "communities.erase": "community.not_found",
  "packages.remove": "install.not_found",
} as const satisfies Partial<Record<SignedRoute, ErrorCode>>;

/** Their answer is read: it has a revision, or more than the act decided. */
function readRoutes(bus: Bus, plane: () => ExtensionPlane) {
  const { users, rooms } = bus;
  const as = inputOf;
  const inRoom = async (c: Call) => {
    const room = await rooms.get(c.caller(), as<"rooms.get">(c));
    return { room, aclRevision: room.aclRevision };
  };
  const community = (c: Call, noted: unknown) => plane().communities.get(c.caller(), { community: communityIdSchema.parse(noted) });
  const role = async (c: Call, input: { readonly community: string; readonly role: string }) =>
    (await plane().community.roles.list(c.caller(), input)).roles.find((one) => one.role === input.role);
  const announcements = () => plane().community.announcements;
  const comments = () => plane().community.proposals.comments;
  return {
    "me.keys.put": (c) => users.me(c.caller()),
    "users.revoke": async (_c, noted) => {
      // It is answered when the connections are closed.
      await bus.acl.request();
      return notedAnswer(routes["users.revoke"], noted);
    },
    "founding.ask": async (c) => (await plane().community.founding.list(c.caller(), { limit: 1 })).requests[0],
    "rooms.create": (c) => rooms.get(c.caller(), { room: as<"rooms.create">(c).id }),
    ...{ "rooms.invite": inRoom, "rooms.kick": inRoom, "rooms.role": inRoom, "rooms.rekey": inRoom },
    ...{ "communities.create": community, "founding.approve": community },
    "communities.change": (c) => plane().communities.get(c.caller(), as<"communities.change">(c)),
    "policy.put": (c) => plane().policies.get(c.caller(), as<"policy.put">(c)),
    "instancePolicy.put": () => plane().policies.instance(),
    "roles.create": (c) => role(c, as<"roles.create">(c)),
    "roles.change": (c) => role(c, as<"roles.change">(c)),
    "modules.change": (c) => plane().community.modules.get(c.caller(), as<"modules.change">(c)),
    "announcements.post": (c, noted) =>
      announcements().one(c.caller(), { community: as<"announcements.post">(c).community, announcement: z.string().parse(noted) }),
    "announcements.change": (c) => announcements().one(c.caller(), as<"announcements.change">(c)),
    "proposals.comment": (c, noted) => comments().one(c.caller(), { ...as<"proposals.comment">(c), comment: z.string().parse(noted) }),
    "proposals.editComment": (c) => comments().one(c.caller(), as<"proposals.editComment">(c)),
    "proposals.removeComment": (c) => comments().one(c.caller(), as<"proposals.removeComment">(c)),
    "packages.installRegistry": (c) => {
      const { community: where, name } = as<"packages.installRegistry">(c);
      if (name === undefined) throw new AppError("request.answer_lost");
      return plane().installs.get(c.caller(), { community: where, install: name });
    },
    "packages.change": (c) => plane().installs.get(c.caller(), as<"packages.change">(c)),
    "packages.rollback": (c) => plane().installs.get(c.caller(), as<"packages.rollback">(c)),
    "packages.retry": (c) => plane().installs.get(c.caller(), as<"packages.retry">(c)),
  } as const satisfies Partial<Record<SignedRoute, Recovery>>;
}

/** @param handlerOf each route, for those that are done again */
export function createRecoveries(bus: Bus, plane: () => ExtensionPlane, handlerOf: (route: SignedRoute) => Handler): Recoveries {
  const noted: ReadonlySet<RouteName> = new Set(notedRoutes);
  const ended = (route: keyof typeof endedRoutes): Recovery => {
    const gone = endedRoutes[route];
    return (call) => handlerOf(route)(call).catch((error: unknown) => (hasCode(error, gone) ? undefined : Promise.reject(error)));
  };
  const table: Readonly<Partial<Record<RouteName, Recovery>>> = {
    ...readRoutes(bus, plane),
    ...Object.fromEntries(notedRoutes.map((route) => [route, (_call: Call, decided: unknown) => notedAnswer(routes[route], decided)])),
    ...Object.fromEntries(repeatedRoutes.map((route) => [route, handlerOf(route)])),
    ...{ "communities.delete": ended("communities.delete"), "communities.erase": ended("communities.erase") },
    "packages.remove": ended("packages.remove"),
  };
  return {
    of(route) {
      const { status }: Route = routes[route];
      // Where nothing is answered there is nothing to make again.
      return table[route] ?? (status === 204 ? () => Promise.resolve(undefined) : undefined);
    },
    isNoted: (route) => noted.has(route),
  };
}

/** @throws {request.answer_lost} it was too large to be noted */
async function notedAnswer({ response }: Route, decided: unknown): Promise<unknown> {
  if (decided === undefined) throw new AppError("request.answer_lost");
  return response?.parse(decided);
}
