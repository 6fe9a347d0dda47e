/** Which method answers which route of `routes-hooks.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { hookRoutes } from "@althing/contract";
import { inputOf, type Handler } from "./handler.ts";

export function hookHandlers(plane: () => CommunityPlane) {
  const letters = () => plane().hooks.deadLetters;
  return {
    "deadLetters.list": (c) => letters().list(c.caller(), inputOf<"deadLetters.list">(c)),
    "deadLetters.replay": (c) => letters().replay(c.caller(), inputOf<"deadLetters.replay">(c)),
    "deadLetters.discard": (c) => letters().discard(c.caller(), inputOf<"deadLetters.discard">(c)),
  } as const satisfies Record<keyof typeof hookRoutes, Handler>;
}
