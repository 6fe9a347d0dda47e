/**
 * What an application hears of a room.
 *
 * Invariant: an event is made of verified content only; a redaction counts only from the author of the message or from somebody who may moderate.
 */
import type { BlobHash, EndpointId, Handle } from "@althing/contract";
import { toBase64url, type FrameType } from "@althing/crypto";
import type { EpochChange } from "./epoch-book.ts";
import { decodeRedaction, textOf, type Payload } from "./payload.ts";
import type { Opened } from "./room-opener.ts";

export interface BlobLink {
  readonly hash: BlobHash;
  /** Of the ciphertext. */
  readonly bytes: number;
  /** base64url; opens it. */
  readonly key: string;
}

interface FrameEvent {
  /** ULID given by the sender. */
  readonly id: string;
  /** Place in the room's history; absent where nothing is kept. */
  readonly seq?: number;
  /** When the server stored it, ISO 8601; absent when it came live. */
  readonly at?: string;
  readonly sender: EndpointId;
  readonly handle: Handle | undefined;
  /** false: the room does not sign, so any member may have written it. */
  readonly authenticated: boolean;
  /** Of the frame; 0 in rooms without encryption. */
  readonly epoch?: number;
}

export interface MessageEvent extends FrameEvent {
  readonly kind: "message";
  readonly contentType: string;
  /** For text types. */
  readonly text?: string;
  /** Empty when redacted. */
  readonly bytes: Uint8Array;
  readonly blob?: BlobLink;
  readonly redacted?: { readonly by: EndpointId; readonly reason: string };
}

export interface ControlEvent extends FrameEvent {
  readonly kind: "control";
  readonly type: Exclude<FrameType, "msg">;
  readonly contentType: string;
  readonly text?: string;
  readonly bytes: Uint8Array;
  /** Of a `redact`: the message, and why. */
  readonly target?: string;
  readonly reason?: string;
  /** Of a `redact`: its sender may moderate, so that it counts for anybody's message; else for the sender's own alone. */
  readonly moderates?: boolean;
}

export interface EpochEvent extends EpochChange {
  readonly kind: "epoch";
}

export type RoomEvent = MessageEvent | ControlEvent | EpochEvent;

export interface FrameFacts {
  readonly id: string;
  readonly type: FrameType;
  readonly epoch: number;
  readonly sender: EndpointId;
  readonly handle: Handle | undefined;
  readonly authenticated: boolean;
  readonly payload: Payload;
  readonly blob: { readonly hash: BlobHash; readonly bytes: number } | undefined;
}

export function factsOf(opened: Opened): FrameFacts {
  const { frame, payload, handle } = opened;
  return {
    id: frame.id,
    type: frame.type,
    epoch: frame.epoch,
    sender: frame.sender,
    handle,
    authenticated: frame.authenticated,
    payload,
    blob: frame.blob,
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Written field by field: to spread the facts into their event costs as much as to decrypt them. */
function messageOf(facts: FrameFacts, seq: number | undefined, at: string | undefined): Writable<MessageEvent> {
  const { id, sender, handle, authenticated, epoch, payload } = facts;
  const { contentType, bytes } = payload;
  const message: Writable<MessageEvent> = { kind: "message", id, sender, handle, authenticated, epoch, contentType, bytes };
  const text = textOf(payload);
  if (text !== undefined) message.text = text;
  if (seq !== undefined) message.seq = seq;
  if (at !== undefined) message.at = at;
  return message;
}

/** @throws {frame.malformed} a redaction that names no message */
export function toEvent(facts: FrameFacts, seq: number | undefined, at: string | undefined): MessageEvent | ControlEvent {
  const { type, payload, blob } = facts;
  const message = messageOf(facts, seq, at);
  if (type === "redact") return { ...message, kind: "control", type, ...decodeRedaction(payload) };
  if (type !== "msg") return { ...message, kind: "control", type };
  if (blob !== undefined && payload.blobKey !== undefined) message.blob = { ...blob, key: toBase64url(payload.blobKey) };
  return message;
}

/** The message without its content. */
export function redactEvent(event: MessageEvent, by: EndpointId, reason: string): MessageEvent {
  const { text: _text, blob: _blob, ...rest } = event;
  return { ...rest, bytes: new Uint8Array(), redacted: { by, reason } };
}
