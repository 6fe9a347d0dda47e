/** Routes for whoever runs the instance; rows as in `routes.ts`. */
import { z } from "zod";
import { auditEntrySchema, instanceUsageSchema } from "./instance-schemas.ts";
import { limits } from "./limits.ts";
import type { Route } from "./route.ts";

export const instanceRoutes = {
  "instance.audit": {
    method: "GET",
    path: "/api/instance/audit",
    class: "user",
    permission: "instance.read",
    summary: "What was done to the instance, newest first; `before` is the index to go on from. A hash chain.",
    query: z.strictObject({
      before: z.coerce.number().int().positive().optional(),
      limit: z.coerce.number().int().min(1).max(limits.auditPageMax).default(50),
    }),
    status: 200,
    response: z.object({ entries: z.array(auditEntrySchema), next: z.int().optional() }),
    errors: ["auth.forbidden"],
  },
  "instance.usage": {
    method: "GET",
    path: "/api/instance/usage",
    class: "user",
    permission: "instance.read",
    summary: "People, communities and what packages have used, by the hour.",
    query: z.strictObject({ hours: z.coerce.number().int().min(1).max(168).default(24) }),
    status: 200,
    response: instanceUsageSchema,
    errors: ["auth.forbidden"],
  },
} as const satisfies Record<string, Route>;
