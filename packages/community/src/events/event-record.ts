/**
 * From a draft to the record that is kept, and from the record to what is shown.
 *
 * Invariant: a draft that does not fit the catalogue of topics is a fault of ours and is never written; what names a person goes under `personal` and nowhere
 * else. What is shown has every field of its topic: one that was erased is null and named in `redacted`. docs/architecture/events.md.
 */
import {
  AppError,
  eventTopics,
  topicSchema,
  type CommunityId,
  type EndpointId,
  type EventData,
  type EventRecord,
  type EventTopic,
  type ExtensionTopic,
  type PublicEvent,
  type TopicRow,
} from "@althing/contract";
import { hashEvent, sealPersonalField } from "@althing/crypto";
import { ulid } from "ulid";
import { z } from "zod";

export type EventActor =
  | { readonly kind: "member"; readonly endpoint: EndpointId }
  | { readonly kind: "extension"; readonly extension: string }
  | { readonly kind: "system" };

interface DraftBase {
  readonly actor: EventActor;
  /** What it is about, e.g. `proposal/01J…`; never a person. */
  readonly subject: string;
  /** One line for the feed; never names a person. */
  readonly summary: string;
  /** Of the cause plus one; absent: 0. */
  readonly depth?: number;
}
export type EventDraft =
  | { readonly [T in EventTopic]: DraftBase & { readonly topic: T; readonly data: EventData<T> } }[EventTopic]
  | (DraftBase & { readonly topic: ExtensionTopic; readonly data: Readonly<Record<string, unknown>> });

export interface EventPlace {
  readonly community: CommunityId;
  readonly index: number;
  readonly previous: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const textMax = 300;
const dataMaxBytes = 8 * 1024;
/** Of an extension's topic: `ext.`, a reverse domain name, a name. */
const extensionTopicParts = 4;
const dataSchema = z.record(z.string(), z.unknown());

const isCatalogued = (topic: string): topic is EventTopic => Object.hasOwn(eventTopics, topic);

function rowOf(topic: string): TopicRow | undefined {
  if (isCatalogued(topic)) return eventTopics[topic];
  if (topic.startsWith("ext.") && topic.split(".").length >= extensionTopicParts && topicSchema.safeParse(topic).success) return undefined;
  throw new TypeError(`${topic} is not in the catalogue of topics`);
}

/** At most `textMax` UTF-16 units of well-formed text, whatever a title was made of; a character is never cut in two. */
function shortText(text: string): string {
  const whole = text.toWellFormed();
  if (whole.length <= textMax) return whole;
  const cut = whole.slice(0, textMax);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

/** @throws {event.too_large} more than 8 KiB of data */
export async function recordOf(draft: EventDraft, { community, index, previous, at }: EventPlace): Promise<EventRecord> {
  const { topic, actor, subject, summary, depth = 0 } = draft;
  const row = rowOf(topic);
  const checked: Record<string, unknown> = row === undefined ? draft.data : row.data.parse(draft.data);
  const personal: EventRecord["personal"] = actor.kind === "member" ? { actor: await sealPersonalField(actor.endpoint) } : {};
  const open: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(checked)) {
    if (row?.personal.includes(name) === true && typeof value === "string") personal[name] = await sealPersonalField(value);
    else if (value !== undefined) open[name] = value;
  }
  const data = JSON.stringify(open);
  if (Buffer.byteLength(data) > dataMaxBytes) throw new AppError("event.too_large", { limit: dataMaxBytes });
  const named = actor.kind === "member" ? {} : { actor: actor.kind === "system" ? "system" : `ext:${actor.extension}` };
  const record: Omit<EventRecord, "hash"> = {
    ...{ id: ulid(at), community, index, time: new Date(at).toISOString(), topic, ...named },
    ...{ subject: shortText(subject), summary: shortText(summary), data, personal, depth, previous },
  };
  return { ...record, hash: await hashEvent(record) };
}

/** The people whom a record names now. */
export const personsOf = ({ personal }: EventRecord): string[] => [
  ...new Set(Object.values(personal).flatMap(({ value }) => (value === undefined ? [] : [value]))),
];

export interface PublicEventOptions {
  /** Shows nobody: as if every personal field had been erased. */
  readonly nameless?: boolean;
}

export function publicEventOf(record: EventRecord, { nameless = false }: PublicEventOptions = {}): PublicEvent {
  const { personal, data, actor, ...rest } = record;
  const shown = dataSchema.parse(JSON.parse(data));
  const redacted: string[] = [];
  let who: string | null = actor ?? null;
  for (const [name, { value: kept }] of Object.entries(personal)) {
    const value = nameless ? null : (kept ?? null);
    if (value === null) redacted.push(name);
    if (name === "actor") who = value;
    else shown[name] = value;
  }
  return { ...rest, actor: who, data: shown, redacted };
}
