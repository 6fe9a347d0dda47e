/**
 * The built-in modules of a community and their settings.
 *
 * Invariant: a module that is not enabled refuses everything of its own with `module.disabled`; settings are complete: what a community did not set has the
 * default of the schema.
 */
import { z } from "zod";
import { blockSchema, lineSchema } from "./text-schemas.ts";

const days = (max: number) => z.int().min(1).max(max);

export const moduleSettings = {
  proposals: z.strictObject({
    discussionDays: z.int().min(0).max(90).default(0).describe("Shortest time between discussion and vote"),
    votingDays: days(90).default(7).describe("How long a vote is open when its author says nothing else"),
    closingSoonHours: z.int().min(1).max(72).default(24).describe("How long before the end the notice comes"),
  }),
  voting: z.strictObject({
    secretBallots: z.boolean().default(true).describe("May votes be secret"),
    voidAfterDays: days(90).default(7).describe("How long a trustee has to open secret ballots before the vote may be declared void"),
  }),
  delegation: z.strictObject({
    topics: z.array(lineSchema(64)).max(50).default([]).describe("Topics that can be delegated apart"),
  }),
  moderation: z.strictObject({
    appealDays: days(90).default(20).describe("How long an action can be appealed"),
  }),
  announcements: z.strictObject({
    weeklyDigest: z.boolean().default(false).describe("Make a digest of the week's events every Monday"),
  }),
  welcome: z.strictObject({
    rules: blockSchema(20_000).default("").describe("To be accepted by everybody who joins"),
    questions: z
      .array(z.strictObject({ id: z.string().regex(/^[a-z][a-z0-9_]{0,31}$/), text: lineSchema(500), required: z.boolean().default(true) }))
      .max(10)
      .default([]),
  }),
} as const satisfies Record<string, z.ZodObject>;

export type ModuleName = keyof typeof moduleSettings;
export type ModuleSettings<M extends ModuleName> = z.output<(typeof moduleSettings)[M]>;
export const moduleNames = Object.keys(moduleSettings) as [ModuleName, ...ModuleName[]];
/** What a new community begins with. */
export const modulesAtFounding: readonly ModuleName[] = ["proposals", "voting", "delegation", "moderation", "announcements", "welcome"];

export const moduleSchema = z.object({
  module: z.enum(moduleNames),
  enabled: z.boolean(),
  settings: z.record(z.string(), z.unknown()),
  revision: z.int().nonnegative(),
});
export type ModuleState = z.infer<typeof moduleSchema>;
export const changeModuleSchema = z.strictObject({
  enabled: z.boolean().optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});
