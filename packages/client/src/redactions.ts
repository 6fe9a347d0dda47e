/**
 * Who wrote which message, as far as this run has seen it, to decide whether a redaction counts.
 *
 * Invariant: a redaction counts from the author of its target or from an owner or moderator of the redaction's own epoch; anybody else's is a
 * forgery. Bounded: of the oldest messages the author is forgotten, and before a stretch of history it was never known. Then a redaction is handed on with
 * what it counts for (`moderates`), because its target may be the redactor's own message, and to call that a forgery would be wrong.
 */
import { AppError, type EndpointId } from "@althing/contract";
import type { MaybePromise } from "@althing/crypto";
import type { RoomCore } from "./room-core.ts";
import type { ControlEvent, MessageEvent } from "./room-events.ts";

export interface Redactions {
  /** Notes authors; says of a redaction what it counts for. @throws {frame.forged} a redaction by somebody who may not */
  admit(event: MessageEvent | ControlEvent): MaybePromise<MessageEvent | ControlEvent>;
}

/** The newest so many are remembered, and up to as many before them. */
const authorsMax = 10_000;

export function createRedactions(core: RoomCore): Redactions {
  // Two maps that take turns: deleting the oldest of one map for every message would have it search its beginning each time.
  let authors = new Map<string, EndpointId>();
  let before = new Map<string, EndpointId>();
  const authorOf = (id: string) => authors.get(id) ?? before.get(id);
  const note = ({ id, sender }: MessageEvent) => {
    // The first with an id keeps it: somebody else's message under the same id must not make its sender the author.
    if (authorOf(id) !== undefined) return;
    if (authors.size >= authorsMax) [before, authors] = [authors, new Map<string, EndpointId>()];
    authors.set(id, sender);
  };
  const judge = async (event: ControlEvent, target: string): Promise<ControlEvent> => {
    const moderates = await mayModerate(core, event.sender, event.epoch ?? 0);
    const author = authorOf(target);
    if (!moderates && author !== undefined && author !== event.sender)
      throw new AppError("frame.forged", { detail: "a redaction by somebody who may not redact this message" });
    return { ...event, moderates };
  };
  return {
    admit(event) {
      if (event.kind === "message") note(event);
      return event.kind !== "control" || event.target === undefined ? event : judge(event, event.target);
    },
  };
}

/** Owners and moderators, by the record of that epoch, or by the server's list where there are no records. */
export async function mayModerate(core: RoomCore, endpoint: EndpointId, epoch: number): Promise<boolean> {
  const role = epoch > 0 ? (await core.book.at(epoch)).members.get(endpoint)?.role : (await core.directory.find(endpoint))?.role;
  return role === "owner" || role === "moderator";
}
