/**
 * The hash chain of a community's public log: how an event is hashed, and how a log is checked by whoever holds an export.
 *
 * Invariant: what is hashed is deterministic CBOR of a list whose first item names the format; fields that name a person enter as sha256(salt ‖ value), so
 * that salt and value can be erased and the chain still verifies. Format and reasons: docs/architecture/events.md.
 */
import { eventRecordSchema, type EventRecord, type PersonalField } from "@althing/contract";
import { concat, fromHex, randomBytes, sha256, toHex, utf8 } from "./bytes.ts";
import { encodeCbor } from "./canonical.ts";

const format = "althing/event/v1";

/** What stands in `previous` of the first event. */
export const chainStart = "0".repeat(64);

/** A personal field before it is hashed: fresh salt, digest beside it. */
export async function sealPersonalField(value: string): Promise<Required<PersonalField>> {
  const salt = randomBytes(16);
  return { digest: toHex(await sha256(concat(salt, utf8(value)))), salt: toHex(salt), value };
}

/** Of everything but `hash`; salts and values are not covered, their digests are. @throws {request.malformed} text that is not well-formed */
export async function hashEvent(event: Omit<EventRecord, "hash">): Promise<string> {
  const { community, index, id, time, topic, actor, subject, summary, data, personal, depth, previous } = event;
  const digests = Object.fromEntries(Object.entries(personal).map(([field, { digest }]) => [field, fromHex(digest)]));
  return toHex(
    await sha256(
      encodeCbor([format, community, index, id, time, topic, actor ?? null, subject, summary, data, digests, depth, fromHex(previous)]),
    ),
  );
}

export type ChainFault =
  | { readonly index: number; readonly fault: "gap"; readonly expected: number }
  /** `form`: it is no event at all; its index is the one that was expected. */
  | { readonly index: number; readonly fault: "form" | "community" | "previous" | "hash" | "personal" };

export interface ChainVerdict {
  readonly events: number;
  /** Events with at least one erased field. */
  readonly redacted: number;
  /** Hash of the last event; `chainStart` for an empty log. */
  readonly head: string;
  /** Of the first event; absent for an empty log. */
  readonly community?: string;
  /** The first that does not fit; the rest was not read. */
  readonly fault?: ChainFault;
}

/**
 * Reads a log from its first event on and stops at the first that does not fit. Items are taken as they come, from a file of whatever origin.
 * A log that was cut at its end, or written anew as a whole, verifies: compare `events` and `head` with what is known from elsewhere.
 */
export async function verifyChain(events: AsyncIterable<unknown> | Iterable<unknown>): Promise<ChainVerdict> {
  let verdict: ChainVerdict = { events: 0, redacted: 0, head: chainStart };
  for await (const item of events) {
    const parsed = eventRecordSchema.safeParse(item);
    if (!parsed.success) return { ...verdict, fault: { index: verdict.events + 1, fault: "form" } };
    const event = parsed.data;
    const fault = await faultOf(event, verdict);
    if (fault !== undefined) return { ...verdict, fault };
    const isRedacted = Object.values(event.personal).some(({ value }) => value === undefined);
    const { community, hash } = event;
    verdict = { events: verdict.events + 1, redacted: verdict.redacted + (isRedacted ? 1 : 0), head: hash, community };
  }
  return verdict;
}

async function faultOf(event: EventRecord, before: ChainVerdict): Promise<ChainFault | undefined> {
  const { index } = event;
  if (before.community !== undefined && event.community !== before.community) return { index, fault: "community" };
  if (index !== before.events + 1) return { index, fault: "gap", expected: before.events + 1 };
  if (event.previous !== before.head) return { index, fault: "previous" };
  for (const { digest, salt, value } of Object.values(event.personal)) {
    if ((salt === undefined) !== (value === undefined)) return { index, fault: "personal" };
    if (salt !== undefined && value !== undefined && toHex(await sha256(concat(fromHex(salt), utf8(value)))) !== digest)
      return { index, fault: "personal" };
  }
  try {
    return (await hashEvent(event)) === event.hash ? undefined : { index, fault: "hash" };
  } catch {
    return { index, fault: "form" };
  }
}
