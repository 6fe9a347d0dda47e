/**
 * Epochs on disk: one head, the record and the sealed list in parts.
 *
 * Invariant: written in the batch that makes the change they record, never changed. Parts, because a record of 2,000 members has 400 KiB and
 * a value travels as one message where the store is JetStream; a member reads the one part that holds its own sealed key.
 */
import type { EndpointId, Epoch, EpochProposal, RoomId, SealedKey } from "@althing/contract";
import type { Write } from "@althing/store";
import type { Collections } from "../collections.ts";

const recordPartChars = 48 * 1024;
const sealedPartCount = 200;

/** Numbers as keys sort as numbers. */
const pad = (value: number, digits: number) => String(value).padStart(digits, "0");
const epochKey = (room: RoomId, epoch: number) => [room, pad(epoch, 10)] as const;
const partKey = (room: RoomId, epoch: number, kind: "record" | "sealed", part: number) =>
  [room, pad(epoch, 10), kind, pad(part, 4)] as const;

export interface CheckedEpoch {
  readonly epoch: number;
  readonly hash: string;
  readonly proposal: EpochProposal;
}

export function epochWrites(collections: Collections, room: RoomId, checked: CheckedEpoch, at: string): Write[] {
  const { epoch, hash, proposal } = checked;
  const sealed = [...proposal.sealed].sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
  const writes: Write[] = [];
  let recordParts = 0;
  for (let from = 0; from < proposal.record.length; from += recordPartChars) {
    writes.push(
      collections.epochParts.toPut(
        partKey(room, epoch, "record", recordParts++),
        { text: proposal.record.slice(from, from + recordPartChars) },
        0,
      ),
    );
  }
  const sealedFirst: EndpointId[] = [];
  for (let from = 0; from < sealed.length; from += sealedPartCount) {
    const part = sealed.slice(from, from + sealedPartCount);
    writes.push(collections.epochParts.toPut(partKey(room, epoch, "sealed", sealedFirst.length), { sealed: part }, 0));
    if (part[0]) sealedFirst.push(part[0].endpoint);
  }
  const head = { hash, at, recordParts, sealedFirst, ...(proposal.link === undefined ? {} : { link: proposal.link }) };
  return [...writes, collections.epochs.toPut(epochKey(room, epoch), head, 0)];
}

async function recordText(collections: Collections, room: RoomId, epoch: number, parts: number): Promise<string> {
  const texts = await Promise.all(
    Array.from({ length: parts }, async (_, part) => {
      const value = (await collections.epochParts.get(partKey(room, epoch, "record", part)))?.value;
      return value && "text" in value ? value.text : "";
    }),
  );
  return texts.join("");
}

async function sealedFor(
  collections: Collections,
  room: RoomId,
  epoch: number,
  firsts: readonly EndpointId[],
  endpoint: EndpointId,
): Promise<SealedKey | undefined> {
  const part = firsts.findLastIndex((first) => first <= endpoint);
  if (part < 0) return undefined;
  const value = (await collections.epochParts.get(partKey(room, epoch, "sealed", part)))?.value;
  return value && "sealed" in value ? value.sealed.find((sealed) => sealed.endpoint === endpoint) : undefined;
}

/** The signed record's bytes in base64url; undefined when there is no such epoch. */
export async function readRecord(collections: Collections, room: RoomId, epoch: number): Promise<string | undefined> {
  const head = await collections.epochs.get(epochKey(room, epoch));
  return head && recordText(collections, room, epoch, head.value.recordParts);
}

/** One epoch as `endpoint` may see it. */
export async function readEpoch(collections: Collections, room: RoomId, epoch: number, endpoint: EndpointId): Promise<Epoch | undefined> {
  const head = await collections.epochs.get(epochKey(room, epoch));
  if (!head) return undefined;
  const [record, sealed] = await Promise.all([
    recordText(collections, room, epoch, head.value.recordParts),
    sealedFor(collections, room, epoch, head.value.sealedFirst, endpoint),
  ]);
  return { epoch, record, ...(sealed ? { sealed } : {}), ...(head.value.link === undefined ? {} : { link: head.value.link }) };
}
