/**
 * What a community's log says there must be, against what its records say there is: for tests after which no act may be half done.
 *
 * Invariant: made of the public events alone, in their order; nothing is asked of the hub. Whatever of the two sides lacks is told by name.
 */
import { z } from "zod";
import type { PublicEvent } from "@althing/contract";
import type { Key, Store } from "@althing/store";

/** Records by kind and name; the value is what of them the log tells. */
export type Picture = Readonly<Record<string, ReadonlyMap<string, string>>>;

const stateAfter: Readonly<Record<string, string>> = {
  "proposal.created": "draft",
  "proposal.discussion_opened": "discussion",
  "proposal.voting_opened": "voting",
  "proposal.voting_closed": "opening",
  "proposal.decided": "decided",
  "proposal.withdrawn": "withdrawn",
};

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const sorted = (value: unknown): string => (Array.isArray(value) ? value.map(String).sort().join(" ") : "");

/** What there must be. @param moderated of the ledger: comments that moderators removed, as `<proposal> <comment>` */
export function pictureOfEvents(events: readonly PublicEvent[], moderated: readonly string[]): Picture {
  const kinds = ["proposals", "versions", "comments", "ballots", "delegations", "members", "actions", "announcements"];
  const maps: Record<string, Map<string, string>> = Object.fromEntries(kinds.map((kind) => [kind, new Map<string, string>()]));
  const put = (kind: string, name: string, value: string) => void maps[kind]?.set(name, value);
  const drop = (kind: string, name: string) => void maps[kind]?.delete(name);
  for (const { topic, actor, data } of events) {
    const proposal = text(data["proposal"]);
    const state = stateAfter[topic];
    if (state !== undefined) put("proposals", proposal, state);
    const member = text(data["member"]);
    const slot = `${actor} ${text(data["topic"])}`;
    if (topic === "proposal.created") put("versions", `${proposal} 1`, "");
    if (topic === "proposal.changed") put("versions", `${proposal} ${String(data["version"])}`, "");
    if (topic === "comment.created") put("comments", `${proposal} ${text(data["comment"])}`, "");
    if (topic === "comment.restored") put("comments", `${proposal} ${text(data["comment"])}`, "");
    if (topic === "comment.removed") put("comments", `${proposal} ${text(data["comment"])}`, "removed");
    if (topic === "vote.cast") put("ballots", `${proposal} ${actor}`, "");
    if (topic === "vote.withdrawn") drop("ballots", `${proposal} ${actor}`);
    if (topic === "delegation.given") put("delegations", slot, text(data["to"]));
    if (topic === "delegation.revoked") drop("delegations", slot);
    if (topic === "member.joined" || topic === "member.roles_changed") put("members", member, sorted(data["roles"]));
    if (topic === "member.left" || topic === "member.removed") drop("members", member);
    if (topic === "moderation.acted") put("actions", text(data["action"]), text(data["digest"]));
    if (topic === "announcement.posted") put("announcements", text(data["announcement"]), "");
    if (topic === "announcement.removed") drop("announcements", text(data["announcement"]));
  }
  for (const name of moderated) put("comments", name, "moderated");
  return maps;
}

const loose = z.record(z.string(), z.unknown());

/** Every record of a community in one collection, its key without the community. */
export async function recordsOf(store: Store, name: string, community: string): Promise<[key: string[], value: Record<string, unknown>][]> {
  const collection = store.collection({ name, schema: loose });
  const found: [string[], Record<string, unknown>][] = [];
  let after: Key | undefined;
  do {
    const page = await collection.list({ prefix: [community], limit: 1_000, ...(after === undefined ? {} : { after }) });
    for (const { key, value } of page.records) found.push([key.slice(1), value]);
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** What a moderator removed stands in the ledger, which the log covers by its digest. */
const wayOfRemoval = (removed: unknown): string =>
  removed === undefined ? "" : loose.parse(removed)["by"] === "moderator" ? "moderated" : "removed";

/** What there is. */
export async function pictureOfRecords(store: Store, community: string): Promise<Picture> {
  const read = async (collection: string, entry: (key: string[], value: Record<string, unknown>) => [string, string]) =>
    new Map((await recordsOf(store, collection, community)).map(([key, value]) => entry(key, value)));
  return {
    proposals: await read("proposals", ([id = ""], { state }) => [id, text(state)]),
    versions: await read("proposal-versions", ([id = "", version = ""]) => [`${id} ${Number(version)}`, ""]),
    comments: await read("proposal-comments", ([id = "", comment = ""], { removed }) => [`${id} ${comment}`, wayOfRemoval(removed)]),
    ballots: await read("ballots", ([id = "", voter = ""]) => [`${id} ${voter}`, ""]),
    delegations: await read("delegations", ([from = ""], { to, topic }) => [`${from} ${text(topic)}`, text(to)]),
    members: await read("community-members", ([endpoint = ""], { roles }) => [endpoint, sorted(roles)]),
    actions: await read("moderation-ledger", ([id = ""], { digest }) => [id, text(digest)]),
    announcements: await read("announcements", ([id = ""]) => [id, ""]),
  };
}

/** Comments that an entry of the ledger is about. */
export async function moderatedComments(store: Store, community: string): Promise<string[]> {
  return (await recordsOf(store, "moderation-ledger", community)).flatMap(([, { target }]) => {
    if (target === undefined) return [];
    const { proposal, comment } = loose.parse(target);
    return [`${text(proposal)} ${text(comment)}`];
  });
}

/** Where the two say different things. */
export function differences(events: Picture, records: Picture): string[] {
  return Object.keys(events).flatMap((kind) => {
    const [told, kept] = [events[kind] ?? new Map(), records[kind] ?? new Map()];
    const names = [...new Set([...told.keys(), ...kept.keys()])];
    return names
      .filter((name) => told.get(name) !== kept.get(name))
      .map((name) => `${kind} ${name}: the log says ${told.get(name) ?? "nothing"}, the records ${kept.get(name) ?? "nothing"}`);
  });
}
