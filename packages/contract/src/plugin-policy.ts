/**
 * What a community lets third-party packages do, and what the instance says above it.
 *
 * Invariant: one schema for both levels; a community keeps only what it set, so that a changed default reaches it. What results is computed
 * in one place (`effectivePolicy` of @althing/policy) and nowhere parsed a second time. docs/architecture/plugin-policy.md.
 */
import { z } from "zod";

export const trustModes = ["signed_only", "trusted_publishers", "allow_unsigned"] as const;
export const installSources = ["upload", "registry"] as const;

const hostPatterns = z.array(z.string().min(1).max(255)).max(100);

/** Units are in the names; quotas count over (community, extension) but `requestsPerSecond`, which the community shares. */
export const pluginLimitsSchema = z.strictObject({
  fuel: z.int().min(1_000).describe("Units of one invocation"),
  timeMs: z.int().min(10).max(600_000).describe("Wall clock of one invocation"),
  memoryBytes: z.int().min(65_536).describe("All memories of one invocation"),
  concurrency: z.int().min(1).describe("Running invocations of one extension"),
  communityConcurrency: z.int().min(1).describe("Running invocations of the community"),
  requestsPerSecond: z.number().positive().describe("To one extension"),
  communityRequestsPerSecond: z.number().positive().describe("To all extensions of the community"),
  fuelPerHour: z.int().min(1_000),
  wallTimeMsPerHour: z.int().min(1_000),
  egressBytesPerDay: z.int().nonnegative(),
  kvBytes: z.int().nonnegative(),
});
export type PluginLimits = z.infer<typeof pluginLimitsSchema>;

export const pluginPolicySchema = z.strictObject({
  trust: z.enum(trustModes),
  trustedPublishers: z.array(z.string().min(1).max(300)).max(200).describe("Publisher ids, for `trusted_publishers`"),
  installSources: z.array(z.enum(installSources)).max(2),
  registryAllowlist: hostPatterns.describe("Hosts packages may be installed from; empty: none"),
  outboundHttp: z.strictObject({ enabled: z.boolean(), allowlist: hostPatterns }),
  backgroundJobs: z.boolean(),
  publicEndpoints: z.boolean(),
  limits: pluginLimitsSchema.partial(),
});
/** A full policy but for limits, which fall back key by key. */
export type PluginPolicy = z.infer<typeof pluginPolicySchema>;
export type PluginPolicyKey = keyof PluginPolicy;

/** What a community sets; absent keys follow the instance. */
export const pluginPolicyChangeSchema = pluginPolicySchema.partial();
export type PluginPolicyChange = z.infer<typeof pluginPolicyChangeSchema>;

/** The instance's word on every key: what holds when nothing is set, how far a community may go, and what it may not set. */
export const instancePluginPolicySchema = z.strictObject({
  defaults: pluginPolicyChangeSchema.default({}),
  ceilings: pluginPolicyChangeSchema.default({}),
  locks: z.array(z.enum(Object.keys(pluginPolicySchema.shape) as [PluginPolicyKey, ...PluginPolicyKey[]])).default([]),
});
export type InstancePluginPolicy = z.infer<typeof instancePluginPolicySchema>;

export const policyLevels = ["product", "instance_default", "instance_ceiling", "instance_lock", "community", "grant"] as const;
/** Why a value is as it is. */
export const policyReasonSchema = z.object({
  level: z.enum(policyLevels),
  text: z.string(),
  /** Who can change it. */
  who: z.string(),
});
export type PolicyReason = z.infer<typeof policyReasonSchema>;

export const effectivePolicySchema = z.object({
  values: pluginPolicySchema.extend({ limits: pluginLimitsSchema }),
  /** By key; limits as `limits.<name>`. */
  reasons: z.record(z.string(), policyReasonSchema),
});
export type EffectivePolicy = z.infer<typeof effectivePolicySchema>;

export const pluginPolicyViewSchema = z.object({
  community: pluginPolicyChangeSchema,
  effective: effectivePolicySchema,
  instance: instancePluginPolicySchema,
  revision: z.int().nonnegative(),
});

export const instancePluginPolicyViewSchema = instancePluginPolicySchema.extend({ revision: z.int().nonnegative() });

/** What a policy would stop, judged by what runs now and by the log of the last seven days. */
export const policyDryRunSchema = z.object({
  effective: effectivePolicySchema,
  blocks: z.array(
    z.object({
      kind: z.enum(["install", "job", "host", "endpoint"]),
      install: z.string(),
      extension: z.string(),
      name: z.string().describe("Job, host or endpoint; the package's name for an install"),
      rule: z.string().describe("Policy key that decides"),
      text: z.string(),
      /** Calls of the last seven days that would have been refused. */
      calls: z.int().nonnegative(),
    }),
  ),
});
