/**
 * The public log as members read it: pages, one event, its head, exports; and whether somebody still may.
 *
 * Invariant: every read asks the authority afresh. A page reads a bounded number of records, whatever it is filtered by.
 */
import type { Caller } from "@althing/bus";
import {
  AppError,
  topicMatches,
  type CommunityId,
  type EventExport,
  type EventHead,
  type EventPage,
  type EventQuery,
  type EventRecord,
  type PublicEvent,
} from "@althing/contract";
import type { Authority } from "../authority.ts";
import { endOfLog } from "./event-collections.ts";
import type { EventLog } from "./event-log.ts";
import { publicEventOf } from "./event-record.ts";

interface OfCommunity {
  /** Id or name. */
  readonly community: string;
}

export interface EventReader {
  /** @throws {community.not_found} {auth.forbidden}: as all of these */
  list(caller: Caller, input: OfCommunity & EventQuery): Promise<EventPage>;
  /** @throws {event.not_found} */
  get(caller: Caller, input: OfCommunity & { readonly index: number }): Promise<PublicEvent>;
  head(caller: Caller, input: OfCommunity): Promise<EventHead>;
  export(caller: Caller, input: OfCommunity & { readonly after: number; readonly limit: number }): Promise<EventExport>;
  /** Which community it is, if the caller may read its events now. */
  admit(caller: Caller, input: OfCommunity): Promise<CommunityId>;
}

/** Records that one page of a topic looks through. */
const scannedMax = 5_000;
const readAtOnce = 1_000;

export function createEventReader({ events, authority }: { readonly events: EventLog; readonly authority: Authority }): EventReader {
  const admit = async (caller: Caller, { community }: OfCommunity): Promise<CommunityId> =>
    (await authority.require(caller, community, "events.read")).community.value.id;

  /** Reads on until the page is full, the log ends or enough was looked through. */
  async function page(
    { topic, limit }: Pick<EventQuery, "topic" | "limit">,
    start: number,
    readFrom: (cursor: number, limit: number) => Promise<readonly EventRecord[]>,
  ): Promise<EventPage> {
    const found: PublicEvent[] = [];
    let cursor = start;
    for (let scanned = 0; scanned < scannedMax;) {
      const records = await readFrom(cursor, topic === undefined ? limit - found.length : readAtOnce);
      if (records.length === 0) return { events: found };
      for (const record of records) {
        cursor = record.index;
        scanned += 1;
        if (topic === undefined || topicMatches(topic, record.topic)) found.push(publicEventOf(record));
        if (found.length === limit) break;
      }
      if (found.length === limit) break;
    }
    const further = await readFrom(cursor, 1);
    return further.length === 0 ? { events: found } : { events: found, next: cursor };
  }

  return {
    admit,
    async list(caller, input) {
      const { after, before, order } = input;
      const community = await admit(caller, input);
      if (before === undefined && order !== "newest")
        return page(input, after ?? 0, (cursor, limit) => events.read(community, cursor, limit));
      return page(input, before ?? endOfLog, (cursor, limit) => events.readBack(community, cursor, limit));
    },
    async get(caller, input) {
      const community = await admit(caller, input);
      const record = await events.one(community, input.index);
      if (record === undefined) throw new AppError("event.not_found", { index: input.index });
      return publicEventOf(record);
    },
    head: async (caller, input) => events.head(await admit(caller, input)),
    async export(caller, input) {
      const community = await admit(caller, input);
      const records = await events.read(community, input.after, input.limit);
      const last = records.at(-1)?.index;
      const isEnd = last === undefined || (await events.read(community, last, 1)).length === 0;
      return { community, events: [...records], ...(isEnd ? {} : { next: last }) };
    },
  };
}
