/**
 * How an entry of the ledger reads: what became of it, what somebody may do about it, and which entries a view shows.
 *
 * Invariant: the rules of appeals as the server has them: once, in time, by whom it concerns; decided by neither who acted nor who appealed. Here they
 * explain and hide; the server decides.
 */
import type { LedgerEntry } from "@althing/contract";

/** A mute that stands runs. */
export function stateOf({ kind, state }: Pick<LedgerEntry, "kind" | "state">): LedgerEntry["state"] | "running" {
  return kind === "mute" && state === "standing" ? "running" : state;
}

export type AppealState = "none" | "open" | "upheld" | "overturned";

export function appealStateOf({ appeal }: Pick<LedgerEntry, "appeal">): AppealState {
  if (appeal === undefined) return "none";
  if (appeal.decision === undefined) return "open";
  return appeal.decision.upheld ? "upheld" : "overturned";
}

/** @param nowMs milliseconds since 1970 */
export function mayAppeal(entry: LedgerEntry, reader: string, nowMs: number): boolean {
  return entry.member === reader && entry.appeal === undefined && nowMs <= Date.parse(entry.appealUntil);
}

/** `who`: not for lack of a permission, but because the reader is part of it. */
export type Decides = "may" | "ownAct" | "ownAppeal" | "not";

export function decides(entry: LedgerEntry, reader: string, mayReview: boolean): Decides {
  if (appealStateOf(entry) !== "open") return "not";
  if (entry.member === reader) return "ownAppeal";
  if (entry.by === reader) return "ownAct";
  return mayReview ? "may" : "not";
}

export const ledgerViews = ["all", "open", "mutes", "warning", "mute", "removals"] as const;
export type LedgerView = (typeof ledgerViews)[number];

function fits(entry: LedgerEntry, view: LedgerView): boolean {
  switch (view) {
    case "all":
      return true;
    case "open":
      return appealStateOf(entry) === "open";
    case "mutes":
      return stateOf(entry) === "running";
    case "warning":
    case "mute":
      return entry.kind === view;
    case "removals":
      return entry.kind === "comment_removal" || entry.kind === "member_removal";
  }
}

/** @param text anywhere in the words of the entry, whatever its case */
export function pickEntries(entries: readonly LedgerEntry[], view: LedgerView, text: string): LedgerEntry[] {
  const typed = text.trim().toLowerCase();
  const words = ({ reason, appeal, lifted }: LedgerEntry) =>
    [reason, appeal?.text, appeal?.decision?.reason, lifted?.reason].join("\n").toLowerCase();
  return entries.filter((entry) => fits(entry, view) && words(entry).includes(typed));
}

/** The mute of the reader that runs, the one that ends last. */
export function runningMute(entries: readonly LedgerEntry[]): LedgerEntry | undefined {
  return entries
    .filter((entry) => stateOf(entry) === "running")
    .toSorted((a, b) => (a.expiresAt ?? "").localeCompare(b.expiresAt ?? ""))
    .at(-1);
}
