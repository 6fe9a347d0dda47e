/**
 * What hub and runner say to each other over HTTP: invocations one way, bundles and the broker the other way.
 *
 * Invariant: both sides check everything they read. A frame is `u32 big-endian length of head | head (JSON) | body bytes`, so that a body of
 * megabytes is never turned into text. The boot token stands in `authorization: Bearer`; the broker takes the token of one invocation, which
 * is void when that ends. docs/architecture/runner.md.
 */
import { z } from "zod";
import { otlpEndpointSchema, privateHostSchema } from "./config.ts";
import { communityIdSchema, contentHashSchema, extensionIdSchema, installIdSchema } from "./ids.ts";

const fields = z.array(z.tuple([z.string(), z.string()])).max(200);
const positive = z.int().positive();

export const invocationLimitsSchema = z.strictObject({
  fuel: positive,
  timeMs: positive,
  memoryBytes: positive,
  hostCalls: z.int().nonnegative(),
  logBytes: z.int().nonnegative(),
  liftedBytes: positive,
  resultBytes: positive,
  fetches: z.int().nonnegative(),
  egressBytes: z.int().nonnegative().describe("What is left of today's quota"),
});
export type InvocationLimits = z.infer<typeof invocationLimitsSchema>;

export const invocationCallSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("http"), method: z.string(), path: z.string(), query: z.string(), params: fields, headers: fields }),
  z.strictObject({
    kind: z.literal("event"),
    topic: z.string(),
    index: z.int().nonnegative(),
    id: z.string(),
    time: z.string(),
    actor: z.string(),
    subject: z.string(),
    data: z.string(),
    depth: z.int().nonnegative(),
  }),
  z.strictObject({ kind: z.literal("filter"), point: z.string(), payload: z.string() }),
  z.strictObject({ kind: z.literal("job"), name: z.string(), slot: z.string() }),
]);
export type InvocationCall = z.infer<typeof invocationCallSchema>;

/** A place in a trace, as W3C Trace Context writes it. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly flags: number;
}

const traceparentGrammar = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a `traceparent` header of this version or a later one; `undefined` when it is none. */
export function parseTraceparent(text: string): TraceParent | undefined {
  const [, version, traceId, spanId, flags = "", rest] = traceparentGrammar.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || (version === "00" && rest !== undefined)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Head of `POST /v1/execute`; the body is the HTTP body of an `http` call, else empty. */
export const executeHeadSchema = z.strictObject({
  requestId: z.string().min(1).max(64),
  community: communityIdSchema,
  install: installIdSchema,
  extension: extensionIdSchema,
  version: z.string(),
  contentHash: contentHashSchema,
  actor: z.strictObject({ id: z.string(), handle: z.string(), permissions: z.array(z.string()) }).optional(),
  settings: z.string().describe("JSON"),
  call: invocationCallSchema,
  limits: invocationLimitsSchema,
  capabilities: z.array(z.string()).describe("Granted and allowed by today's policy"),
  egress: z.array(z.string()).describe("Hosts granted, within community and instance policy; empty: none"),
  /** Where the hub's broker answers, and the token of this invocation. */
  broker: z.strictObject({ url: z.string(), token: z.string().length(43) }),
  traceparent: z.string().max(64).optional(),
});
export type ExecuteHead = z.infer<typeof executeHeadSchema>;

/** Of `POST /v1/execute`, whole milliseconds: so long the hub waits for the answer. A header, because heads are strict and hubs and runners are not upgraded together. */
export const executeDeadlineHeader = "x-deadline-ms";

export const logLineSchema = z.object({ at: z.number(), level: z.enum(["debug", "info", "warn", "error"]), message: z.string() });
export type LogLine = z.infer<typeof logLineSchema>;

/** How an invocation ended. `failed` names the code that the gateway answers with. */
export const invocationOutcomeSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("response"), status: z.int().min(0).max(65_535), headers: fields }),
  z.object({ kind: z.literal("done"), note: z.string() }),
  z.object({ kind: z.literal("accept"), payload: z.string() }),
  z.object({ kind: z.literal("refuse"), reason: z.string() }),
  z.object({
    kind: z.literal("failed"),
    code: z.enum([
      "ext.trap",
      "ext.timeout",
      "ext.quota_exceeded",
      "ext.capability_denied",
      "ext.response_too_large",
      "ext.integrity",
      "ext.unavailable",
    ]),
    rule: z.string(),
    detail: z.string(),
  }),
]);
export type InvocationOutcome = z.infer<typeof invocationOutcomeSchema>;

/** Head of the answer (always 200 once the request was understood); the body is that of a `response`. */
export const executeResultSchema = z.object({
  outcome: invocationOutcomeSchema,
  usage: z.object({
    durationMs: z.number().nonnegative(),
    fuel: z.int().nonnegative(),
    peakMemoryBytes: z.int().nonnegative(),
    hostCalls: z.int().nonnegative(),
    fetches: z.int().nonnegative(),
    egressBytes: z.int().nonnegative(),
  }),
  log: z.array(logLineSchema),
  /** Metrics recorded by the guest. */
  metrics: z.array(z.object({ kind: z.enum(["counter", "gauge", "histogram"]), name: z.string(), labels: fields, value: z.number() })),
});
export type ExecuteResult = z.infer<typeof executeResultSchema>;

/** `POST /v1/prepare`: JSON both ways; fetches the bundle by hash, prepares its component, keeps it. */
export const prepareRequestSchema = z.strictObject({ contentHash: contentHashSchema });
export const prepareResultSchema = z.object({
  contentHash: contentHashSchema,
  componentSha256: z.string(),
  profile: z.enum(["extension", "wasi-http"]),
  imports: z.array(z.string()).describe("Interfaces it imports"),
  preparedMs: z.number(),
});
export type PrepareResult = z.infer<typeof prepareResultSchema>;

