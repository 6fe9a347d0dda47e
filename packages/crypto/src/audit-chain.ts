/**
 * The hash chain of the instance's audit log.
 *
 * Invariant: what is hashed is deterministic CBOR of a list whose first item names the format, so that whoever holds the entries can check that none was
 * changed and none left out. Format and reasons: docs/architecture/hub.md, "Audit".
 */
import type { AuditEntry } from "@althing/contract";
import { fromHex, sha256, toHex } from "./bytes.ts";
import { encodeCbor } from "./canonical.ts";

const format = "althing/audit/v1";

/** Of everything but `hash`. */
export async function hashAuditEntry(entry: Omit<AuditEntry, "hash">): Promise<string> {
  const { index, time, actor, act, target, outcome, code, id, previous } = entry;
  const by = actor === null ? null : [actor.endpoint, actor.handle];
  return toHex(await sha256(encodeCbor([format, index, id, time, by, act, target, outcome, code ?? null, fromHex(previous)])));
}

/**
 * Checks entries that follow each other, oldest first.
 * @returns the index of the first that does not fit; `undefined`: all do
 */
export async function findAuditFault(entries: readonly AuditEntry[]): Promise<number | undefined> {
  let before: AuditEntry | undefined;
  for (const entry of entries) {
    const follows = before === undefined || (entry.index === before.index + 1 && entry.previous === before.hash);
    if (!follows || (await hashAuditEntry(entry)) !== entry.hash) return entry.index;
    before = entry;
  }
  return undefined;
}
