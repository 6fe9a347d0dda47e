/**
 * What moderation gives to the export of a community.
 *
 * Invariant: the ledger as every member reads it; what removed comments said stays inside.
 */
import type { Store } from "@althing/store";
import { exportPageOf, type ExportSection } from "../../memberships/community-export.ts";
import { openLedgerCollections } from "./ledger-collections.ts";

export function moderationSections(store: Store): ExportSection[] {
  const { ledger } = openLedgerCollections(store);
  return [{ name: "moderation", read: (...page) => exportPageOf(ledger, page, (_key, { body: _kept, ...entry }) => entry) }];
}
