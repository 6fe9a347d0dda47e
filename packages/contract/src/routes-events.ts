/**
 * The public log of a community on HTTP; rows as in `routes.ts`.
 *
 * Invariant: all of it is read, nothing is written: events come of acts. Cursors are indexes of events, the same for pages, exports and streams.
 */
import { z } from "zod";
import { communityRefSchema } from "./community-schemas.ts";
import {
  eventExportQuerySchema,
  eventExportSchema,
  eventHeadSchema,
  eventIndexSchema,
  eventPageSchema,
  eventQuerySchema,
  eventStreamQuerySchema,
  publicEventSchema,
} from "./event-schemas.ts";
import type { Route } from "./route.ts";

const community = z.strictObject({ community: communityRefSchema });
const found = ["community.not_found", "auth.forbidden"] as const;

export const eventRoutes = {
  "events.list": {
    method: "GET",
    path: "/api/communities/:community/events",
    class: "user",
    permission: "events.read",
    summary: "Public events: from an index on, or newest first; one topic or all below a prefix.",
    params: community,
    query: eventQuerySchema,
    status: 200,
    response: eventPageSchema,
    errors: [...found],
  },
  "events.head": {
    method: "GET",
    path: "/api/communities/:community/events/head",
    class: "user",
    permission: "events.read",
    summary: "Index and hash of the newest event.",
    params: community,
    status: 200,
    response: eventHeadSchema,
    errors: [...found],
  },
  "events.export": {
    method: "GET",
    path: "/api/communities/:community/events/export",
    class: "user",
    permission: "events.read",
    summary: "Events as they are kept, so that whoever holds them can verify the chain.",
    params: community,
    query: eventExportQuerySchema,
    status: 200,
    response: eventExportSchema,
    errors: [...found],
  },
  "events.stream": {
    method: "GET",
    path: "/api/communities/:community/events/stream",
    class: "user",
    permission: "events.read",
    summary: "Events as they happen (server-sent events); goes on after `Last-Event-ID` or `after`.",
    params: community,
    query: eventStreamQuerySchema,
    status: 200,
    rawResponse: "text/event-stream",
    errors: [...found, "event.not_found", "event.stream_slow", "event.streams_per_user", "event.streams_full", "system.stopping"],
  },
  "events.get": {
    method: "GET",
    path: "/api/communities/:community/events/:index",
    class: "user",
    permission: "events.read",
    summary: "One event.",
    params: community.extend({ index: eventIndexSchema }),
    status: 200,
    response: publicEventSchema,
    errors: [...found, "event.not_found"],
  },
} as const satisfies Record<string, Route>;
