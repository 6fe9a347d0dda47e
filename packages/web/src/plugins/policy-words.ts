/** Values of a policy in words. */
import type { PluginLimits, PluginPolicy, PluginPolicyChange, PluginPolicyKey } from "@althing/contract";
import { wholeNumber } from "../app/times.ts";
import { limitUnits, type LimitName } from "./policy-draft.ts";
import { usePolicyTexts } from "./policy-texts.ts";

const t = usePolicyTexts.now;

/** `50 million steps`. */
export function limitWords(name: LimitName, value: PluginLimits[LimitName]): string {
  const { factor, unit } = limitUnits[name];
  const units = value / factor;
  return t(`units.${unit}`, { value: Number.isInteger(units) ? wholeNumber(units) : String(Math.round(units * 1_000) / 1_000) });
}

function outboundWords({ enabled, allowlist }: PluginPolicy["outboundHttp"]): string {
  if (!enabled) return t("value.off");
  return allowlist.length === 0 ? t("value.onNone") : t("value.onFor", { hosts: allowlist.join(", ") });
}

/** What one key holds; `undefined` when the policy says nothing of it. Limits are told one by one. */
export function policyWords(policy: PluginPolicyChange, key: Exclude<PluginPolicyKey, "limits">): string | undefined {
  switch (key) {
    case "trust":
      return policy.trust === undefined ? undefined : t(`trust.${policy.trust}`);
    case "trustedPublishers":
      return policy.trustedPublishers?.join(", ").replace(/^$/, t("value.nobody"));
    case "registryAllowlist":
      return policy.registryAllowlist?.join(", ").replace(/^$/, t("value.nowhere"));
    case "installSources":
      if (policy.installSources === undefined) return undefined;
      return policy.installSources.length === 0
        ? t("installSources.none")
        : policy.installSources.map((source) => t(`installSources.${source}`)).join(", ");
    case "outboundHttp":
      return policy.outboundHttp === undefined ? undefined : outboundWords(policy.outboundHttp);
    case "backgroundJobs":
    case "publicEndpoints":
      return policy[key] === undefined ? undefined : t(policy[key] ? "value.on" : "value.off");
  }
}
