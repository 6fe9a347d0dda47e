/**
 * Everything between the gateway's face and the runner's, real but for the community (a few variables) and the runner (a function), so that tests
 * see which steps ran and which did not.
 */
import {
  AppError,
  type CommunityId,
  type EndpointId,
  type ExecuteHead,
  type ExecuteResult,
  type ExtensionId,
  type Handle,
  type InstallId,
  type InvocationOutcome,
  type PluginPolicyChange,
  type SignPub,
} from "@althing/contract";
import { openMemoryStore, type Store } from "@althing/store";
import { createBroker } from "../src/broker/index.ts";
import { createExecutions, type Executions } from "../src/executions/index.ts";
import type { CommunityGate, PluginCaller } from "../src/extension-deps.ts";
import { createGateway, type GatewayRequest } from "../src/gateway/index.ts";
import { createInvoker, type Invocable, type InvocationSeen, type InvokerDeps } from "../src/invoke/index.ts";
import { createKvStore } from "../src/kv/index.ts";
import { manifestSchema, type ManifestInput } from "../src/manifest/index.ts";
import { createGuestMetrics } from "../src/metrics/index.ts";
import { createQuotas } from "../src/quotas/index.ts";
import type { Executed } from "../src/runner-client/index.ts";
import { createSecretVault } from "../src/secrets/index.ts";

export const community = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as CommunityId;
export const installId = "01ARZ3NDEKTSV4RRFFQ69G5FAW" as InstallId;
export const extension = "org.example.poll" as ExtensionId;
export const ada: PluginCaller = {
  endpoint: `${"a".repeat(42)}A` as EndpointId,
  signPub: "0".repeat(64) as SignPub,
  handle: "ada" as Handle,
  role: "member",
};

export function installOf(changes: Partial<Invocable> = {}, manifest: Partial<ManifestInput> = {}): Invocable {
  return {
    id: installId,
    community,
    extension,
    version: "1.0.0",
    contentHash: `sha256:${"0".repeat(64)}`,
    granted: {
      capabilities: ["storage.kv", "metrics"],
      egress: [],
      events: [],
      filters: [],
      jobs: [],
      publicEndpoints: ["GET /open"],
      uiHosts: [],
    },
    settings: "{}",
    trust: { required: true, verified: true, chain: [] },
    revision: 1,
    ...changes,
    manifest: manifestSchema.parse({
      manifestVersion: 2,
      name: extension,
      version: "1.0.0",
      publisher: { id: "p", name: "P" },
      displayName: "Poll",
      engine: "^1.0.0",
      endpoints: [
        { method: "GET", path: "/polls" },
        { method: "POST", path: "/polls", permission: "ext.polls" },
        { method: "GET", path: "/polls/:id" },
        { method: "GET", path: "/open", public: true },
        { method: "GET", path: "/shut", public: true },
      ],
      ...manifest,
    }),
  };
}

export const usage: ExecuteResult["usage"] = {
  durationMs: 1,
  fuel: 1_000,
  peakMemoryBytes: 65_536,
  hostCalls: 0,
  fetches: 0,
  egressBytes: 0,
};

export function executedOf(outcome: InvocationOutcome, body = "", changes: Partial<ExecuteResult> = {}): Executed {
  return { result: { outcome, usage, log: [], metrics: [], ...changes }, body: Buffer.from(body) };
}

export const answerOf = (
  status: number,
  headers: readonly (readonly [string, string])[] = [["content-type", "text/plain"]],
  body = "hello",
) => executedOf({ kind: "response", status, headers: headers.map(([name, value]) => [name, value]) }, body);

export type FailedCode = Extract<InvocationOutcome, { kind: "failed" }>["code"];
export const failureOf = (code: FailedCode, rule = "rule") => executedOf({ kind: "failed", code, rule, detail: "as scripted" });

export interface WorldOptions {
  readonly store?: Store;
  readonly runner?: (head: ExecuteHead, body: Uint8Array) => Promise<Executed>;
  readonly trace?: InvokerDeps["trace"];
  readonly wrapExecutions?: (executions: Executions) => InvokerDeps["executions"];
}

