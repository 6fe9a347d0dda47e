/** Which method answers which route of `routes-votes.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { voteRoutes } from "@althing/contract";
import { inputOf, type Handler } from "./handler.ts";

export function voteHandlers(plane: () => CommunityPlane) {
  const casting = () => plane().votes.casting;
  const opening = () => plane().votes.opening;
  const records = () => plane().votes.records;
  const delegations = () => plane().delegations;
  return {
    "votes.paper": (c) => casting().paper(c.caller(), inputOf<"votes.paper">(c)),
    "votes.cast": (c) => casting().cast(c.caller(), inputOf<"votes.cast">(c)),
    "votes.castSealed": (c) => casting().castSealed(c.caller(), inputOf<"votes.castSealed">(c)),
    "votes.withdraw": (c) => casting().withdraw(c.caller(), inputOf<"votes.withdraw">(c)),
    "votes.ballots": (c) => records().ballots(c.caller(), inputOf<"votes.ballots">(c)),
    "votes.export": (c) => records().head(c.caller(), inputOf<"votes.export">(c)),
    "votes.exportPage": (c) => records().page(c.caller(), inputOf<"votes.exportPage">(c)),
    "votes.putKey": (c) => opening().putKey(c.caller(), inputOf<"votes.putKey">(c)),
    "votes.startOpening": (c) => opening().start(c.caller(), inputOf<"votes.startOpening">(c)),
    "votes.sealedBallots": (c) => opening().sealedBallots(c.caller(), inputOf<"votes.sealedBallots">(c)),
    "votes.publish": (c) => opening().publish(c.caller(), inputOf<"votes.publish">(c)),
    "votes.finishOpening": (c) => opening().finish(c.caller(), inputOf<"votes.finishOpening">(c)),
    "votes.restartOpening": (c) => opening().restart(c.caller(), inputOf<"votes.restartOpening">(c)),
    "votes.declareVoid": (c) => opening().declareVoid(c.caller(), inputOf<"votes.declareVoid">(c)),
    "delegations.list": (c) => delegations().list(c.caller(), inputOf<"delegations.list">(c)),
    "delegations.give": (c) => delegations().give(c.caller(), inputOf<"delegations.give">(c)),
    "delegations.revoke": (c) => delegations().revoke(c.caller(), inputOf<"delegations.revoke">(c)),
    "delegations.weight": (c) => delegations().weight(c.caller(), inputOf<"delegations.weight">(c)),
  } as const satisfies Record<keyof typeof voteRoutes, Handler>;
}
