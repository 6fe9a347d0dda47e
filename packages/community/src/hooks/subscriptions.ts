/**
 * Who wants to be told or asked, per community, by topic and by point.
 *
 * Invariant: every change of an install writes the community's mark in the same batch, so a set whose mark has not moved is exact: a switch holds for the
 * next question on every node. Topics are found by their text and by their prefixes, never by going through all subscriptions.
 */
import type { CommunityId, FilterPoint } from "@althing/contract";
import type { HookCollections } from "./hook-collections.ts";
import type { FilterSubscription, HookHost, HookSubscription } from "./hook-host.ts";

export interface FilterStep extends FilterSubscription {
  readonly subscription: HookSubscription;
}

export interface SubscriptionSet {
  /** Of the mark; 0 for none. */
  readonly revision: number;
  readonly all: readonly HookSubscription[];
  /** Whoever is told of an event; its maker only if the topic is subscribed exactly. */
  matching(event: { readonly topic: string; readonly actor?: string | null | undefined }): readonly HookSubscription[];
  /** In the order in which they are asked. */
  filters(point: FilterPoint): readonly FilterStep[];
}

export interface Subscriptions {
  /** One small read; more after a change. @throws {store.unavailable} */
  current(community: CommunityId): Promise<SubscriptionSet>;
}

const rememberedMax = 20_000;
const none: readonly never[] = [];

const makerOf = (subscription: HookSubscription): string => `ext:${subscription.extension}`;

/** Is one install told of it? */
export function isToldOf(subscription: HookSubscription, topic: string, actor: string | null | undefined): boolean {
  if (subscription.events.includes(topic)) return true;
  if (actor === makerOf(subscription)) return false;
  return subscription.events.some((pattern) => pattern.endsWith(".*") && topic.startsWith(pattern.slice(0, -1)));
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const before = map.get(key);
  if (before === undefined) map.set(key, [value]);
  else before.push(value);
}

export function createSubscriptionSet(all: readonly HookSubscription[], revision = 0): SubscriptionSet {
  const exact = new Map<string, HookSubscription[]>();
  /** By prefix with its dot: `proposal.`. */
  const below = new Map<string, HookSubscription[]>();
  const points = new Map<FilterPoint, FilterStep[]>();
  for (const subscription of all) {
    for (const pattern of subscription.events)
      if (pattern.endsWith(".*")) push(below, pattern.slice(0, -1), subscription);
      else push(exact, pattern, subscription);
    for (const filter of subscription.filters) push(points, filter.point, { ...filter, subscription });
  }
  for (const steps of points.values())
    steps.sort((a, b) => a.priority - b.priority || (a.subscription.install < b.subscription.install ? -1 : 1));
  return {
    revision,
    all,
    matching({ topic, actor }) {
      let found: Set<HookSubscription> | undefined;
      for (const subscription of exact.get(topic) ?? none) (found ??= new Set()).add(subscription);
      if (below.size > 0)
        for (let dot = topic.indexOf("."); dot >= 0; dot = topic.indexOf(".", dot + 1))
          for (const subscription of below.get(topic.slice(0, dot + 1)) ?? none)
            if (actor !== makerOf(subscription)) (found ??= new Set()).add(subscription);
      return found === undefined ? none : [...found];
    },
    filters: (point) => points.get(point) ?? none,
  };
}

export function createSubscriptions({ marks }: Pick<HookCollections, "marks">, host: HookHost): Subscriptions {
  const sets = new Map<CommunityId, SubscriptionSet>();
  return {
    async current(community) {
      // The mark is read first: what changes in between is read again next time.
      const revision = (await marks.get([community]))?.revision ?? 0;
      const known = sets.get(community);
      if (known?.revision === revision) return known;
      const fresh = createSubscriptionSet(await host.subscriptions(community), revision);
      if (sets.size >= rememberedMax) sets.clear();
      sets.set(community, fresh);
      return fresh;
    },
  };
}