export const runnerHealthSchema = z.object({
  status: z.enum(["ready", "stopping"]),
  isolation: z.enum(["permission-model", "permission-model+uid", "permission-model+pidns"]),
  slots: z.object({ running: z.int(), queued: z.int(), max: z.int() }),
  processes: z.int(),
});

/** `POST /internal/broker` of the hub, JSON; bytes are base64. The invocation's token decides community and extension; no argument can. */
export const brokerRequestSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("kv.get"), key: z.string() }),
  z.strictObject({
    op: z.literal("kv.put"),
    key: z.string(),
    value: z.base64(),
    expect: z.int().nonnegative().optional(),
    ttlSeconds: z.int().positive().max(4_294_967_295).optional(),
  }),
  z.strictObject({ op: z.literal("kv.delete"), key: z.string(), expect: z.int().nonnegative().optional() }),
  z.strictObject({ op: z.literal("kv.list-entries"), prefix: z.string(), after: z.string().optional(), limit: z.int().min(1).max(100) }),
  z.strictObject({ op: z.literal("secrets.get"), name: z.string() }),
  /** For `{{secret:NAME}}` in headers: value and the hosts it may go to. The guest need not have `secrets.get`. */
  z.strictObject({ op: z.literal("secrets.substitute"), names: z.array(z.string()).max(10) }),
  z.strictObject({ op: z.literal("events.emit"), topic: z.string(), subject: z.string(), data: z.string() }),
  z.strictObject({ op: z.literal("rooms.post"), room: z.string(), text: z.string() }),
  z.strictObject({ op: z.literal("members.list-members"), after: z.string().optional(), limit: z.int().min(1).max(100) }),
  z.strictObject({ op: z.literal("proposals.get"), id: z.string() }),
  z.strictObject({ op: z.literal("proposals.list-proposals"), after: z.string().optional(), limit: z.int().min(1).max(100) }),
  z.strictObject({ op: z.literal("schedule.postpone"), job: z.string(), until: z.string() }),
]);
export type BrokerRequest = z.infer<typeof brokerRequestSchema>;
export type BrokerOp = BrokerRequest["op"];

/** `error` is what the guest sees as host-error. */
export const brokerAnswerSchema = z.union([
  z.object({ ok: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
]);
export const brokerResults = {
  "kv.get": z.object({ entry: z.object({ key: z.string(), value: z.base64(), revision: z.int() }).optional() }),
  "kv.put": z.object({ revision: z.int() }),
  "kv.delete": z.object({}),
  "kv.list-entries": z.object({
    entries: z.array(z.object({ key: z.string(), value: z.base64(), revision: z.int() })),
    next: z.string().optional(),
  }),
  "secrets.get": z.object({ value: z.string() }),
  "secrets.substitute": z.object({ secrets: z.array(z.object({ name: z.string(), value: z.string(), hosts: z.array(z.string()) })) }),
  "events.emit": z.object({ id: z.string() }),
  "rooms.post": z.object({ id: z.string() }),
  "members.list-members": z.object({
    members: z.array(z.object({ id: z.string(), handle: z.string(), roles: z.array(z.string()), since: z.string() })),
    next: z.string().optional(),
  }),
  "proposals.get": z.object({ json: z.string() }),
  "proposals.list-proposals": z.object({ json: z.string() }),
  "schedule.postpone": z.object({}),
} as const satisfies Record<BrokerOp, z.ZodType>;
export type BrokerResult<O extends BrokerOp> = z.infer<(typeof brokerResults)[O]>;

/** A runner whose hubs are on other machines: mutual TLS in both directions in place of the boot token. */
export const runnerPeersSchema = z.object({
  hubUrls: z
    .array(z.url({ protocol: /^https$/ }))
    .min(1)
    .describe("Bases of the hubs' listeners for other machines"),
  /** Host by which the hubs reach this runner. */
  name: z.string(),
  /** Paths of PEM files. */
  cert: z.string(),
  key: z.string(),
  ca: z.string(),
});
export type RunnerPeers = z.infer<typeof runnerPeersSchema>;

/** Messages between the supervisor and the runner over the child's IPC channel. */
export const toRunnerSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("start"),
    data: z.string().describe("Folder of its own: prepared components, cache key"),
    internal: z.object({ host: z.string(), port: z.int().nonnegative() }),
    public: z.object({ host: z.string(), port: z.int().nonnegative() }),
    hubUrl: z.string().optional().describe("Base of the hub's internal listener on this machine"),
    token: z.string().length(43).optional().describe("Of this boot, for hub and runner on one machine"),
    peers: runnerPeersSchema.optional(),
    publicBase: z.string().describe("Origin and path that browsers load extension pages from"),
    /** Origins that may frame extension pages. */
    frameAncestors: z.array(z.string()),
    privateHosts: z.array(privateHostSchema),
    logLevel: z.enum(["debug", "info", "warn", "error"]),
    node: z.string(),
    /** Absent: no traces. */
    otlpEndpoint: otlpEndpointSchema.optional(),
  }),
  z.object({ type: z.literal("stop") }),
]);
export type ToRunner = z.infer<typeof toRunnerSchema>;
export const fromRunnerSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), internalUrl: z.string(), publicUrl: z.string(), isolation: z.string() }),
  z.object({ type: z.literal("failed"), code: z.string(), message: z.string(), fix: z.string() }),
]);
export type FromRunner = z.infer<typeof fromRunnerSchema>;
