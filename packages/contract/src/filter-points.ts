/**
 * The points at which a community's extensions are asked before something is done, and what they are shown.
 *
 * Invariant: a filter may change what stands here and nothing else: its answer is checked by the same schema. Who acts and where comes beside the payload and
 * cannot be changed. `vote.before_cast` never carries a secret choice.
 */
import { z } from "zod";

const text = (max: number) => z.string().max(max);

export const filterPointSchemas = {
  "proposal.before_create": z.strictObject({
    title: text(200),
    body: text(50_000),
    options: z.array(text(200)).max(50),
    topic: text(64).optional(),
  }),
  "comment.before_create": z.strictObject({ proposal: text(64), body: text(10_000) }),
  "vote.before_cast": z.strictObject({ proposal: text(64), method: text(32), secret: z.boolean(), choice: z.unknown().optional() }),
  "member.before_join": z.strictObject({ handle: text(64), answers: z.record(text(64), text(2_000)) }),
  "room.before_create": z.strictObject({ name: text(64), encrypt: z.boolean(), persist: z.boolean() }),
  "moderation.before_act": z.strictObject({ kind: text(32), target: text(200), reason: text(2_000) }),
} as const satisfies Record<string, z.ZodObject>;

export type FilterPoint = keyof typeof filterPointSchemas;
export type FilterPayload<P extends FilterPoint> = z.infer<(typeof filterPointSchemas)[P]>;
export const filterPointNames = Object.keys(filterPointSchemas) as [FilterPoint, ...FilterPoint[]];
