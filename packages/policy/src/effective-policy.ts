/**
 * What a community's packages may do, computed from instance, community and grants; and why.
 *
 * Invariant: the only place where policies are combined: API, gateway, dispatcher, fetcher, command line and pages read its answer. It is pure, so
 * a cache may hold the computation but never the inputs. An instance lock beats the community; a ceiling cuts what either says; limits are
 * combined key by key. See docs/architecture/plugin-policy.md.
 */
import {
  memberWith,
  pluginLimitsSchema,
  type EffectivePolicy,
  type ErrorCode,
  type Grants,
  type InstancePluginPolicy,
  type PluginLimits,
  type PluginPolicy,
  type PluginPolicyChange,
  type PluginPolicyKey,
  type PolicyReason,
  type TrustState,
} from "@althing/contract";

const mib = 1024 * 1024;

/** What holds when neither instance nor community says anything. */
export const productPolicy: PluginPolicy & { readonly limits: PluginLimits } = {
  trust: "signed_only",
  trustedPublishers: [],
  installSources: ["upload", "registry"],
  registryAllowlist: [],
  outboundHttp: { enabled: false, allowlist: [] },
  backgroundJobs: false,
  publicEndpoints: false,
  limits: {
    fuel: 50_000_000,
    timeMs: 2_000,
    memoryBytes: 64 * mib,
    concurrency: 4,
    communityConcurrency: 8,
    requestsPerSecond: 20,
    communityRequestsPerSecond: 100,
    fuelPerHour: 10_000_000_000,
    wallTimeMsPerHour: 600_000,
    egressBytesPerDay: 100 * mib,
    kvBytes: 64 * mib,
  },
};

/** Without a ceiling of the operator's own: unsigned packages run nowhere, and limits stay at the product's. */
export const productCeilings: PluginPolicyChange = { trust: "signed_only", limits: productPolicy.limits };

const instanceWho = "An admin of the instance";
const communityWho = memberWith("plugins.policy.manage");
const strictness = (mode: PluginPolicy["trust"]): number => ["allow_unsigned", "signed_only", "trusted_publishers"].indexOf(mode);

export interface PolicyRefusal {
  readonly code: Extract<ErrorCode, `policy.${string}` | `trust.${string}`>;
  readonly params: Readonly<Record<string, string>>;
}

// One object a cause, not one a call: what is asked for at every call of an extension is made of few allocations (bench/communities.ts).
const ofProduct: PolicyReason = Object.freeze({ level: "product", text: "the product's default", who: communityWho });
const ofDefault: PolicyReason = Object.freeze({ level: "instance_default", text: "the instance's default", who: communityWho });
const ofLock: PolicyReason = Object.freeze({ level: "instance_lock", text: "the instance locks it", who: instanceWho });
const ofCommunity: PolicyReason = Object.freeze({ level: "community", text: "the community set it", who: communityWho });

const choose = <T>(product: T, fallback: T | undefined, own: T | undefined, isLocked: boolean): T =>
  (isLocked ? undefined : own) ?? fallback ?? product;

function reasonOf(fallback: unknown, own: unknown, isLocked: boolean): PolicyReason {
  if (isLocked) return ofLock;
  if (own !== undefined) return ofCommunity;
  return fallback === undefined ? ofProduct : ofDefault;
}

const cut = (text: string): PolicyReason => ({ level: "instance_ceiling", text, who: instanceWho });

/** Is the pattern inside one of the patterns? `*.a.example` covers `x.a.example` and `*.b.a.example`. */
export function coversPattern(patterns: readonly string[], pattern: string): boolean {
  for (const outer of patterns) if (outer === pattern || (outer.startsWith("*.") && pattern.endsWith(outer.slice(1)))) return true;
  return false;
}

/** Patterns that lie in both lists: the narrower of each pair. */
export function intersectPatterns(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a.filter((pattern) => coversPattern(b, pattern)), ...b.filter((pattern) => coversPattern(a, pattern))])].sort();
}

