/**
 * Forgetting: who wrote what, when somebody is erased; everything, when the community is closed.
 *
 * Invariant: repeatable after any interruption. What was decided stays as it was decided, without the name; an index entry goes in the batch that removes
 * the name it stands for.
 */
import type { CommunityId, EndpointId, ProposalRow } from "@althing/contract";
import { retryConflicts, type Collection, type Key, type Store, type Write } from "@althing/store";
import type { ProposalDesk } from "./proposal-desk.ts";

export interface Erasure {
  /** Nobody is named as author or trustee any more; texts stay. Not to be called inside an act that reads them. */
  erase(community: CommunityId, person: EndpointId): Promise<void>;
  /** All records of a community's proposals with what of them is due; after its members are gone, so that nothing new comes. */
  purge(community: CommunityId): Promise<void>;
}

const pageMax = 200;

export function createErasure(
  { store }: { readonly store: Store },
  desk: ProposalDesk,
  agendaOf: (row: ProposalRow) => readonly Write[],
): Erasure {
  const { proposals, versions, amendments, comments, groups, authors } = desk.collections;

  async function nameless<T extends { author: EndpointId | null }>(
    collection: Collection<T>,
    key: Key,
    person: EndpointId,
  ): Promise<Write[]> {
    const found = await collection.get(key);
    return found?.value.author === person ? [collection.toPut(key, { ...found.value, author: null }, found.revision)] : [];
  }

  /** In the row and in every version: a rule names its trustee. */
  async function withoutTrustee(community: CommunityId, proposal: string, person: EndpointId): Promise<Write[]> {
    const writes: Write[] = [];
    const row = await proposals.get([community, proposal]);
    if (row?.value.rule.trustee === person)
      writes.push(proposals.toPut(row.key, { ...row.value, rule: untrusted(row.value.rule) }, row.revision));
    for (const { key, value, revision } of await all(versions, [community, proposal]))
      if (value.rule.trustee === person) writes.push(versions.toPut(key, { ...value, rule: untrusted(value.rule) }, revision));
    return writes;
  }

  async function writesFor(community: CommunityId, person: EndpointId, key: Key): Promise<Write[]> {
    const [, , as = "", proposal = "", part = ""] = key;
    if (as === "proposal") return nameless(proposals, [community, proposal], person);
    if (as === "version") return nameless(versions, [community, proposal, part], person);
    if (as === "amendment") return nameless(amendments, [community, proposal, part], person);
    if (as === "comment") return nameless(comments, [community, proposal, part], person);
    return as === "trustee" ? withoutTrustee(community, proposal, person) : [];
  }

  return {
    async erase(community, person) {
      for (;;) {
        const { records } = await authors.list({ prefix: [community, person], limit: pageMax });
        if (records.length === 0) return;
        for (const { key } of records)
          await retryConflicts("the proposal", async () =>
            store.batch([...(await writesFor(community, person, key)), authors.toDelete(key)]),
          );
      }
    },
    async purge(community) {
      for (;;) {
        const { records } = await proposals.list({ prefix: [community], limit: pageMax });
        if (records.length === 0) break;
        await store.batch(records.flatMap(({ key, value }) => [proposals.toDelete(key), ...agendaOf(value)]));
      }
      await emptied(versions, community);
      await emptied(amendments, community);
      await emptied(comments, community);
      await emptied(groups, community);
      await emptied(authors, community);
    },
  };

  async function emptied<T>(collection: Collection<T>, community: CommunityId): Promise<void> {
    for (;;) {
      const { records } = await collection.list({ prefix: [community], limit: pageMax });
      if (records.length === 0) return;
      await store.batch(records.map(({ key }) => collection.toDelete(key)));
    }
  }
}

function untrusted({ trustee: _trustee, ...rule }: ProposalRow["rule"]): ProposalRow["rule"] {
  return rule;
}

async function all<T>(collection: Collection<T>, prefix: readonly [string, ...string[]]) {
  const records = [];
  for (let after: Key | undefined; ;) {
    const page = await collection.list({ prefix, limit: pageMax, ...(after === undefined ? {} : { after }) });
    records.push(...page.records);
    if (page.next === undefined) return records;
    after = page.next;
  }
}
