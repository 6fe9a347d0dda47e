/**
 * Who is in a room: from the verified record where there is one, else from the server, checked against keys and pins.
 *
 * Invariant: in an encrypted room the server's list of members is never shown; it only adds who has accepted the invitation.
 */
import {
  AppError,
  isExtensionHandle,
  limits,
  type EndpointId,
  type Handle,
  type RoomId,
  type RoomMember,
  type RoomRole,
  type SignPub,
} from "@althing/contract";
import type { Api } from "./api.ts";
import type { VerifiedEpoch } from "./epoch-book.ts";
import { checkKeys, type Pins } from "./pins.ts";

export interface Member {
  readonly endpoint: EndpointId;
  readonly signPub: SignPub;
  readonly handle: Handle;
  /** An extension's keys are the server's: with one in the room, the server can read the room. */
  readonly kind: "person" | "extension";
  readonly role: RoomRole;
  /** Has accepted the invitation, as the server says. */
  readonly joined: boolean;
}

export interface Directory {
  /** All members now. */
  list(): Promise<Member[]>;
  /** Somebody of a room without records; asks the server once when unknown. */
  find(endpoint: EndpointId): Promise<Member | undefined>;
  forget(): void;
}

/** By the name, which the record signs, not by the server's word. */
const kindOf = (handle: string) => (isExtensionHandle(handle) ? ("extension" as const) : ("person" as const));

/** Junk from unknown senders must not become one request each. */
const askAgainMs = 500;

/**
 * @param onStranger somebody is in the server's list and not in the record
 * @param refresh brings the record to what the server has now
 */
export function createDirectory(
  api: Api,
  pins: Pins,
  room: RoomId,
  top: () => VerifiedEpoch | undefined,
  refresh: () => Promise<unknown>,
  onStranger: (member: RoomMember) => void,
): Directory {
  let served = new Map<EndpointId, RoomMember>();
  let askedAt = Number.NEGATIVE_INFINITY;

  async function ask(): Promise<void> {
    askedAt = performance.now();
    const fresh = new Map<EndpointId, RoomMember>();
    for (let after: EndpointId | undefined; ;) {
      const page = await api.call("rooms.members", { params: { room }, query: { limit: 500, ...(after === undefined ? {} : { after }) } });
      for (const member of page.members) fresh.set(member.endpoint, member);
      if (page.next === undefined) break;
      if (page.next <= (after ?? "") || fresh.size > limits.roomMembersMax)
        throw new AppError("client.bad_answer", { detail: "rooms.members does not end" });
      after = page.next;
    }
    if (top() === undefined) {
      for (const member of fresh.values()) await checkKeys(member.handle, member.signPub, member.endpoint, undefined);
      await pins.pinAll([...fresh.values()]);
    }
    served = fresh;
  }

  const strangers = () => {
    const members = top()?.members;
    return members === undefined ? [] : [...served.values()].filter((member) => !members.has(member.endpoint));
  };

  /** A change may lie between list and record. When the record stands still around a new list, it is a lie. */
  async function lookAgain(): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) {
      await refresh();
      const before = top()?.hash;
      await ask();
      await refresh();
      if (top()?.hash !== before) continue;
      for (const member of strangers()) onStranger(member);
      return;
    }
  }

  return {
    async list() {
      await ask();
      if (strangers().length > 0) await lookAgain();
      const verified = top();
      if (verified === undefined)
        return [...served.values()].map(({ endpoint, signPub, handle, role, joined }) => ({
          ...{ endpoint, signPub, handle, kind: kindOf(handle), role, joined },
        }));
      return verified.record.members.map(({ endpoint, signPub, handle, role }) => ({
        endpoint,
        signPub,
        handle,
        kind: kindOf(handle),
        role,
        joined: served.get(endpoint)?.joined ?? false,
      }));
    },
    async find(endpoint) {
      if (!served.has(endpoint) && performance.now() - askedAt > askAgainMs) await ask();
      const member = served.get(endpoint);
      return member && { ...member, kind: kindOf(member.handle) };
    },
    forget() {
      askedAt = Number.NEGATIVE_INFINITY;
    },
  };
}
