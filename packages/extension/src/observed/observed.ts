/**
 * What members with `plugins.read` see of a package at work: its executions, and its usage beside the limits.
 *
 * Invariant: everything is read when asked for; the limits shown are those that the next call will meet.
 */
import type { CommunityId, InstallId, RouteParsed, Usage } from "@althing/contract";
import { effectivePolicy } from "@althing/policy";
import type { Executions } from "../executions/index.ts";
import type { CommunityGate, ExtensionClock, PluginCaller } from "../extension-deps.ts";
import type { KvStore } from "../kv/index.ts";
import type { Quotas } from "../quotas/index.ts";

type Input<N extends "packages.log" | "packages.usage"> = RouteParsed<N>["params"] & RouteParsed<N>["query"];

export interface Located {
  readonly id: InstallId;
  readonly community: CommunityId;
  readonly extension: string;
}

export interface ObservedDeps {
  readonly gate: CommunityGate;
  /** @throws {install.not_found} */
  readonly installs: { locate(community: CommunityId, install: string): Promise<Located> };
  readonly executions: Executions;
  readonly kv: KvStore;
  readonly quotas: Pick<Quotas, "running">;
  readonly clock: ExtensionClock;
}

export interface Observed {
  /** @throws {community.not_found} {auth.forbidden} {install.not_found} */
  log(caller: PluginCaller, input: Input<"packages.log">): ReturnType<Executions["list"]>;
  /** @throws {community.not_found} {auth.forbidden} {install.not_found} */
  usage(caller: PluginCaller, input: Input<"packages.usage">): Promise<Usage>;
}

/** From here on a quota is shown as a warning. */
const warningShare = 0.8;

export function createObserved({ gate, installs, executions, kv, quotas }: ObservedDeps): Observed {
  async function enter(caller: PluginCaller, ref: string, install: string): Promise<Located> {
    const community = await gate.resolve(caller, ref);
    await gate.authorize(caller, community, "plugins.read");
    return installs.locate(community, install);
  }

  const line = (quota: string, used: number, limit: number, unit: string): Usage["limits"][number] => {
    const share = limit === 0 ? 1 : used / limit;
    return { quota, used, limit, unit, state: share >= 1 ? "exhausted" : share >= warningShare ? "warning" : "ok" };
  };

  return {
    async log(caller, { community: ref, install, ...query }) {
      const { id, community } = await enter(caller, ref, install);
      return executions.list({ community, install: id, ...query });
    },
    async usage(caller, { community: ref, install, hours }) {
      const { id, community, extension } = await enter(caller, ref, install);
      const { community: own, instance } = await gate.policy(community);
      const { limits } = effectivePolicy(instance, own).values;
      const [consumed, data, byHour] = await Promise.all([
        executions.consumed(community, id),
        kv.usage({ community, extension }),
        executions.hours(community, id, hours),
      ]);
      const running = quotas.running(community, extension);
      return {
        limits: [
          // Rounded up: what is left is given in whole milliseconds, so less than one is none.
          line("fuelPerHour", consumed.fuel, limits.fuelPerHour, "units"),
          line("wallTimeMsPerHour", Math.ceil(consumed.wallTimeMs), limits.wallTimeMsPerHour, "ms"),
          line("egressBytesPerDay", consumed.egressBytesToday, limits.egressBytesPerDay, "bytes"),
          line("kvBytes", data.bytes, limits.kvBytes, "bytes"),
          line("concurrency", running.extension, limits.concurrency, "calls"),
          line("communityConcurrency", running.community, limits.communityConcurrency, "calls"),
        ],
        hours: byHour,
      };
    },
  };
}