/** A list cut to a ceiling's list. */
function within(value: readonly string[], ceiling: readonly string[] | undefined): { value: string[]; isCut: boolean } {
  if (ceiling === undefined) return { value: [...value], isCut: false };
  const kept = intersectPatterns(value, ceiling);
  return { value: kept, isCut: value.some((pattern) => !kept.includes(pattern)) };
}

const limitKeys = pluginLimitsSchema.keyof().options.map((key) => ({ key, name: `limits.${key}` }));

/** In the order in which faults are told of. */
const allOfProduct: Readonly<Record<string, PolicyReason>> = Object.fromEntries(
  ["trust", "installSources", "outboundHttp", "trustedPublishers", "registryAllowlist", "backgroundJobs", "publicEndpoints"]
    .concat(limitKeys.map(({ name }) => name))
    .map((name) => [name, ofProduct]),
);

function limitsOf(instance: InstancePluginPolicy, community: PluginPolicyChange, reasons: Record<string, PolicyReason>): PluginLimits {
  const isLocked = instance.locks.includes("limits");
  const defaults = instance.defaults.limits;
  const own = community.limits;
  const ceilings = instance.ceilings.limits;
  const result = { ...productPolicy.limits };
  for (const { key, name } of limitKeys) {
    const product = productPolicy.limits[key];
    const base = defaults?.[key];
    const value = choose(product, base, own?.[key], isLocked);
    const ceiling = ceilings?.[key] ?? Math.max(base ?? 0, product);
    result[key] = Math.min(value, ceiling);
    reasons[name] = value > ceiling ? cut(`the instance allows at most ${ceiling}`) : reasonOf(base, own?.[key], isLocked);
  }
  return result;
}

/**
 * Instance ∩ community, with the level that decided each value.
 * @example
 * effectivePolicy({ defaults: {}, ceilings: {}, locks: [] }, { backgroundJobs: true }).values.backgroundJobs; // true
 */
export function effectivePolicy(instance: InstancePluginPolicy, community: PluginPolicyChange): EffectivePolicy {
  const reasons: Record<string, PolicyReason> = { ...allOfProduct };
  const { ceilings, defaults, locks } = instance;
  const take = <T>(key: PluginPolicyKey, product: T, fallback: T | undefined, own: T | undefined): T => {
    const isLocked = locks.includes(key);
    reasons[key] = reasonOf(fallback, own, isLocked);
    return choose(product, fallback, own, isLocked);
  };
  const off = (key: "backgroundJobs" | "publicEndpoints"): boolean => {
    const value = take(key, productPolicy[key], defaults[key], community[key]);
    if (!value || ceilings[key] !== false) return value;
    reasons[key] = cut("the instance allows it nowhere");
    return false;
  };
  const list = (key: "trustedPublishers" | "registryAllowlist"): string[] => {
    const { value, isCut } = within(take(key, productPolicy[key], defaults[key], community[key]), ceilings[key]);
    if (isCut) reasons[key] = cut("the instance allows only part of it");
    return value;
  };

  let trust = take("trust", productPolicy.trust, defaults.trust, community.trust);
  const trustCeiling = ceilings.trust ?? productCeilings.trust ?? "signed_only";
  if (strictness(trust) < strictness(trustCeiling)) {
    trust = trustCeiling;
    reasons["trust"] = cut(`the instance asks for at least ${trustCeiling}`);
  }
  const wanted = take("installSources", productPolicy.installSources, defaults.installSources, community.installSources);
  const sources = wanted.filter((source) => ceilings.installSources?.includes(source) ?? true);
  if (sources.length < wanted.length) reasons["installSources"] = cut("the instance allows only part of it");
  const outbound = take("outboundHttp", productPolicy.outboundHttp, defaults.outboundHttp, community.outboundHttp);
  const hosts = within(outbound.allowlist, ceilings.outboundHttp?.allowlist);
  const enabled = outbound.enabled && ceilings.outboundHttp?.enabled !== false;
  if (hosts.isCut || enabled !== outbound.enabled) reasons["outboundHttp"] = cut("the instance allows only part of it");

  const values = {
    trust,
    trustedPublishers: list("trustedPublishers"),
    installSources: sources,
    registryAllowlist: list("registryAllowlist"),
    outboundHttp: { enabled, allowlist: hosts.value },
    backgroundJobs: off("backgroundJobs"),
    publicEndpoints: off("publicEndpoints"),
    limits: limitsOf(instance, community, reasons),
  };
  return { values, reasons };
}

