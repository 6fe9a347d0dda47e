/** Which method answers which route of `routes-proposals.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { proposalRoutes } from "@althing/contract";
import { inputOf, precondition, type Handler } from "./handler.ts";

export function proposalHandlers(plane: () => CommunityPlane) {
  const proposals = () => plane().proposals;
  return {
    "proposals.create": (c) => proposals().create(c.caller(), inputOf<"proposals.create">(c)),
    "proposals.list": (c) => proposals().list(c.caller(), inputOf<"proposals.list">(c)),
    "proposals.get": (c) => proposals().get(c.caller(), inputOf<"proposals.get">(c)),
    "proposals.edit": (c) => proposals().edit(c.caller(), inputOf<"proposals.edit">(c), precondition(c)),
    "proposals.versions": (c) => proposals().versions(c.caller(), inputOf<"proposals.versions">(c)),
    "proposals.version": (c) => proposals().version(c.caller(), inputOf<"proposals.version">(c)),
    "proposals.discuss": (c) => proposals().discuss(c.caller(), inputOf<"proposals.discuss">(c)),
    "proposals.open": (c) => proposals().open(c.caller(), inputOf<"proposals.open">(c), precondition(c)),
    "proposals.extend": (c) => proposals().extend(c.caller(), inputOf<"proposals.extend">(c)),
    "proposals.close": (c) => proposals().close(c.caller(), inputOf<"proposals.close">(c)),
    "proposals.withdraw": (c) => proposals().withdraw(c.caller(), inputOf<"proposals.withdraw">(c)),
    "proposals.amend": (c) => proposals().amendments.propose(c.caller(), inputOf<"proposals.amend">(c)),
    "proposals.amendments": (c) => proposals().amendments.list(c.caller(), inputOf<"proposals.amendments">(c)),
    "proposals.amendment": (c) => proposals().amendments.get(c.caller(), inputOf<"proposals.amendment">(c)),
    "proposals.decideAmendment": (c) => proposals().amendments.decide(c.caller(), inputOf<"proposals.decideAmendment">(c)),
    "proposals.comment": (c) => proposals().comments.add(c.caller(), inputOf<"proposals.comment">(c)),
    "proposals.comments": (c) => proposals().comments.list(c.caller(), inputOf<"proposals.comments">(c)),
    "proposals.editComment": (c) => proposals().comments.edit(c.caller(), inputOf<"proposals.editComment">(c), precondition(c)),
    "proposals.removeComment": (c) => proposals().comments.remove(c.caller(), inputOf<"proposals.removeComment">(c)),
  } as const satisfies Record<keyof typeof proposalRoutes, Handler>;
}
