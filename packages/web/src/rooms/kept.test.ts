import { describe, expect, it } from "vitest";
import { createKept, type Locks, type Unsent } from "./kept.ts";

function memoryStorage(): Storage {
  const values = new Map<string, string>();
  return {
    get length() {
      return values.size;
    },
    clear: () => values.clear(),
    getItem: (name) => values.get(name) ?? null,
    key: (at) => [...values.keys()][at] ?? null,
    removeItem: (name) => void values.delete(name),
    setItem: (name, value) => void values.set(name, value),
  };
}

/** Locks of pages that can be closed. */
function pages() {
  const held = new Map<string, symbol>();
  const open = (): Locks & { close(): void } => {
    const page = Symbol("page");
    return {
      hold: (name) => void held.set(name, page),
      async ifFree(name, task) {
        if (!held.has(name)) task();
      },
      close() {
        for (const [name, by] of held) if (by === page) held.delete(name);
      },
    };
  };
  return { open };
}

const room = "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C" as Unsent["room"];
const message = (id: string): Unsent => ({ room, id, text: id, at: "2026-01-01T00:00:00.000Z", afterSeq: 0 });

describe("what a browser keeps of rooms", () => {
  it("gives the messages of a tab that is gone to one other tab, and those of a living one to none", async () => {
    const storage = memoryStorage();
    const browser = pages();
    const [first, second, third] = [browser.open(), browser.open(), browser.open()];
    createKept(storage, first, "me", "1").setUnsent([message("a"), message("b")]);
    const [kept2, kept3] = [createKept(storage, second, "me", "2"), createKept(storage, third, "me", "3")];
    expect(await kept2.takeOver()).toEqual([]);
    first.close();
    expect((await kept2.takeOver()).map(({ id }) => id)).toEqual(["a", "b"]);
    expect(await kept3.takeOver()).toEqual([]);
    expect(kept2.unsent().map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("keeps identities apart, and reads nothing that is not its own", async () => {
    const storage = memoryStorage();
    const locks = pages().open();
    const kept = createKept(storage, locks, "me");
    kept.setDraft(room, "half a sen");
    kept.setReadSeq(room, 12);
    kept.setFirstSight(room, true);
    expect([kept.draft(room), kept.readSeq(room), kept.isFirstSight(room)]).toEqual(["half a sen", 12, true]);
    const other = createKept(storage, locks, "you");
    expect([other.draft(room), other.readSeq(room), other.isFirstSight(room)]).toEqual(["", undefined, false]);
    storage.setItem("althing-rooms/me/unsent/old", '[{"room":"x"},null,7]');
    storage.setItem("althing-rooms/me/unsent/older", "{");
    expect(await kept.takeOver()).toEqual([]);
  });
});
