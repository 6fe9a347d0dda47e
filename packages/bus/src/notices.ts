/**
 * Hints from the hub to members' sessions: something changed, ask again.
 *
 * Invariant: a notice says nothing that is trusted; it may be lost, so clients also ask by themselves. Only the hub can publish to a session's
 * inbox. Nothing is sent to who is out of the room, but for the one notice that says so.
 */
import { subjects, type EndpointId, type Notice } from "@althing/contract";
import type { AccessIndex } from "./access-index.ts";
import type { Clock } from "./environment.ts";
import type { BusConnection } from "./nats-connection.ts";

export interface Notices {
  /** To every open session of these people. Never fails: a notice that cannot be sent is not sent. */
  send(to: Iterable<EndpointId>, notice: Notice): void;
  /** To every open session of everybody: this node is about to stop. */
  broadcast(notice: Notice): void;
}

export function createNotices(deps: { readonly index: AccessIndex; readonly nats: BusConnection; readonly clock: Clock }): Notices {
  const { index, nats, clock } = deps;
  const publish = (inboxes: readonly string[], notice: Notice) => {
    if (nats.account.isClosed() || inboxes.length === 0) return;
    const payload = JSON.stringify(notice);
    for (const inbox of inboxes) nats.account.publish(subjects.notice(inbox), payload);
  };
  return {
    send: (to, notice) => publish(index.inboxes(to, clock.now()), notice),
    broadcast: (notice) => publish(index.inboxes(index.everybody(), clock.now()), notice),
  };
}
