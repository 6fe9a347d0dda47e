/**
 * The chain of filters that extensions take part in, as those who ask see it.
 *
 * Invariant: what comes back fits the point's schema and differs only where a filter may change something; a refusal carries the reason that the person sees.
 * The whole chain has one time, and whoever asks waits no longer. A secret choice is shown to no filter. docs/architecture/hooks.md.
 */
import type { Caller } from "@althing/bus";
import { AppError, filterPointSchemas, limits, type CommunityId, type FilterPayload, type FilterPoint } from "@althing/contract";
import type { FilterOutcome, HookHost } from "./hook-host.ts";
import type { HookLog } from "./lane-deps.ts";
import type { FilterStep, Subscriptions } from "./subscriptions.ts";
import type { Timers } from "./timers.ts";

export interface Filters {
  /**
   * Asks before something is done, outside of any `act`.
   * @returns the payload as the filters left it
   * @throws {filter.refused} with the filter's reason {filter.failed} a filter that must answer did not
   */
  run<P extends FilterPoint>(community: CommunityId, point: P, actor: Caller, payload: FilterPayload<P>): Promise<FilterPayload<P>>;
}

export interface FiltersDeps {
  readonly subscriptions: Subscriptions;
  readonly host: HookHost;
  readonly timers: Timers;
  /** Milliseconds that only grow. */
  readonly monotonicMs: () => number;
  readonly log: HookLog;
  readonly budgetMs?: number;
}

/** What a filter may judge and not change: what it is about, and everything of a vote. */
const fixedFields: Readonly<Record<FilterPoint, readonly string[]>> = {
  "proposal.before_create": [],
  "comment.before_create": ["proposal"],
  "vote.before_cast": ["proposal", "method", "secret", "choice"],
  "member.before_join": ["handle"],
  "room.before_create": ["encrypt", "persist"],
  "moderation.before_act": ["kind", "target"],
};
const reasonMax = 300;
/** Below this no call is worth beginning. */
const leastMs = 5;

type Judged<P extends FilterPoint> =
  | { readonly kind: "go on"; readonly payload: FilterPayload<P> }
  | { readonly kind: "refuse"; readonly reason: string }
  | { readonly kind: "failed"; readonly detail: string };

export function createFilters({ subscriptions, host, timers, monotonicMs, log, budgetMs = limits.filterBudgetMs }: FiltersDeps): Filters {
  /** What the filter answers, or that it did not within its time. */
  async function answer(work: Promise<FilterOutcome>, waitMs: number): Promise<FilterOutcome> {
    let cancel = () => {};
    const late = new Promise<FilterOutcome>((resolve) => {
      cancel = timers.after(waitMs, () =>
        resolve({ kind: "failed", detail: `the time of all filters together, ${budgetMs} ms, was over` }),
      );
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      return { kind: "failed", detail: error instanceof AppError ? error.message : "it could not be asked" };
    } finally {
      cancel();
    }
  }

  async function ask<P extends FilterPoint>(
    community: CommunityId,
    { subscription, point }: FilterStep & { readonly point: P },
    actor: Caller,
    payload: FilterPayload<P>,
    untilMs: number,
  ): Promise<Judged<P>> {
    if (subscription.isHeld) return { kind: "failed", detail: "it is in quarantine" };
    const leftMs = untilMs - monotonicMs();
    if (leftMs < leastMs) return { kind: "failed", detail: `the time of all filters together, ${budgetMs} ms, was over` };
    const { install, extension } = subscription;
    const asked = host.invokeFilter({ community, install, extension }, point, JSON.stringify(payload), actor, leftMs);
    const outcome = await answer(asked, leftMs);
    if (outcome.kind === "skip") return { kind: "go on", payload };
    if (outcome.kind === "refuse") return { kind: "refuse", reason: plainText(outcome.reason) };
    return outcome.kind === "failed" ? outcome : changed(point, payload, outcome.payload);
  }

  return {
    async run(community, point, actor, payload) {
      const steps = (await subscriptions.current(community)).filters(point);
      if (steps.length === 0) return payload;
      const untilMs = monotonicMs() + budgetMs;
      const { shown, restore } = withoutSecrets(point, payload);
      let now = shown;
      for (const step of steps) {
        const { subscription, mode } = step;
        const judged = await ask(community, { ...step, point }, actor, now, untilMs);
        const { extension } = subscription;
        if (judged.kind === "refuse") throw new AppError("filter.refused", { extension, reason: judged.reason });
        if (judged.kind === "go on") {
          now = judged.payload;
          continue;
        }
        log("warn", "a filter did not answer", { community, extension, point, mode, detail: judged.detail });
        if (mode === "fail_closed") throw new AppError("filter.failed", { extension, detail: judged.detail }, { retryAfterSeconds: 1 });
      }
      return restore(now);
    },
  };
}

/** The answer of a filter as a payload of its point, if it is one. */
function changed<P extends FilterPoint>(point: P, before: FilterPayload<P>, text: string): Judged<P> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "failed", detail: "its answer is not JSON" };
  }
  const parsed = filterPointSchemas[point].safeParse(value);
  if (!parsed.success) return { kind: "failed", detail: "its answer does not fit the point" };
  const old: Readonly<Record<string, unknown>> = before;
  const fresh: Readonly<Record<string, unknown>> = parsed.data;
  const field = fixedFields[point].find((name) => JSON.stringify(old[name]) !== JSON.stringify(fresh[name]));
  if (field !== undefined) return { kind: "failed", detail: `it changed ${field}, which a filter may not` };
  return { kind: "go on", payload: parsed.data as FilterPayload<P> };
}

/** A secret choice is taken out before anybody is asked, and put back behind the last. */
function withoutSecrets<P extends FilterPoint>(
  point: P,
  payload: FilterPayload<P>,
): { readonly shown: FilterPayload<P>; readonly restore: (payload: FilterPayload<P>) => FilterPayload<P> } {
  const isSecret = point === "vote.before_cast" && "secret" in payload && payload.secret;
  if (!isSecret || !("choice" in payload)) return { shown: payload, restore: (judged) => judged };
  const { choice, ...shown } = payload;
  return { shown: shown as FilterPayload<P>, restore: (judged) => ({ ...judged, choice }) };
}

/** One line, without what could pass for something else on a screen. */
function plainText(reason: string): string {
  const line = reason
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, " ")
    .trim();
  // The sentence that it becomes part of has its own end.
  const cut = [...line]
    .slice(0, reasonMax)
    .join("")
    .replace(/[.\s]+$/u, "");
  return cut === "" ? "it gives no reason" : cut;
}
