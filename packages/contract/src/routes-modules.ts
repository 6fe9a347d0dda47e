/**
 * Built-in modules on HTTP; rows as in `routes.ts`.
 *
 * Invariant: settings are set whole; what is not sent goes back to its default.
 */
import { z } from "zod";
import { communityRefSchema } from "./community-schemas.ts";
import { changeModuleSchema, moduleNames, moduleSchema } from "./module-schemas.ts";
import type { Route } from "./route.ts";

const community = z.strictObject({ community: communityRefSchema });
const one = community.extend({ module: z.enum(moduleNames) });
const found = ["community.not_found", "auth.forbidden"] as const;

export const moduleRoutes = {
  "modules.list": {
    method: "GET",
    path: "/api/communities/:community/modules",
    class: "user",
    permission: "communities.use",
    summary: "Built-in modules, enabled or not, with their settings; for members and holders of plugins.read.",
    params: community,
    status: 200,
    response: z.object({ modules: z.array(moduleSchema) }),
    errors: [...found],
  },
  "modules.get": {
    method: "GET",
    path: "/api/communities/:community/modules/:module",
    class: "user",
    permission: "communities.use",
    summary: "One built-in module; for members and holders of plugins.read.",
    params: one,
    status: 200,
    response: moduleSchema,
    errors: [...found],
  },
  "modules.change": {
    method: "PUT",
    path: "/api/communities/:community/modules/:module",
    class: "user",
    permission: "plugins.settings.manage",
    summary: "Enable, disable or set a built-in module.",
    params: one,
    body: changeModuleSchema,
    status: 200,
    response: moduleSchema,
    errors: [...found, "module.settings_invalid"],
  },
} as const satisfies Record<string, Route>;
