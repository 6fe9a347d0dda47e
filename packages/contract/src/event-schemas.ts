/**
 * One event of a community's public log: as it is kept and exported (`eventRecordSchema`), and as it is shown (`publicEventSchema`).
 *
 * Invariant: `data` is JSON text, because the chain covers its bytes. What names a person lies beside it under `personal`, as a digest in the chain and as
 * salt and value that can be erased. docs/architecture/events.md.
 */
import { z } from "zod";
import { communityIdSchema, ulidSchema } from "./ids.ts";
import { limits } from "./limits.ts";

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

export const personalFieldSchema = z.strictObject({
  /** sha256(salt ‖ value), hexadecimal. */
  digest: sha256Hex,
  /** 16 bytes, hexadecimal; absent once erased. */
  salt: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  value: z.string().max(200).optional(),
});
export type PersonalField = z.infer<typeof personalFieldSchema>;

/** Letters, digits, dashes and underscores between dots: a topic is part of a subject on the messaging server. */
export const topicSchema = z
  .string()
  .max(200)
  .regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)+$/, "must be words between dots, e.g. proposal.created");

/** What one may ask for: a topic, or all that begin with some of its words. */
export const topicFilterSchema = z
  .string()
  .max(202)
  .regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*(?:\.\*)?$/, "must be a topic, or a prefix of one that ends in .*");

/** @param filter a topic, or `prefix.*` for all below it */
export const topicMatches = (filter: string, topic: string): boolean =>
  filter.endsWith(".*") ? topic.startsWith(filter.slice(0, -1)) : topic === filter;

export const eventRecordSchema = z.strictObject({
  id: ulidSchema,
  community: communityIdSchema,
  /** From 1, without gaps. */
  index: z.int().positive(),
  time: z.iso.datetime(),
  topic: topicSchema,
  /** `system` or `ext:<extension id>`; a person's is under `personal`. */
  actor: z.string().max(200).optional(),
  /** What it is about, e.g. `proposal/01J…`. */
  subject: z.string().max(300),
  summary: z.string().max(300),
  data: z.string().max(8 * 1024),
  personal: z.record(z.string().max(64), personalFieldSchema),
  /** How many events caused one another before this one; 0 for what a person did. */
  depth: z.int().nonnegative(),
  /** Of the event before; 64 zeros for the first. */
  previous: sha256Hex,
  hash: sha256Hex,
});
export type EventRecord = z.infer<typeof eventRecordSchema>;

export const publicEventSchema = eventRecordSchema.omit({ personal: true, data: true, actor: true }).extend({
  /** Endpoint id, `system`, `ext:<extension id>`; null once erased. */
  actor: z.string().nullable(),
  /** As the topic's row in the catalogue says; a field that was erased is null. */
  data: z.record(z.string(), z.unknown()),
  /** Fields that were erased. */
  redacted: z.array(z.string()),
});
export type PublicEvent = z.infer<typeof publicEventSchema>;

/** Where a log ends: index and hash of its newest event; 0 and 64 zeros before the first. */
export const eventHeadSchema = z.object({ index: z.int().nonnegative(), hash: sha256Hex });
export type EventHead = z.infer<typeof eventHeadSchema>;

const index = z.coerce.number().int().max(999_999_999_999);

/** One page: forwards from `after`, or newest first, from `before` on. */
export const eventQuerySchema = z
  .strictObject({
    after: index.min(0).optional(),
    before: index.min(1).optional(),
    order: z.enum(["oldest", "newest"]).optional(),
    topic: topicFilterSchema.optional(),
    limit: z.coerce.number().int().min(1).max(limits.eventsPageMax).default(50),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, "takes after or before, not both")
  .refine(({ after, order }) => after === undefined || order !== "newest", "after goes with the oldest first")
  .refine(({ before, order }) => before === undefined || order !== "oldest", "before goes with the newest first");
export type EventQuery = z.infer<typeof eventQuerySchema>;

/** `next` is the cursor to go on with, as `after` or, newest first, as `before`; absent at the end. A page of one topic may be empty and have one. */
export const eventPageSchema = z.object({ events: z.array(publicEventSchema), next: z.int().positive().optional() });
export type EventPage = z.infer<typeof eventPageSchema>;

export const eventExportQuerySchema = z.strictObject({
  after: index.min(0).default(0),
  limit: z.coerce.number().int().min(1).max(limits.eventExportPageMax).default(200),
});

export const eventExportSchema = z.object({
  community: communityIdSchema,
  events: z.array(eventRecordSchema),
  /** Pass as `after`; absent at the end. */
  next: z.int().positive().optional(),
});
export type EventExport = z.infer<typeof eventExportSchema>;

export const eventIndexSchema = index.min(1);
/** Absent: what comes from now on. A `Last-Event-ID` of a stream that is opened again goes before it. */
export const eventStreamQuerySchema = z.strictObject({ after: index.min(0).optional() });
/** Data of the first message of a stream: the event after which it begins. */
export const eventStreamOpenSchema = z.object({ index: z.int().nonnegative() });
