/**
 * How rooms, members and events look on a terminal and in `--json`.
 *
 * Invariant: a peer's text is one block whose further lines are marked, and names are one line each, so that nobody can write a line that looks like
 * another person's; what the signature does not vouch for is marked `(unsigned)`.
 */
import type { Room } from "@althing/contract";
import type { Member, RoomEvent } from "@althing/client";
import { safeBlock, safeLine } from "./terminal-text.ts";

export interface EventNames {
  /** The handle behind an endpoint id, when it is known. */
  (endpoint: string): string | undefined;
}

/** Endpoint ids are long; the head is enough to tell people apart in a line. */
export function shortEndpoint(endpoint: string): string {
  return `${endpoint.slice(0, 8)}…`;
}

export function nameOf(endpoint: string, names: EventNames): string {
  return safeLine(names(endpoint) ?? shortEndpoint(endpoint));
}

/**
 * Who is in a room, a row each: handle, role, what is to be known of their place in it, endpoint.
 *
 * A record names members until the next one is made and says nothing of who went: that, and who has accepted, is the server's word.
 */
export function memberRows(members: readonly Member[], { gone }: Pick<Room, "gone">): string[][] {
  return members.map((member) => [safeLine(member.handle), roleText(member), standingText(member, gone), member.endpoint]);
}

function roleText({ kind, role }: Member): string {
  return kind === "extension" ? "extension: the server reads along" : role;
}

function standingText({ kind, endpoint, joined }: Member, gone: Room["gone"]): string {
  if (gone.includes(endpoint)) return "is out: new keys are due";
  return kind === "extension" || joined ? "" : "has not accepted yet";
}

/** `21:04`, local time. */
export function clockText(at: string | undefined): string {
  const date = at === undefined ? new Date() : new Date(at);
  return Number.isNaN(date.getTime())
    ? "--:--"
    : `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/** One event for a person. */
export function eventText(event: RoomEvent, names: EventNames): string {
  if (event.kind === "message") return messageText(event, names);
  if (event.kind === "epoch") return `-- ${epochText(event, names)} --`;
  const who = nameOf(event.sender, (endpoint) => event.handle ?? names(endpoint));
  return `-- ${controlText(event.type, who)} --`;
}

function controlText(type: string, who: string): string {
  if (type === "redact") return `${who} redacted a message`;
  return `${who}: ${type}`;
}

function epochText(event: Extract<RoomEvent, { kind: "epoch" }>, names: EventNames): string {
  const list = (verb: string, members: readonly { readonly handle: string }[]): string =>
    members.length === 0 ? "" : `, ${verb} ${members.map((member) => safeLine(member.handle)).join(", ")}`;
  return `epoch ${event.epoch} by ${nameOf(event.maker, names)} (${event.reason})${list("added", event.added)}${list("removed", event.removed)}`;
}

function messageText(event: Extract<RoomEvent, { kind: "message" }>, names: EventNames): string {
  const who = `${clockText(event.at)} ${nameOf(event.sender, (endpoint) => event.handle ?? names(endpoint))}${event.authenticated ? "" : " (unsigned)"}: `;
  if (event.redacted !== undefined) return `${who}(redacted: ${safeLine(event.redacted.reason)})`;
  const blob = event.blob === undefined ? "" : ` [blob ${blobReference(event.blob)}, ${event.blob.bytes} bytes]`;
  const body = event.text === undefined ? `(${event.bytes.length} bytes of ${safeLine(event.contentType)})` : safeBlock(event.text);
  return `${who}${body}${blob}`;
}

/** `hash.key`: what `althing blob get` takes. */
export function blobReference(blob: { readonly hash: string; readonly key: string }): string {
  return `${blob.hash}.${blob.key}`;
}

/** An event as JSON: bytes as base64url. */
export function eventJson(event: RoomEvent): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(event, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString("base64url") : value)),
  ) as Record<string, unknown>;
}

/** `encrypted, persisted, signed, history from-join`. */
export function policyText(policy: Room["policy"]): string {
  const parts = [
    policy.encrypt ? "encrypted" : "not encrypted",
    policy.persist ? "persisted" : "not persisted",
    policy.sign ? "signed" : "not signed",
  ];
  return `${parts.join(", ")}, history ${policy.history}`;
}