/** What of its grants an install may use today. */
export interface GrantedPolicy {
  readonly capabilities: readonly string[];
  /** Hosts for `http.fetch`; empty: none. */
  readonly egress: readonly string[];
  readonly uiHosts: readonly string[];
  readonly mayRunJobs: boolean;
  readonly mayBePublic: boolean;
  /** Of each granted thing that is not allowed now: `capability:http.fetch`, `host:x`, `jobs`, `publicEndpoints`. */
  readonly withheld: Readonly<Record<string, PolicyReason>>;
}

export function grantedPolicy(effective: EffectivePolicy, grants: Grants): GrantedPolicy {
  const { values, reasons } = effective;
  const withheld: Record<string, PolicyReason> = {};
  const why = (key: string): PolicyReason => reasons[key] ?? { level: "product", text: "the product's default", who: communityWho };
  const outbound = values.outboundHttp.enabled ? values.outboundHttp.allowlist : [];
  const hostsOf = (granted: readonly string[]): string[] => {
    const kept = intersectPatterns(granted, outbound);
    for (const host of granted) if (!kept.includes(host)) withheld[`host:${host}`] = why("outboundHttp");
    return kept;
  };
  const egress = hostsOf(grants.egress);
  const isAllowed = (capability: string): boolean => {
    if (capability === "http.fetch" && !values.outboundHttp.enabled) withheld["capability:http.fetch"] = why("outboundHttp");
    else if (capability === "schedule.manage" && !values.backgroundJobs) withheld["capability:schedule.manage"] = why("backgroundJobs");
    else return true;
    return false;
  };
  if (grants.jobs.length > 0 && !values.backgroundJobs) withheld["jobs"] = why("backgroundJobs");
  if (grants.publicEndpoints.length > 0 && !values.publicEndpoints) withheld["publicEndpoints"] = why("publicEndpoints");
  return {
    capabilities: grants.capabilities.filter(isAllowed),
    egress,
    uiHosts: hostsOf(grants.uiHosts),
    mayRunJobs: values.backgroundJobs,
    mayBePublic: values.publicEndpoints,
    withheld,
  };
}

/** Limits of one invocation: the smallest of what the manifest asks for and what policy allows. */
export function invocationLimits(
  effective: EffectivePolicy,
  asked:
    | { readonly fuel?: number | undefined; readonly timeMs?: number | undefined; readonly memoryBytes?: number | undefined }
    | undefined,
): { readonly fuel: number; readonly timeMs: number; readonly memoryBytes: number } {
  const { fuel, timeMs, memoryBytes } = effective.values.limits;
  return {
    fuel: Math.min(fuel, asked?.fuel ?? fuel),
    timeMs: Math.min(timeMs, asked?.timeMs ?? timeMs),
    memoryBytes: Math.min(memoryBytes, asked?.memoryBytes ?? memoryBytes),
  };
}

function refusal(
  effective: EffectivePolicy,
  key: PluginPolicyKey,
  code: PolicyRefusal["code"],
  params: Record<string, string>,
): PolicyRefusal {
  const reason = effective.reasons[key];
  return { code, params: { level: reason?.level ?? "product", who: reason?.who ?? communityWho, key, ...params } };
}

