/**
 * Jobs of packages on HTTP; rows as in `routes.ts`.
 *
 * Invariant: as there.
 */
import { z } from "zod";
import { communityRefSchema } from "./community-schemas.ts";
import { extensionIdSchema, installIdSchema } from "./ids.ts";
import { jobNameSchema, jobRunSchema, jobSchema } from "./job-schemas.ts";
import type { Route } from "./route.ts";

const install = z.strictObject({ community: communityRefSchema, install: z.union([installIdSchema, extensionIdSchema]) });
const found = ["community.not_found", "auth.forbidden", "install.not_found"] as const;

export const jobRoutes = {
  "jobs.list": {
    method: "GET",
    path: "/api/communities/:community/plugin-packages/:install/jobs",
    class: "user",
    permission: "plugins.read",
    summary: "Jobs that a package declares: when each runs next, why not, and how its last runs ended.",
    params: install,
    status: 200,
    response: z.object({ jobs: z.array(jobSchema) }),
    errors: [...found],
  },
  "jobs.run": {
    method: "POST",
    path: "/api/communities/:community/plugin-packages/:install/jobs/:name/run",
    class: "user",
    permission: "plugins.packages.manage",
    summary: "Run a job now; its schedule stays as it is.",
    params: install.extend({ name: jobNameSchema }),
    body: z.strictObject({}),
    status: 202,
    response: jobRunSchema,
    errors: [...found, "job.not_found", "job.running", "job.blocked"],
  },
} as const satisfies Record<string, Route>;
