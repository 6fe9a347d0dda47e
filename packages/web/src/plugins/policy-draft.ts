/**
 * A plugin policy while somebody edits it: texts as they were typed, and keys that are left to the level above.
 *
 * Invariant: what is not set here is not sent, so that a changed default reaches it; a number that cannot be read is a fault at its field and is never
 * rounded into something else. Whether the values are allowed is the hub's to say.
 */
import {
  isAppError,
  pluginLimitsSchema,
  type PluginLimits,
  type PluginPolicy,
  type PluginPolicyChange,
  type PluginPolicyKey,
} from "@althing/contract";

export type TrustMode = PluginPolicy["trust"];
export type InstallSource = PluginPolicy["installSources"][number];
export type LimitName = keyof PluginLimits;

/** How a limit is typed: what one unit of the field is worth. */
export const limitUnits = {
  fuel: { factor: 1_000_000, unit: "million" },
  timeMs: { factor: 1, unit: "ms" },
  memoryBytes: { factor: 1_048_576, unit: "mib" },
  concurrency: { factor: 1, unit: "calls" },
  communityConcurrency: { factor: 1, unit: "calls" },
  requestsPerSecond: { factor: 1, unit: "perSecond" },
  communityRequestsPerSecond: { factor: 1, unit: "perSecond" },
  fuelPerHour: { factor: 1_000_000, unit: "million" },
  wallTimeMsPerHour: { factor: 1_000, unit: "seconds" },
  egressBytesPerDay: { factor: 1_048_576, unit: "mib" },
  kvBytes: { factor: 1_048_576, unit: "mib" },
} as const satisfies Record<LimitName, { readonly factor: number; readonly unit: string }>;

export const limitNames = pluginLimitsSchema.keyof().options;

/** `undefined`, and an empty limit: not set here. */
export interface PolicyDraft {
  readonly trust: TrustMode | undefined;
  /** One a line. */
  readonly trustedPublishers: string | undefined;
  readonly installSources: readonly InstallSource[] | undefined;
  /** One host a line. */
  readonly registryAllowlist: string | undefined;
  readonly outboundHttp: { readonly enabled: boolean; readonly hosts: string } | undefined;
  readonly backgroundJobs: boolean | undefined;
  readonly publicEndpoints: boolean | undefined;
  readonly limits: Readonly<Record<LimitName, string>>;
}

const textOf = (list: readonly string[] | undefined): string | undefined => list?.join("\n");

/** As it is typed, without rounding away what somebody set. */
export function limitText(name: LimitName, value: number | undefined): string {
  return value === undefined ? "" : String(value / limitUnits[name].factor);
}

function limitTexts(limits: PluginPolicyChange["limits"]): Record<LimitName, string> {
  return {
    fuel: limitText("fuel", limits?.fuel),
    timeMs: limitText("timeMs", limits?.timeMs),
    memoryBytes: limitText("memoryBytes", limits?.memoryBytes),
    concurrency: limitText("concurrency", limits?.concurrency),
    communityConcurrency: limitText("communityConcurrency", limits?.communityConcurrency),
    requestsPerSecond: limitText("requestsPerSecond", limits?.requestsPerSecond),
    communityRequestsPerSecond: limitText("communityRequestsPerSecond", limits?.communityRequestsPerSecond),
    fuelPerHour: limitText("fuelPerHour", limits?.fuelPerHour),
    wallTimeMsPerHour: limitText("wallTimeMsPerHour", limits?.wallTimeMsPerHour),
    egressBytesPerDay: limitText("egressBytesPerDay", limits?.egressBytesPerDay),
    kvBytes: limitText("kvBytes", limits?.kvBytes),
  };
}

export function draftOf(policy: PluginPolicyChange): PolicyDraft {
  const { trust, trustedPublishers, installSources, registryAllowlist, outboundHttp, backgroundJobs, publicEndpoints, limits } = policy;
  return {
    trust,
    trustedPublishers: textOf(trustedPublishers),
    installSources,
    registryAllowlist: textOf(registryAllowlist),
    outboundHttp: outboundHttp === undefined ? undefined : { enabled: outboundHttp.enabled, hosts: outboundHttp.allowlist.join("\n") },
    backgroundJobs,
    publicEndpoints,
    limits: limitTexts(limits),
  };
}