/** May a package come in this way? */
export function mayInstall(
  effective: EffectivePolicy,
  source: { readonly kind: "upload" } | { readonly kind: "registry"; readonly host: string },
): PolicyRefusal | undefined {
  const { installSources: allowed, registryAllowlist } = effective.values;
  const observed = `[${allowed.join(", ")}]`;
  if (!allowed.includes(source.kind)) {
    const code = source.kind === "upload" ? "policy.upload_forbidden" : "policy.registry_forbidden";
    return refusal(effective, "installSources", code, { observed });
  }
  if (source.kind === "registry" && !coversPattern(registryAllowlist, source.host))
    return refusal(effective, "registryAllowlist", "policy.host_not_allowed", {
      host: source.host,
      observed: registryAllowlist.length === 0 ? "it is empty" : registryAllowlist.join(", "),
    });
  return undefined;
}

/** Does what is known of the signature suffice today? Signs of tampering never do. */
export function mayTrust(effective: EffectivePolicy, trust: Pick<TrustState, "verified" | "signer" | "reason">): PolicyRefusal | undefined {
  const { trust: mode, trustedPublishers } = effective.values;
  if (!trust.verified) {
    const code = trust.reason?.code ?? "trust.unsigned";
    if (mode === "allow_unsigned" && (code === "trust.unsigned" || code === "trust.untrusted_signer")) return undefined;
    return refusal(effective, "trust", asTrustCode(code), { detail: trust.reason?.text ?? "there is no signature" });
  }
  const signer = trust.signer;
  if (mode !== "trusted_publishers") return undefined;
  if (signer !== undefined && (trustedPublishers.includes(signer.publisherId) || trustedPublishers.includes(signer.id))) return undefined;
  return refusal(effective, "trustedPublishers", "policy.publisher_not_trusted", { observed: signer?.publisherId ?? "nobody" });
}

const trustRefusals = [
  "trust.unsigned",
  "trust.untrusted_signer",
  "trust.malformed",
  "trust.bad_signature",
  "trust.revoked",
  "trust.content_mismatch",
] as const;

function asTrustCode(code: string): PolicyRefusal["code"] {
  return trustRefusals.find((known) => known === code) ?? "trust.unsigned";
}

/** A rule that a community's own settings break. */
export interface PolicyFault {
  readonly code: "policy.locked" | "policy.above_ceiling";
  readonly params: Readonly<Record<string, string>>;
}

/** What a community may not set, judged when it saves: locks and ceilings. */
export function judgeCommunityPolicy(instance: InstancePluginPolicy, change: PluginPolicyChange): PolicyFault | undefined {
  for (const key of Object.keys(change) as PluginPolicyKey[]) {
    if (change[key] !== undefined && instance.locks.includes(key)) return { code: "policy.locked", params: { key } };
  }
  const result = effectivePolicy(instance, change);
  for (const [key, reason] of Object.entries(result.reasons)) {
    if (reason.level !== "instance_ceiling") continue;
    const [name, limit] = key.split(".");
    if (!isKey(name) || change[name] === undefined) continue;
    const own = limit === undefined ? change[name] : limitOf(change, limit);
    if (own === undefined) continue;
    const ceiling = limit === undefined ? result.values[name] : limitOf(result.values, limit);
    return { code: "policy.above_ceiling", params: { key, observed: JSON.stringify(own), limit: JSON.stringify(ceiling) } };
  }
  return undefined;
}

function isKey(name: string | undefined): name is PluginPolicyKey {
  return name !== undefined && Object.hasOwn(productPolicy, name);
}

function limitOf(policy: PluginPolicyChange, name: string): number | undefined {
  return Object.entries(policy.limits ?? {}).find(([key]) => key === name)?.[1];
}

/** Every host pattern that a policy names, by key, for the check at save. */
export function patternsOf(policy: PluginPolicyChange): readonly { readonly key: string; readonly pattern: string }[] {
  return [
    ...(policy.registryAllowlist ?? []).map((pattern) => ({ key: "registryAllowlist", pattern })),
    ...(policy.outboundHttp?.allowlist ?? []).map((pattern) => ({ key: "outboundHttp.allowlist", pattern })),
  ];
}

export const policyKeys = Object.keys(productPolicy) as readonly PluginPolicyKey[];
