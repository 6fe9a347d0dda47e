/**
 * Who wrote which message, as far as this run has seen it, to decide whether a redaction counts.
 *
 * Invariant: a redaction is admitted from the author of its target or from an owner or moderator of the redaction's own epoch; anybody else's is a
 * forgery. Bounded: of the oldest messages the author is forgotten, and then only moderators can redact them.
 */
import { AppError, type EndpointId } from "@althing/contract";
import type { RoomCore } from "./room-core.ts";
import type { RoomEvent } from "./room-events.ts";

export interface Redactions {
  /** Notes authors; @throws {frame.forged} a redaction by somebody who may not */
  admits(event: RoomEvent): Promise<boolean>;
}

const authorsMax = 20_000;

export function createRedactions(core: RoomCore): Redactions {
  const authors = new Map<string, EndpointId>();
  return {
    async admits(event) {
      if (event.kind === "message") {
        // The first with an id keeps it: somebody else's message under the same id must not make its sender the author.
        if (!authors.has(event.id)) authors.set(event.id, event.sender);
        if (authors.size > authorsMax) {
          const oldest = authors.keys().next().value;
          if (oldest !== undefined) authors.delete(oldest);
        }
      }
      if (event.kind !== "control" || event.target === undefined) return true;
      if (authors.get(event.target) === event.sender || (await mayModerate(core, event.sender, event.epoch ?? 0))) return true;
      throw new AppError("frame.forged", { detail: "a redaction by somebody who may not redact this message" });
    },
  };
}

/** Owners and moderators, by the record of that epoch, or by the server's list where there are no records. */
export async function mayModerate(core: RoomCore, endpoint: EndpointId, epoch: number): Promise<boolean> {
  const role = epoch > 0 ? (await core.book.at(epoch)).members.get(endpoint)?.role : (await core.directory.find(endpoint))?.role;
  return role === "owner" || role === "moderator";
}
