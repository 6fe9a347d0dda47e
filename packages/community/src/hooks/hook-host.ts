/**
 * What hooks ask of whoever runs extensions.
 *
 * Invariant: this package knows subscriptions and outcomes, not packages or sandboxes. The host judges install state, grants, trust and policy afresh at
 * each call and never throws for what a guest did: it answers with an outcome.
 */
import type { Caller } from "@althing/bus";
import { AppError, type CommunityId, type FilterPoint, type PublicEvent } from "@althing/contract";

/** One install, as it is named towards the host. */
export interface HookTarget {
  readonly community: CommunityId;
  readonly install: string;
  readonly extension: string;
}

export interface FilterSubscription {
  readonly point: FilterPoint;
  readonly mode: "fail_open" | "fail_closed";
  /** Lower is asked first. */
  readonly priority: number;
}

/** An install that its community has switched on, with what it was granted. */
export interface HookSubscription {
  readonly install: string;
  readonly extension: string;
  /** Topics, exact or `prefix.*`. */
  readonly events: readonly string[];
  readonly filters: readonly FilterSubscription[];
  /** In quarantine: it is told nothing, and a filter that must answer does not. */
  readonly isHeld: boolean;
}

export type EventOutcome =
  | { readonly kind: "done" }
  /** It ran, or would have, and could not take the event: an attempt. */
  | { readonly kind: "failed"; readonly code: string; readonly detail: string }
  /** Nothing is wrong with guest or event: quota, runner, store. Not an attempt. */
  | { readonly kind: "wait"; readonly afterMs: number; readonly code: string; readonly detail: string }
  /** Policy or trust do not let it run today. Not an attempt. */
  | { readonly kind: "blocked"; readonly code: string; readonly detail: string }
  /** The topic is not granted any more. */
  | { readonly kind: "skip" };

export type FilterOutcome =
  /** JSON. */
  | { readonly kind: "accept"; readonly payload: string }
  | { readonly kind: "refuse"; readonly reason: string }
  | { readonly kind: "failed"; readonly detail: string }
  /** Switched off since, or not granted any more. */
  | { readonly kind: "skip" };

export interface HookHost {
  /** All that are switched on; held ones among them. @throws {store.unavailable} */
  subscriptions(community: CommunityId): Promise<readonly HookSubscription[]>;
  /** @throws {install.not_found} */
  locate(community: CommunityId, install: string): Promise<HookTarget>;
  /** @param isRepeat the install was told of this event before: a failure is not held against it once more */
  invokeEvent(
    target: HookTarget,
    event: PublicEvent,
    options: { readonly isRepeat: boolean; readonly signal: AbortSignal },
  ): Promise<EventOutcome>;
  /** @param budgetMs what is left of the chain's time; whoever asks does not wait longer */
  invokeFilter(target: HookTarget, point: FilterPoint, payload: string, actor: Caller, budgetMs: number): Promise<FilterOutcome>;
}

/** For an instance without extensions. */
export const noExtensions: HookHost = {
  subscriptions: () => Promise.resolve([]),
  locate: (_community, install) => Promise.reject(new AppError("install.not_found", { install })),
  invokeEvent: () => Promise.resolve({ kind: "skip" }),
  invokeFilter: () => Promise.resolve({ kind: "skip" }),
};
