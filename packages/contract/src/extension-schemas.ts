/**
 * Packages on HTTP: versions in the registry, installs in a community, executions in the log, trust of the instance.
 *
 * Invariant: an install says what was *granted*, apart from what its manifest *declares*; everything that runs reads the grants.
 */
import { z } from "zod";
import {
  communityIdSchema,
  contentHashSchema,
  endpointIdSchema,
  extensionIdSchema,
  handleSchema,
  installIdSchema,
  ulidSchema,
} from "./ids.ts";
import { timeSchema } from "./schemas.ts";

const text = (max: number) => z.string().max(max);

// --- trust ---

export const trustStateSchema = z.object({
  required: z.boolean(),
  verified: z.boolean(),
  signer: z.object({ kind: z.enum(["key", "certificate"]), id: z.string(), publisherId: z.string() }).optional(),
  chain: z.array(z.object({ subject: z.string(), sha256: z.string(), notAfter: z.string() })),
  reason: z.object({ code: z.string(), text: z.string() }).optional(),
});
export type TrustState = z.infer<typeof trustStateSchema>;

export const trustAnchorSchema = z.object({
  id: z.string().describe("`ed25519:<hex>` or `x509:<sha256 of the certificate>`"),
  kind: z.enum(["key", "certificate"]),
  subject: z.string(),
  notAfter: z.string().optional(),
  /** `file`: from `signing_trust_bundle`, not removable here. */
  source: z.enum(["file", "instance"]),
  addedAt: timeSchema.optional(),
});
export const addTrustSchema = z.strictObject({
  pem: z
    .string()
    .min(1)
    .max(48 * 1024)
    .describe("CERTIFICATE, PUBLIC KEY or X509 CRL blocks"),
});

// --- registry ---

export const packageVersionSchema = z.object({
  name: extensionIdSchema,
  version: z.string(),
  contentHash: contentHashSchema,
  bytes: z.int().nonnegative(),
  publisher: z.object({ id: z.string(), name: z.string() }),
  displayName: z.string(),
  description: z.string().optional(),
  trust: trustStateSchema,
  source: z.string().describe("`publish`, `upload`, or the registry's address"),
  publishedAt: timeSchema,
  publishedBy: endpointIdSchema,
  sbom: z.boolean(),
  deprecated: text(300).optional().describe("Why one should not use it any more"),
  yanked: text(300).optional().describe("Why it may not be installed any more"),
});
export type PackageVersion = z.infer<typeof packageVersionSchema>;
export const packageSummarySchema = z.object({ name: extensionIdSchema, latest: packageVersionSchema, versions: z.int().positive() });
export const markVersionSchema = z.strictObject({ reason: z.string().trim().min(1).max(300), undo: z.boolean().default(false) });

// --- installs ---

export const grantsSchema = z.object({
  capabilities: z.array(z.string()),
  egress: z.array(z.string()),
  events: z.array(z.string()),
  filters: z.array(z.string()),
  jobs: z.array(z.string()),
  /** Endpoints that may be called without signing in, as `GET /path`. */
  publicEndpoints: z.array(z.string()),
  /** Hosts the extension's pages may reach. */
  uiHosts: z.array(z.string()),
});
export type Grants = z.infer<typeof grantsSchema>;

export const installStates = ["installed", "active", "inactive", "awaiting-consent", "quarantined"] as const;
export const installSourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("upload") }),
  z.object({ kind: z.literal("registry"), url: z.string() }),
]);

export const grantsDiffSchema = z.object({ added: grantsSchema, removed: grantsSchema, addsNothing: z.boolean() });

/** One version that was installed here; a rollback brings it back with its settings. */
export const installVersionSchema = z.object({
  version: z.string(),
  contentHash: contentHashSchema,
  installedAt: timeSchema,
  /** null once erased. */
  installedBy: endpointIdSchema.nullable(),
  trust: trustStateSchema,
  granted: grantsSchema,
});

