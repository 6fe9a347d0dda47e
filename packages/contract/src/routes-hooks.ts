/**
 * Dead letters of event hooks on HTTP; rows as in `routes.ts`.
 *
 * Invariant: as there.
 */
import { z } from "zod";
import { communityRefSchema } from "./community-schemas.ts";
import * as h from "./hook-schemas.ts";
import { extensionIdSchema, installIdSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import type { Route } from "./route.ts";

const install = z.strictObject({ community: communityRefSchema, install: z.union([installIdSchema, extensionIdSchema]) });
const index = z.coerce.number().int().positive();
const installed = ["community.not_found", "auth.forbidden", "install.not_found"] as const;

export const hookRoutes = {
  "deadLetters.list": {
    method: "GET",
    path: "/api/communities/:community/plugin-packages/:install/dead-letters",
    class: "user",
    permission: "plugins.read",
    summary: "Events that a package could not take, oldest first.",
    params: install,
    query: z.strictObject({
      after: index.optional(),
      limit: z.coerce.number().int().min(1).max(limits.deadLettersPageMax).default(100),
    }),
    status: 200,
    response: h.deadLetterPageSchema,
    errors: [...installed],
  },
  "deadLetters.replay": {
    method: "POST",
    path: "/api/communities/:community/plugin-packages/:install/dead-letters/replay",
    class: "user",
    permission: "plugins.packages.manage",
    summary: "Tell the package again, once for each letter, those that wait longest first; what it takes now is no letter any more.",
    params: install,
    body: h.chooseLettersSchema,
    status: 200,
    response: h.replayResultSchema,
    errors: [...installed, "hook.letter_not_found"],
  },
  "deadLetters.discard": {
    method: "POST",
    path: "/api/communities/:community/plugin-packages/:install/dead-letters/discard",
    class: "user",
    permission: "plugins.packages.manage",
    summary: "Give up letters for good.",
    params: install,
    body: h.chooseLettersSchema,
    status: 200,
    response: h.discardResultSchema,
    errors: [...installed, "hook.letter_not_found"],
  },
} as const satisfies Record<string, Route>;
