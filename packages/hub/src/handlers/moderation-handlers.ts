/** Which method answers which route of `routes-moderation.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { moderationRoutes } from "@althing/contract";
import { inputOf, precondition, type Handler } from "./handler.ts";

export function moderationHandlers(plane: () => CommunityPlane) {
  return {
    "moderation.ledger": (c) => plane().moderation.ledger(c.caller(), inputOf<"moderation.ledger">(c)),
    "moderation.mine": (c) => plane().moderation.mine(c.caller(), inputOf<"moderation.mine">(c)),
    "moderation.act": (c) => plane().moderation.act(c.caller(), inputOf<"moderation.act">(c)),
    "moderation.lift": (c) => plane().moderation.lift(c.caller(), inputOf<"moderation.lift">(c)),
    "moderation.appeal": (c) => plane().moderation.appeal(c.caller(), inputOf<"moderation.appeal">(c)),
    "moderation.decide": (c) => plane().moderation.decide(c.caller(), inputOf<"moderation.decide">(c)),
    "announcements.list": (c) => plane().announcements.list(c.caller(), inputOf<"announcements.list">(c)),
    "announcements.post": (c) => plane().announcements.post(c.caller(), inputOf<"announcements.post">(c)),
    "announcements.change": (c) => plane().announcements.change(c.caller(), inputOf<"announcements.change">(c), precondition(c)),
    "announcements.remove": (c) => plane().announcements.remove(c.caller(), inputOf<"announcements.remove">(c)),
  } as const satisfies Record<keyof typeof moderationRoutes, Handler>;
}
