/** Which method answers which route of `routes-events.ts`; rules as in handlers.ts. */
import type { CommunityPlane } from "@althing/community";
import { AppError, type eventRoutes } from "@althing/contract";
import type { EventStreams } from "../event-stream.ts";
import { inputOf, type Call, type Handler } from "./handler.ts";

export function eventHandlers(plane: () => CommunityPlane, streams: EventStreams) {
  return {
    "events.list": (c) => plane().eventReader.list(c.caller(), inputOf<"events.list">(c)),
    "events.head": (c) => plane().eventReader.head(c.caller(), inputOf<"events.head">(c)),
    "events.export": (c) => plane().eventReader.export(c.caller(), inputOf<"events.export">(c)),
    "events.stream": async (c) => {
      const { community, after } = inputOf<"events.stream">(c);
      return streams.open({ caller: c.caller(), community, after: lastEventOf(c) ?? after });
    },
    "events.get": (c) => plane().eventReader.get(c.caller(), inputOf<"events.get">(c)),
  } as const satisfies Record<keyof typeof eventRoutes, Handler>;
}

/** A stream that is opened again says the last event it has in a header; then the address is that of the first time. @throws {request.invalid} */
function lastEventOf({ lastEventId }: Call): number | undefined {
  if (lastEventId === undefined) return undefined;
  if (/^\d{1,12}$/.test(lastEventId)) return Number(lastEventId);
  const message = "must be the index of an event";
  throw new AppError("request.invalid", { detail: `last-event-id: ${message}` }, { faults: [{ path: "headers.last-event-id", message }] });
}
