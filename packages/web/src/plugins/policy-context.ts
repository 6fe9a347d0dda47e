/** What every part of a policy's editor has to know. */
import type { EffectivePolicy, PluginPolicyChange, PluginPolicyKey } from "@althing/contract";
import type { LimitName } from "./policy-draft.ts";

/** `community`: its own values · `defaults` and `ceilings`: the instance's, for all communities. */
export type PolicyLevel = "community" | "defaults" | "ceilings";

export interface PolicyContext {
  readonly level: PolicyLevel;
  /** What results today, and why; where a single level is edited by itself there is none. */
  readonly effective: EffectivePolicy | undefined;
  readonly ceilings: PluginPolicyChange | undefined;
  readonly locks: readonly PluginPolicyKey[];
  /** By key, limits as `limits.<name>`. */
  readonly faults: ReadonlyMap<string, string>;
  /** Limits whose text is no number. */
  readonly unread: readonly LimitName[];
  readonly isReadOnly: boolean;
}