/** Entries of a list that was typed: by lines, commas or spaces; each once. */
export function entriesOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter((entry) => entry !== ""))];
}

/** Publishers may have spaces in their names: by lines alone. */
function linesOf(text: string): string[] {
  return [...new Set(text.split("\n").map((line) => line.trim()))].filter((line) => line !== "");
}

/** `undefined`: no number that this limit can have. */
export function readLimit(name: LimitName, text: string): number | undefined {
  const plain = text.trim().replaceAll("_", "");
  if (!/^\d+(?:\.\d+)?$/.test(plain)) return undefined;
  const value = Number(plain) * limitUnits[name].factor;
  const parsed = pluginLimitsSchema.shape[name].safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

export interface ReadDraft {
  readonly change: PluginPolicyChange;
  /** Names of limits whose text is no number that they can have. */
  readonly unread: readonly LimitName[];
}

/** @returns what is sent */
export function changeOf(draft: PolicyDraft): ReadDraft {
  const unread: LimitName[] = [];
  const limits: Partial<PluginLimits> = {};
  for (const name of limitNames) {
    const text = draft.limits[name];
    if (text.trim() === "") continue;
    const value = readLimit(name, text);
    if (value === undefined) unread.push(name);
    else limits[name] = value;
  }
  const { trust, trustedPublishers, installSources, registryAllowlist, outboundHttp, backgroundJobs, publicEndpoints } = draft;
  const change: PluginPolicyChange = {
    ...(trust === undefined ? {} : { trust }),
    ...(trustedPublishers === undefined ? {} : { trustedPublishers: linesOf(trustedPublishers) }),
    ...(installSources === undefined ? {} : { installSources: [...installSources] }),
    ...(registryAllowlist === undefined ? {} : { registryAllowlist: entriesOf(registryAllowlist) }),
    ...(outboundHttp === undefined ? {} : { outboundHttp: { enabled: outboundHttp.enabled, allowlist: entriesOf(outboundHttp.hosts) } }),
    ...(backgroundJobs === undefined ? {} : { backgroundJobs }),
    ...(publicEndpoints === undefined ? {} : { publicEndpoints }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
  return { change, unread };
}

/** Would the same be sent? */
export function isSamePolicy(a: PluginPolicyChange, b: PluginPolicyChange): boolean {
  return JSON.stringify(changeOf(draftOf(a)).change) === JSON.stringify(changeOf(draftOf(b)).change);
}

const policyKeys: readonly PluginPolicyKey[] = [
  "trust",
  "trustedPublishers",
  "installSources",
  "registryAllowlist",
  "outboundHttp",
  "backgroundJobs",
  "publicEndpoints",
  "limits",
];

/** The place of the editor that a refusal speaks of: a key, or `limits.<name>`; `undefined`: of none. */
function placeOf(path: string): string | undefined {
  const [first = "", second] = path.replace(/^(?:body\.|\/)/, "").split(".");
  const key = policyKeys.find((known) => known === first);
  return key === "limits" && second !== undefined ? `limits.${second}` : key;
}

/** What the hub says of single keys, by the place in the editor. */
export function faultsOfPolicy(error: unknown): ReadonlyMap<string, string> {
  if (!isAppError(error)) return new Map();
  const found = new Map<string, string>();
  const key = error.params["key"];
  const named = typeof key === "string" && error.code.startsWith("policy.") ? placeOf(key) : undefined;
  if (named !== undefined) found.set(named, error.message);
  for (const { path, message } of error.faults) {
    const place = placeOf(path);
    if (place !== undefined) found.set(place, message);
  }
  return found;
}

/** The rest of a policy. */
export function withoutKeys(policy: PluginPolicyChange, keys: readonly PluginPolicyKey[]): PluginPolicyChange {
  return Object.fromEntries(Object.entries(policy).filter(([name]) => !keys.some((key) => key === name)));
}