export const installSchema = z.object({
  id: installIdSchema,
  community: communityIdSchema,
  extension: extensionIdSchema,
  displayName: z.string(),
  version: z.string(),
  contentHash: contentHashSchema,
  state: z.enum(installStates),
  /** Set when today's policy or trust does not let it run, whatever its state. */
  blocked: z.object({ rule: z.string(), text: z.string(), who: z.string() }).optional(),
  quarantine: z.object({ reason: z.string(), hint: z.string(), at: timeSchema }).optional(),
  granted: grantsSchema,
  declared: grantsSchema,
  /** An upgrade that waits for consent. */
  pending: z
    .object({
      version: z.string(),
      contentHash: contentHashSchema,
      diff: grantsDiffSchema,
      at: timeSchema,
      manifest: z.record(z.string(), z.unknown()),
      trust: trustStateSchema,
    })
    .optional(),
  settings: z.record(z.string(), z.unknown()).describe("Without secrets"),
  secrets: z.array(z.object({ name: z.string(), setAt: timeSchema, expiresAt: timeSchema.optional(), hosts: z.array(z.string()) })),
  manifest: z.record(z.string(), z.unknown()),
  trust: trustStateSchema,
  source: installSourceSchema,
  /** Origin and path of its pages; absent without UI. */
  uiUrl: z.string().optional(),
  createdAt: timeSchema,
  /** null once erased. */
  createdBy: endpointIdSchema.nullable(),
  revision: z.int().nonnegative(),
});
export type Install = z.infer<typeof installSchema>;

/** What every member sees of a package at work: enough to show its pages. */
export const extensionPagesSchema = installSchema
  .pick({ id: true, extension: true, displayName: true, version: true, uiUrl: true })
  .extend({
    manifest: z
      .object({ ui: z.record(z.string(), z.unknown()), endpoints: z.array(z.record(z.string(), z.unknown())) })
      .describe("Its pages and endpoints"),
  });
export type ExtensionPages = z.infer<typeof extensionPagesSchema>;

export const consentSchema = z.strictObject({
  contentHash: contentHashSchema.describe("The bundle that was shown; another one is refused"),
  /** What is granted; must lie within what the manifest declares. Absent: everything declared. */
  grant: grantsSchema.partial().optional(),
});
export const changeInstallSchema = z.strictObject({
  active: z.boolean().optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
  consent: consentSchema.optional(),
  /** null forgets a secret. */
  secrets: z
    .record(
      z.string().min(1).max(64),
      z.union([
        z.null(),
        z.strictObject({
          value: z
            .string()
            .min(1)
            .max(8 * 1024),
          hosts: z.array(z.string().max(255)).max(20).default([]),
          expiresAt: timeSchema.optional(),
        }),
      ]),
    )
    .optional(),
});
export const installFromRegistrySchema = z.strictObject({
  url: z.string().min(1).max(2_048).describe("https address of a registry's index, or the instance's own as `registry:<name>`"),
  name: extensionIdSchema.optional(),
  version: z.string().max(64).optional(),
});
export const rollbackSchema = z.strictObject({ contentHash: contentHashSchema });

// --- executions ---

export const executionStatuses = ["started", "ok", "error", "timeout", "quota", "denied", "lost"] as const;
export const triggers = ["http", "event", "filter", "job"] as const;
export const executionSchema = z.object({
  id: ulidSchema,
  requestId: z.string(),
  community: communityIdSchema,
  install: installIdSchema,
  extension: extensionIdSchema,
  version: z.string(),
  contentHash: contentHashSchema,
  trigger: z.enum(triggers),
  /** Endpoint, topic, point or job. */
  name: z.string(),
  actor: handleSchema.optional(),
  status: z.enum(executionStatuses),
  code: z.string().optional(),
  detail: z.string().optional(),
  httpStatus: z.int().optional(),
  startedAt: timeSchema,
  durationMs: z.number().nonnegative().optional(),
  fuel: z.int().nonnegative().optional(),
  peakMemoryBytes: z.int().nonnegative().optional(),
  hostCalls: z.int().nonnegative().optional(),
  egressBytes: z.int().nonnegative().optional(),
  log: z.array(z.object({ at: z.number().describe("ms since the start"), level: z.string(), message: z.string() })).optional(),
});
export type Execution = z.infer<typeof executionSchema>;

export const usageSchema = z.object({
  limits: z.array(
    z.object({ quota: z.string(), used: z.number(), limit: z.number(), unit: z.string(), state: z.enum(["ok", "warning", "exhausted"]) }),
  ),
  hours: z.array(
    z.object({ hour: timeSchema, calls: z.int(), errors: z.int(), fuel: z.int(), wallTimeMs: z.number(), egressBytes: z.int() }),
  ),
});
export type Usage = z.infer<typeof usageSchema>;
