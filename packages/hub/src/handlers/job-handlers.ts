/** Which method answers which route of `routes-jobs.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import type { jobRoutes } from "@althing/contract";
import { inputOf, type Handler } from "./handler.ts";

export function jobHandlers(plane: () => CommunityPlane) {
  return {
    "jobs.list": (c) => plane().jobs.list(c.caller(), inputOf<"jobs.list">(c)),
    "jobs.run": (c) => plane().jobs.run(c.caller(), inputOf<"jobs.run">(c)),
  } as const satisfies Record<keyof typeof jobRoutes, Handler>;
}
