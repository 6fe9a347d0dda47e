/** What the page offers about an entry, for everybody who could ask, at the edges of time and of roles. */
import { endpointIdSchema, ledgerEntrySchema, type LedgerEntry } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { appealStateOf, decides, mayAppeal, pickEntries, runningMute, stateOf } from "./ledger-view.ts";

const [mo, eve, mia] = ["A", "B", "C"].map((letter) => endpointIdSchema.parse(letter.repeat(42) + "A"));
const at = "2026-01-05T12:00:00.000Z";
const until = "2026-01-25T12:00:00.000Z";
const entry = (more: Partial<LedgerEntry> = {}): LedgerEntry =>
  ledgerEntrySchema.parse({
    ...{
      id: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
      kind: "warning",
      member: eve,
      by: mo,
      reason: "Rude words",
      at,
      appealUntil: until,
      state: "standing",
      digest: "a".repeat(64),
    },
    ...more,
  });
const appealed = entry({ appeal: { text: "It was a quotation", at } });

describe("an appeal", () => {
  it("is made once, in time to the millisecond, and only by whom the act concerns", () => {
    expect(mayAppeal(entry(), String(eve), Date.parse(until))).toBe(true);
    expect(mayAppeal(entry(), String(eve), Date.parse(until) + 1)).toBe(false);
    expect(mayAppeal(entry(), String(mo), Date.parse(at))).toBe(false);
    expect(mayAppeal(appealed, String(eve), Date.parse(at))).toBe(false);
    expect(mayAppeal(entry({ member: null }), String(eve), Date.parse(at))).toBe(false);
  });

  it("is decided by neither who acted nor who appealed, also when they may decide others", () => {
    expect(decides(appealed, String(mo), true)).toBe("ownAct");
    expect(decides(appealed, String(eve), true)).toBe("ownAppeal");
    expect(decides(appealed, String(mia), true)).toBe("may");
    expect(decides(appealed, String(mia), false)).toBe("not");
  });

  it("that is decided, or was never made, is decided by nobody", () => {
    const decided = entry({ appeal: { text: "x", at, decision: { upheld: true, reason: "y", by: mia ?? null, at } } });
    expect(decides(decided, String(mia), true)).toBe("not");
    expect(decides(entry(), String(mia), true)).toBe("not");
    expect([appealStateOf(decided), appealStateOf(appealed), appealStateOf(entry())]).toEqual(["upheld", "open", "none"]);
  });
});

describe("a mute", () => {
  it("runs while it stands; nothing else runs", () => {
    expect(stateOf(entry({ kind: "mute" }))).toBe("running");
    expect(stateOf(entry({ kind: "mute", state: "expired" }))).toBe("expired");
    expect(stateOf(entry())).toBe("standing");
  });

  it("of several that run is the one that ends last", () => {
    const short = entry({ kind: "mute", expiresAt: "2026-01-06T12:00:00.000Z" });
    const long = entry({ kind: "mute", expiresAt: "2026-02-06T12:00:00.000Z" });
    const lifted = entry({ kind: "mute", state: "lifted", expiresAt: "2026-03-06T12:00:00.000Z" });
    expect(runningMute([long, short, lifted])).toBe(long);
    expect(runningMute([lifted, entry()])).toBeUndefined();
  });
});

describe("a view of the ledger", () => {
  it("finds by kind, by state, and by words of the reason and of the appeal", () => {
    const removed = entry({ kind: "comment_removal", reason: "Spam" });
    const muted = entry({ kind: "mute", reason: "Noise" });
    const all = [appealed, removed, muted];
    expect(pickEntries(all, "open", "")).toEqual([appealed]);
    expect(pickEntries(all, "removals", "")).toEqual([removed]);
    expect(pickEntries(all, "mutes", "")).toEqual([muted]);
    expect(pickEntries(all, "warning", "")).toEqual([appealed]);
    expect(pickEntries(all, "all", " QUOTATION ")).toEqual([appealed]);
    expect(pickEntries(all, "all", "[")).toEqual([]);
  });
});
