/**
 * Who is muted now.
 *
 * Invariant: a mute whose time is over does not hold, whether or not its entry on the agenda was carried out yet.
 */
import { AppError, communityIdSchema, endpointIdSchema, type CommunityId, type EndpointId } from "@althing/contract";
import type { Change, Store } from "@althing/store";
import type { Restrictions } from "../restrictions.ts";
import { openLedgerCollections } from "./ledger-collections.ts";

export interface Mutes extends Restrictions {
  /** Milliseconds since 1970; `undefined`: not muted. */
  mutedUntil(community: CommunityId, endpoint: EndpointId): Promise<number | undefined>;
  /** Whose mute is given, changed or taken back from the call on, whichever hub wrote it. @throws {store.unavailable} some may have been missed */
  changes(signal: AbortSignal): AsyncIterable<{ readonly community: CommunityId; readonly endpoint: EndpointId }>;
}

export function createMutes({ store, clock }: { readonly store: Store; readonly clock: { now(): number } }): Mutes {
  const { mutes } = openLedgerCollections(store);

  async function mutedUntil(community: CommunityId, endpoint: EndpointId): Promise<number | undefined> {
    const until = Date.parse((await mutes.get([community, endpoint]))?.value.until ?? "");
    return until > clock.now() ? until : undefined;
  }

  return {
    mutedUntil,
    changes: (signal) => peopleOf(mutes.watch({ signal })),
    async check(community, endpoint) {
      const until = await mutedUntil(community, endpoint);
      if (until !== undefined) throw new AppError("moderation.muted", { until: new Date(until).toISOString() });
    },
  };
}

/** The watch has begun when this is called. */
async function* peopleOf(changes: AsyncIterable<Change<unknown>>) {
  for await (const change of changes) {
    const [community, endpoint] = change.type === "put" ? change.record.key : change.key;
    yield { community: communityIdSchema.parse(community), endpoint: endpointIdSchema.parse(endpoint) };
  }
}
