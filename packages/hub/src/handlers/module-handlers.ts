/** Which method answers which route of `routes-modules.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { moduleRoutes } from "@althing/contract";
import { inputOf, precondition, type Handler } from "./handler.ts";

export function moduleHandlers(plane: () => CommunityPlane) {
  return {
    "modules.list": (c) => plane().modules.list(c.caller(), inputOf<"modules.list">(c)),
    "modules.get": (c) => plane().modules.get(c.caller(), inputOf<"modules.get">(c)),
    "modules.change": (c) => plane().modules.change(c.caller(), inputOf<"modules.change">(c), precondition(c)),
  } as const satisfies Record<keyof typeof moduleRoutes, Handler>;
}
