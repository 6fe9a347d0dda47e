/**
 * What whoever runs an instance reads about it: what was done to it, and what its packages use.
 *
 * Invariant: entries of the audit log form a hash chain (docs/architecture/hub.md, "Audit"), so that one that was changed or left out shows.
 */
import { z } from "zod";
import {
  communityIdSchema,
  communityNameSchema,
  endpointIdSchema,
  extensionIdSchema,
  handleSchema,
  installIdSchema,
  ulidSchema,
} from "./ids.ts";
import { timeSchema } from "./schemas.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** `unknown`: the hub ended while it worked on it. */
export const auditOutcomes = ["done", "refused", "unknown"] as const;

export const auditEntrySchema = z.object({
  index: z.int().positive(),
  id: ulidSchema,
  time: timeSchema,
  /** null: nobody yet, as for whoever claims the instance. */
  actor: z.object({ endpoint: endpointIdSchema, handle: handleSchema }).nullable(),
  act: z.string().describe("Name of the route"),
  /** What it was done to, by the names of the request's fields. */
  target: z.record(z.string(), z.string()),
  outcome: z.enum(auditOutcomes),
  code: z.string().optional().describe("Of the refusal"),
  previous: hash,
  hash,
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

const sums = { calls: z.int(), errors: z.int(), fuel: z.int(), wallTimeMs: z.number(), egressBytes: z.int() };

export const instanceUsageSchema = z.object({
  users: z.object({ active: z.int(), revoked: z.int() }),
  communities: z.int(),
  packages: z.int().describe("Installs of all communities"),
  /** Ascending; hours without calls are left out. */
  hours: z.array(z.object({ hour: timeSchema, ...sums })),
  /** Those that used most time first. */
  top: z.array(
    z.object({
      community: communityIdSchema,
      communityName: communityNameSchema,
      install: installIdSchema,
      extension: extensionIdSchema,
      ...sums,
    }),
  ),
});
export type InstanceUsage = z.infer<typeof instanceUsageSchema>;
