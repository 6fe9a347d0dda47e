/**
 * The plugin policies of communities and of the instance: read, judged, saved.
 *
 * Invariant: what is saved was judged against the instance's locks and ceilings, and yet the effective policy is computed anew from both at every
 * use, because the instance may change its mind afterwards. Nothing here combines policies by itself: @althing/policy does.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId, type EffectivePolicy, type InstancePluginPolicy, type PluginPolicyChange } from "@althing/contract";
import { authorizeInstance, effectivePolicy, judgeCommunityPolicy, patternsOf } from "@althing/policy";
import { isDeepStrictEqual } from "node:util";
import { withGuards, type Authority } from "./authority.ts";
import type { CommunityDeps } from "./community-deps.ts";
import type { EventLog } from "./events/index.ts";

export interface PolicyOfCommunity {
  readonly community: PluginPolicyChange;
  readonly instance: InstancePluginPolicy;
  /** Of the community's own record; 0 before the first. */
  readonly ownRevision: number;
  /** Grows with a change of either. */
  readonly revision: number;
}

export interface PolicyView {
  readonly community: PluginPolicyChange;
  readonly effective: EffectivePolicy;
  readonly instance: InstancePluginPolicy;
  readonly revision: number;
}

interface InCommunity {
  readonly community: string;
}

export interface PluginPolicies {
  /** Whoever asks; both records are read now. */
  read(community: CommunityId): Promise<PolicyOfCommunity>;
  /** @throws {auth.forbidden} */
  get(caller: Caller, input: InCommunity): Promise<PolicyView>;
  /** @throws {policy.locked} {policy.above_ceiling} {policy.pattern_invalid} {request.precondition_failed} */
  put(caller: Caller, input: InCommunity & PluginPolicyChange, condition?: { readonly ifMatch?: number }): Promise<PolicyView>;
  /** The policy that would result, judged like a saved one. */
  propose(
    caller: Caller,
    input: InCommunity & PluginPolicyChange,
  ): Promise<{ readonly id: CommunityId; readonly effective: EffectivePolicy }>;
  instance(): Promise<InstancePluginPolicy & { revision: number }>;
  /** @throws {auth.forbidden} {policy.pattern_invalid} {request.precondition_failed} */
  putInstance(
    caller: Caller,
    input: InstancePluginPolicy,
    condition?: { readonly ifMatch?: number },
  ): Promise<InstancePluginPolicy & { revision: number }>;
}

const instanceKey = ["plugins"] as const;
const nothingSaid: InstancePluginPolicy = { defaults: {}, ceilings: {}, locks: [] };

/** @param overlay lays settings of the operator over the stored policy of the instance, wherever it is read */
export function createPluginPolicies(
  deps: CommunityDeps & { readonly events: EventLog },
  authority: Authority,
  overlay: (policy: InstancePluginPolicy) => InstancePluginPolicy = (policy) => policy,
): PluginPolicies {
  const { collections, patternFault } = deps;

  function checkPatterns(policy: PluginPolicyChange): void {
    for (const { key, pattern } of patternsOf(policy)) {
      const detail = patternFault(pattern);
      if (detail !== undefined) throw new AppError("policy.pattern_invalid", { key, observed: pattern, detail });
    }
  }

  async function read(community: CommunityId): Promise<PolicyOfCommunity> {
    const [own, above] = await Promise.all([collections.policies.get([community]), collections.instancePolicy.get(instanceKey)]);
    return {
      community: own?.value ?? {},
      instance: overlay(above?.value ?? nothingSaid),
      ownRevision: own?.revision ?? 0,
      revision: Math.max(own?.revision ?? 0, above?.revision ?? 0),
    };
  }

  async function view(community: CommunityId): Promise<PolicyView> {
    const { community: own, instance, ownRevision } = await read(community);
    return { community: own, effective: effectivePolicy(instance, own), instance, revision: ownRevision };
  }

  async function judged(caller: Caller, input: InCommunity & PluginPolicyChange) {
    const { community, ...change } = input;
    const standing = await authority.require(caller, community, "plugins.policy.manage");
    const { id } = standing.community.value;
    checkPatterns(change);
    const now = await read(id);
    const fault = judgeCommunityPolicy(now.instance, change);
    if (fault !== undefined) throw new AppError(fault.code, fault.params);
    return { id, change, now, standing };
  }

  function checkRevision(ifMatch: number | undefined, observed: number): void {
    if (ifMatch !== undefined && ifMatch !== observed) throw new AppError("request.precondition_failed", { expected: ifMatch, observed });
  }

  async function instance() {
    const row = await collections.instancePolicy.get(instanceKey);
    return { ...(row?.value ?? nothingSaid), revision: row?.revision ?? 0 };
  }

  return {
    read,
    instance,
    async get(caller, { community }) {
      const standing = await authority.require(caller, community, "plugins.read");
      return view(standing.community.value.id);
    },
    async put(caller, input, condition = {}) {
      const { id } = await judged(caller, input);
      await deps.events.act(id, async () => {
        const { change, now, standing } = await judged(caller, { ...input, community: id });
        checkRevision(condition.ifMatch, now.ownRevision);
        return {
          writes: withGuards(standing, [collections.policies.toPut([id], change, now.ownRevision)]),
          events: [
            {
              topic: "policy.changed",
              actor: { kind: "member", endpoint: caller.endpoint },
              subject: `community/${id}`,
              summary: "The plugin policy changed",
              data: { keys: changedKeys(now.community, change) },
            },
          ],
          result: undefined,
        };
      });
      return view(id);
    },
    async propose(caller, input) {
      const { id, change, now } = await judged(caller, input);
      return { id, effective: effectivePolicy(now.instance, change) };
    },
    async putInstance(caller, input, condition = {}) {
      const decision = authorizeInstance(caller.role, "active", "plugin_policy.manage");
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission: "plugin_policy.manage", who: decision.who });
      checkPatterns(input.defaults);
      checkPatterns(input.ceilings);
      const { revision } = await instance();
      checkRevision(condition.ifMatch, revision);
      await collections.instancePolicy.put(instanceKey, input, revision);
      return instance();
    },
  };
}

/** Keys of either that are not the same in both. */
function changedKeys(before: PluginPolicyChange, after: PluginPolicyChange): string[] {
  const old = new Map<string, unknown>(Object.entries(before));
  const next = new Map<string, unknown>(Object.entries(after));
  return [...new Set([...old.keys(), ...next.keys()])].filter((key) => !isDeepStrictEqual(old.get(key), next.get(key)));
}