export function openWorld(options: WorldOptions = {}) {
  const store = options.store ?? openMemoryStore();
  const clock = { nowMs: Date.UTC(2026, 10, 20, 10, 30), now: () => clock.nowMs };
  const state = {
    /** `undefined`: ada is no member. */
    permissions: ["plugins.read"] as readonly string[] | undefined,
    install: installOf() as Invocable | undefined,
    policy: { publicEndpoints: true } as PluginPolicyChange,
    policyReads: 0,
    findFails: undefined as AppError | undefined,
    notRunnable: undefined as AppError | undefined,
    runner: options.runner ?? (() => Promise.resolve(answerOf(200))),
  };
  const steps: string[] = [];
  const heads: ExecuteHead[] = [];
  const seen: InvocationSeen[] = [];
  const lines: string[] = [];
  const quarantined: string[] = [];
  const gate: CommunityGate = {
    resolve: (_caller, ref) =>
      ref === community || ref === "garden"
        ? Promise.resolve(community)
        : Promise.reject(new AppError("community.not_found", { community: ref })),
    find: (ref) => Promise.resolve(ref === community || ref === "garden" ? community : undefined),
    authorize: (_caller, _community, permission) =>
      state.permissions?.includes(permission) === true
        ? Promise.resolve()
        : Promise.reject(new AppError("auth.forbidden", { permission, who: "An admin" })),
    permissionsOf: () => Promise.resolve(state.permissions),
    policy: () => {
      state.policyReads += 1;
      return Promise.resolve({ community: state.policy, instance: { defaults: {}, ceilings: {}, locks: [] }, revision: state.policyReads });
    },
    members: () => Promise.resolve({ members: [] }),
  };
  const kv = createKvStore({ store, clock });
  const log = (level: string, event: string, fields: unknown) => void lines.push(JSON.stringify([level, event, fields]));
  const broker = createBroker({
    kv,
    secrets: createSecretVault({ store, clock, secretsKey: new Uint8Array(32) }),
    communities: gate,
    neighbours: {},
    log,
  });
  const executions = createExecutions({ store, clock, node: "node-1" });
  const quotas = createQuotas(clock);
  const metrics = createGuestMetrics();
  const noted = options.wrapExecutions?.(executions) ?? executions;
  const invoker = createInvoker({
    ...{ communities: gate, quotas, broker, metrics, clock, log },
    executions: {
      consumed: (...args) => noted.consumed(...args),
      start: (row) => {
        steps.push("row");
        return noted.start(row);
      },
    },
    runner: {
      execute: (head, body) => {
        steps.push("runner");
        heads.push(head);
        return state.runner(head, body);
      },
    },
    checkRunnable: () => {
      steps.push("runnable");
      return state.notRunnable === undefined ? Promise.resolve() : Promise.reject(state.notRunnable);
    },
    quarantine: (install) => {
      quarantined.push(install.id);
      return Promise.resolve();
    },
    brokerUrl: "http://127.0.0.1:1/internal/broker",
    gatewayTimeoutMs: 5_000,
    onInvocation: (each) => void seen.push(each),
    trace: options.trace,
  });
  const gateway = createGateway({
    communities: gate,
    findActive: (_community, name) => {
      steps.push("install");
      if (state.findFails !== undefined) return Promise.reject(state.findFails);
      return Promise.resolve(name === extension ? state.install : undefined);
    },
    invoker,
  });
  const request = (changes: Partial<GatewayRequest> = {}) =>
    gateway.handle({
      method: "GET",
      community: "garden",
      extension,
      rawPath: "/polls",
      query: "",
      headers: [["accept", "*/*"]],
      readBody: () => {
        steps.push("body");
        return Promise.resolve(new Uint8Array());
      },
      caller: ada,
      requestId: "r1",
      signal: new AbortController().signal,
      ...changes,
    });
  const rows = async () => (await executions.list({ community, install: installId, limit: 500 })).executions;
  return {
    ...{
      store,
      clock,
      state,
      steps,
      heads,
      seen,
      lines,
      quarantined,
      gate,
      kv,
      broker,
      executions,
      quotas,
      metrics,
      invoker,
      gateway,
      request,
      rows,
    },
  };
}

export type World = ReturnType<typeof openWorld>;
