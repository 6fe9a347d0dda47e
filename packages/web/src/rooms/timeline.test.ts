import type { EndpointId, BlobHash } from "@althing/contract";
import type { ControlEvent, EpochChange, MessageEvent } from "@althing/client";
import { describe, expect, it } from "vitest";
import { createTimeline, epochsWanted, rowsOf, type RowsInput } from "./timeline.ts";

const [me, bob, mallory] = ["me", "bob", "mallory"] as unknown as [EndpointId, EndpointId, EndpointId];
const noon = Date.UTC(2026, 0, 5, 12);

function message(id: string, seq: number | undefined, more: Partial<MessageEvent> = {}): MessageEvent {
  const at = new Date(noon + (seq ?? 0) * 1_000).toISOString();
  return {
    kind: "message",
    id,
    ...(seq === undefined ? {} : { seq, at }),
    sender: bob,
    handle: undefined,
    authenticated: true,
    epoch: 1,
    contentType: "text/plain",
    text: `text of ${id}`,
    bytes: new Uint8Array(3),
    ...more,
  };
}

function redaction(target: string, sender: EndpointId, moderates: boolean): ControlEvent {
  return {
    ...{ kind: "control", type: "redact", id: `r-${target}`, sender, handle: undefined, authenticated: true, epoch: 1 },
    ...{ contentType: "application/json", bytes: new Uint8Array(), target, reason: "why", moderates },
  };
}

const change = (epoch: number, reason: EpochChange["reason"] = "rekey"): EpochChange => ({
  ...{ epoch, reason, maker: bob, at: new Date(noon).toISOString(), added: [], removed: [] },
});

const texts = (timeline: { entries: readonly { text: string | undefined }[] }) => timeline.entries.map(({ text }) => text);

describe("the messages of a room", () => {
  it("shows a message that came twice once, and somebody else's under the same id beside it", () => {
    const timeline = createTimeline(me, () => noon);
    expect(timeline.add(message("a", 1))).toBeDefined();
    expect(timeline.add(message("a", 2))).toBeUndefined();
    expect(timeline.add(message("a", 3, { sender: mallory, text: "decoy" }))).toBeDefined();
    expect(texts(timeline)).toEqual(["text of a", "decoy"]);
  });

  it("puts late and older messages where history has them, and keeps what came live without a place", () => {
    const timeline = createTimeline(me, () => noon);
    for (const [id, seq] of [
      ["c", 30],
      ["d", 40],
      ["b", 20],
    ] as const)
      timeline.add(message(id, seq));
    timeline.addBefore([message("a", 10), message("b", 20)]);
    expect(timeline.entries.map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
    const floating = createTimeline(me, () => noon);
    for (const id of ["x", "y"]) floating.add(message(id, undefined));
    expect(floating.entries.map(({ id }) => id)).toEqual(["x", "y"]);
  });

  it("takes away what its author or a moderator redacted, whichever came first", () => {
    const blob = { hash: "h" as BlobHash, bytes: 1, key: "k" };
    const timeline = createTimeline(me, () => noon);
    timeline.add(message("a", 1, { blob }));
    timeline.add(redaction("a", bob, false));
    timeline.add(redaction("later", mallory, true));
    timeline.add(message("later", 3));
    expect(timeline.entries.map(({ text, blob: left, redacted }) => [text, left, redacted?.reason])).toEqual([
      [undefined, undefined, "why"],
      [undefined, undefined, "why"],
    ]);
  });

  it("keeps a message that somebody who may not redacts, before and after it came", () => {
    const timeline = createTimeline(me, () => noon);
    timeline.add(redaction("b", mallory, false));
    for (const id of ["a", "b"]) timeline.add(message(id, 1));
    timeline.add(redaction("a", mallory, false));
    expect(texts(timeline)).toEqual(["text of a", "text of b"]);
  });

  it("leaves entries that did not change the same objects", () => {
    const timeline = createTimeline(me, () => noon);
    const first = timeline.add(message("a", 1));
    timeline.add(message("b", 2));
    timeline.addBefore([message("0", 0.5)]);
    timeline.add(redaction("b", bob, false));
    expect(timeline.entries.find(({ id }) => id === "a")).toBe(first);
  });
});

describe("rows", () => {
  const input = (more: Partial<RowsInput>): RowsInput => ({
    ...{ entries: [], outgoing: [], own: me, changes: new Map(), top: 1, isFromStart: false, unreadKey: undefined },
    ...more,
  });
  const entriesOf = (...events: readonly MessageEvent[]) => {
    const timeline = createTimeline(me, () => noon);
    for (const event of events) timeline.add(event);
    return timeline.entries;
  };

  it("tells renewals of the key where they happened, once, and the last ones behind the last message", () => {
    const entries = entriesOf(message("a", 1), message("b", 2, { epoch: 3 }), message("late", 3, { epoch: 2 }));
    const changes = new Map([1, 2, 3, 4].map((epoch) => [epoch, change(epoch)]));
    const told = (isFromStart: boolean) =>
      rowsOf(input({ entries, changes, top: 4, isFromStart })).map((row) => [row.kind, row.changes.map(({ epoch }) => epoch)]);
    expect(told(false)).toEqual([
      ["entry", []],
      ["entry", [2, 3]],
      ["entry", []],
      ["changes", [4]],
    ]);
    expect(told(true)[0]).toEqual(["entry", [1]]);
    expect(epochsWanted(entries, 4, false, new Set([3]))).toEqual([2, 4]);
    expect(epochsWanted([], 2, true, new Set())).toEqual([1, 2]);
  });

  it("draws messages of one person together until a day, a change, an unread mark or five minutes come between", () => {
    const entries = entriesOf(
      message("a", 1),
      message("b", 2),
      message("mark", 3),
      message("keys", 4, { epoch: 2 }),
      message("pause", 5 + 5 * 60),
      message("day", 5 + 86_400),
    );
    const rows = rowsOf(input({ entries, changes: new Map([[2, change(2)]]), top: 2, unreadKey: "bob/mark" }));
    expect(rows.map(({ isFollowing }) => isFollowing)).toEqual([false, true, false, false, false, false]);
    expect(rows.map(({ isUnread }) => isUnread)).toEqual([false, false, true, false, false, false]);
    expect(rows.map(({ day }) => day !== undefined)).toEqual([true, false, false, false, false, true]);
  });

  it("gives a message on its way the key it will have in the room", () => {
    const message = { room: "r" as never, id: "x", text: "hello", at: new Date(noon).toISOString(), afterSeq: 0 };
    const [row] = rowsOf(input({ outgoing: [{ message, state: "sending" }] }));
    expect(row).toMatchObject({ kind: "outgoing", key: "me/x" });
  });
});
