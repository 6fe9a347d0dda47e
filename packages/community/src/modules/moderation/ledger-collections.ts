/**
 * The records of moderation.
 *
 * Invariant: an entry is never deleted while the community lives; a mute is a record of its own, because it is asked for before each act and each
 * message. Data formats: a change here is a migration.
 */
import { ledgerEntrySchema } from "@althing/contract";
import type { Store } from "@althing/store";
import { z } from "zod";

export function openLedgerCollections(store: Store) {
  return {
    /** `moderation-ledger/<community>/<id>`; `body`: what a removed comment said, for an appeal that succeeds. */
    ledger: store.collection({ name: "moderation-ledger", schema: ledgerEntrySchema.extend({ body: z.string().optional() }) }),
    /** `moderation-of/<community>/<endpoint>/<id>`: entries that name somebody, as whom it concerns, who acted or who decided. */
    of: store.collection({ name: "moderation-of", schema: z.strictObject({ as: z.enum(["member", "by", "decider"]) }) }),
    /** `moderation-mutes/<community>/<endpoint>`. */
    mutes: store.collection({ name: "moderation-mutes", schema: z.strictObject({ until: z.iso.datetime(), action: z.string() }) }),
  };
}
export type LedgerCollections = ReturnType<typeof openLedgerCollections>;
