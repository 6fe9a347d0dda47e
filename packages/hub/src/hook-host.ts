/**
 * How hooks reach installs: who is subscribed, and one invocation for each event and filter.
 *
 * Invariant: the install's record, its grants, trust and policy are read for every call, by the way that all invocations go. What a guest did is an outcome and never
 * thrown; what is not the guest's doing is no attempt. docs/architecture/hooks.md.
 */
import type { Authority, CommunityCollections, EventOutcome, FilterOutcome, HookHost, HookTarget } from "@althing/community";
import { AppError, endpointIdSchema, hasCode, isAppError, type CommunityId, type PublicEvent } from "@althing/contract";
import { coversTopic, hasBegun, type Actor, type Answered, type Installs, type Invocation, type Invoker } from "@althing/extension";
import { createRequestIds } from "./request-id.ts";
import { outsideOutcome } from "./request-outcome.ts";

export interface HookHostDeps {
  readonly installs: () => Pick<Installs, "active" | "locate" | "subscribed">;
  readonly invoker: () => Pick<Invoker, "invoke">;
  readonly members: CommunityCollections["members"];
  readonly authority: () => Pick<Authority, "permissionsOfRoles" | "standing">;
  readonly nowMs: () => number;
}

const nothing = new Uint8Array();
/** Between two looks at what is in the way. */
const pauseMs = 2_000;
/** Quotas that are nobody's fault at this call; others (`fuel`, `memory`, …) are of the call itself. */
const waitedFor: ReadonlySet<unknown> = new Set([
  "concurrency",
  "communityConcurrency",
  "requestsPerSecond",
  "communityRequestsPerSecond",
  "fuelPerHour",
  "wallTimeMsPerHour",
]);

export function createHookHost({ installs, invoker, members, authority, nowMs }: HookHostDeps): HookHost {
  const ids = createRequestIds({ now: nowMs });

  /** The person who caused an event, if they are a member still. */
  async function personOf(community: CommunityId, endpoint: string | null): Promise<Actor | undefined> {
    const id = endpointIdSchema.safeParse(endpoint);
    const row = id.success ? await members.get([community, id.data]) : undefined;
    if (row === undefined || !id.success) return undefined;
    const permissions = await authority().permissionsOfRoles(community, row.value.roles);
    return { id: id.data, handle: row.value.handle, permissions: [...permissions] };
  }

  async function told(
    { community, install: id, extension }: HookTarget,
    event: PublicEvent,
    isRepeat: boolean,
    signal: AbortSignal,
  ): Promise<EventOutcome> {
    const [install, actor] = await Promise.all([installs().active(community, extension), personOf(community, event.actor)]);
    // It was switched off or put in quarantine just now: whoever dispatches hears of it in a moment.
    if (install?.id !== id) return { kind: "wait", afterMs: pauseMs, code: "ext.not_found", detail: "it is not active" };
    if (!coversTopic(install.granted.events, event.topic)) return { kind: "skip" };
    const { topic, index, time, subject, depth } = event;
    await invoker().invoke({
      ...{ install, requestId: ids.next(), name: topic, body: nothing, signal },
      actor,
      call: { kind: "event", topic, index, id: event.id, time, actor: event.actor ?? "", subject, data: JSON.stringify(event.data), depth },
      accept: (answered) => expected(answered, "done"),
      ...(isRepeat ? { forgives: "failures" } : {}),
    } satisfies Invocation);
    return { kind: "done" };
  }

  async function filtered(...[target, point, payload, caller, budgetMs]: Parameters<HookHost["invokeFilter"]>): Promise<FilterOutcome> {
    const { community, install: id, extension } = target;
    const untilMs = performance.now() + budgetMs;
    try {
      const install = await installs().active(community, extension);
      if (install?.id !== id) return { kind: "failed", detail: "it is not active just now" };
      if (!install.granted.filters.includes(point)) return { kind: "skip" };
      const permissions = await permissionsOf(authority(), caller, community);
      const { outcome } = await invoker().invoke({
        ...{ install, requestId: ids.next(), name: point, body: nothing },
        actor: { id: caller.endpoint, handle: caller.handle, permissions },
        call: { kind: "filter", point, payload },
        accept: (answered) => expected(answered, "accept", "refuse"),
        maxTimeMs: untilMs - performance.now(),
        forgives: "timeouts",
      });
      if (outcome.kind === "accept") return { kind: "accept", payload: outcome.payload };
      return outcome.kind === "refuse" ? { kind: "refuse", reason: outcome.reason } : { kind: "failed", detail: outcome.kind };
    } catch (error) {
      return { kind: "failed", detail: isAppError(error) ? error.message : "it could not be asked" };
    }
  }

  return {
    subscriptions: (community) => installs().subscribed(community),
    async locate(community, ref) {
      const { id, extension } = await installs().locate(community, ref);
      return { community, install: id, extension };
    },
    invokeEvent: (target, event, { isRepeat, signal }) => told(target, event, isRepeat, signal).catch(outcomeOf),
    // Rows of its execution are no part of what the caller asked for.
    invokeFilter: (...asked) => outsideOutcome(() => filtered(...asked)),
  };
}

function expected(answered: Answered, ...kinds: readonly Answered["outcome"]["kind"][]): Answered {
  if (kinds.includes(answered.outcome.kind)) return answered;
  throw new AppError("ext.trap", { detail: `it answered with ${answered.outcome.kind} where ${kinds.join(" or ")} belongs` });
}

/** Of a member; somebody who is none, as one who is about to join, has none. */
async function permissionsOf(
  authority: Pick<Authority, "standing">,
  caller: Parameters<Authority["standing"]>[0],
  community: CommunityId,
): Promise<string[]> {
  try {
    const { member, permissions } = await authority.standing(caller, community);
    return member === undefined ? [] : [...permissions];
  } catch (error) {
    if (!hasCode(error, "community.not_found")) throw error;
    return [];
  }
}

function outcomeOf(error: unknown): EventOutcome {
  const wait = (code: string, detail: string, seconds = pauseMs / 1_000): EventOutcome => ({
    kind: "wait",
    afterMs: seconds * 1_000,
    code,
    detail,
  });
  if (!isAppError(error)) return wait("system.internal", "it failed inside");
  const { code, message, params, retryAfterSeconds } = error;
  if (hasCode(error, "install.blocked", "ext.integrity")) return { kind: "blocked", code, detail: message };
  if (hasCode(error, "ext.quota_exceeded") && waitedFor.has(params["quota"])) return wait(code, message, retryAfterSeconds);
  // A guest that takes its runner along each time comes to an end, too.
  if (hasCode(error, "ext.unavailable") && hasBegun(error)) return { kind: "failed", code, detail: message };
  if (hasCode(error, "ext.unavailable") || code.startsWith("store.") || code.startsWith("system."))
    return wait(code, message, retryAfterSeconds);
  return { kind: "failed", code, detail: message };
}
