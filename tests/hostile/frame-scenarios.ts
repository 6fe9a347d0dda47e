/**
 * Lies about messages: again, elsewhere, in another order, or not at all; live and in history.
 */
import type { HistoryFrame, Room } from "@althing/contract";
import type { NatsMessage } from "@althing/testkit";
import { expect } from "vitest";
import { lieAbout } from "./hostile-world.ts";
import { expectHeard, expectRefused, expectWarned, messagesHeard, must, type Scenario } from "./scenario.ts";

interface HistoryAnswer {
  frames: HistoryFrame[];
  next?: number;
  firstSeq: number;
  lastSeq: number;
}

const isFrame = (subject: string) => subject.startsWith("s.");
/** Headers of an echo that claim another place in the order. */
const at = (message: NatsMessage, seq: number, previous: number): NatsMessage => ({
  ...message,
  headers: { ...message.headers, "Nats-Sequence": String(seq), "Nats-Last-Sequence": String(previous) },
});
const seqOf = (message: NatsMessage) => Number(message.headers?.["Nats-Sequence"] ?? Number.NaN);

const replays: readonly Scenario[] = [
  {
    name: "a live frame that comes again in a room that keeps nothing is heard once, and said",
    async run(world, victim) {
      const room = await world.foundRoom({ persist: false });
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({ onMessage: (subject, _headers, _payload, message) => (isFrame(subject) ? [message, message] : "pass") });
      await room.alice.send("one");
      await room.alice.send("two");
      await expectHeard(victim, room.name, "two");
      await expectWarned(victim, "frame.replayed");
      expect(await messagesHeard(victim, room.name)).toEqual(["one", "two"]);
    },
  },
  {
    name: "an old frame under a new sequence is heard once, and said",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({
        onMessage: (subject, _headers, _payload, message) =>
          isFrame(subject) ? [message, at(message, seqOf(message) + 1, seqOf(message))] : "pass",
      });
      await room.alice.send("pay me 100");
      await expectWarned(victim, "frame.replayed");
      await room.alice.send("thanks");
      await expectHeard(victim, room.name, "thanks");
      expect(await messagesHeard(victim, room.name)).toEqual(["pay me 100", "thanks"]);
    },
  },
  {
    name: "a frame that history gives twice is heard once, in a list and in a catch-up",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      await room.alice.send("once");
      world.lie(
        lieAbout("rooms.history", (page: HistoryAnswer) => {
          const [frame] = page.frames;
          const again = frame === undefined ? [] : [{ ...frame, seq: page.lastSeq + 1, previous: page.lastSeq }];
          return { ...page, frames: [...page.frames, ...again], lastSeq: page.lastSeq + 1 };
        }),
      );
      expect(must(await victim.texts(room.name))).toEqual(["once"]);
      must(await victim.listen(room.name, "cursor"));
      await expectHeard(victim, room.name, "once");
      await expectWarned(victim, "frame.replayed");
      expect(await messagesHeard(victim, room.name)).toEqual(["once"]);
    },
  },
  {
    name: "what was heard before a restart is not heard again after it, however the server repeats it",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "cursor"));
      const kept: NatsMessage[] = [];
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          if (isFrame(subject)) kept.push(message);
          return "pass";
        },
      });
      await room.alice.send("before");
      await expectHeard(victim, room.name, "before");
      must(await victim.restart());
      must(await victim.listen(room.name, "cursor"));
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          const [old] = kept;
          return isFrame(subject) && old !== undefined
            ? [at({ ...old, sid: message.sid }, seqOf(message), seqOf(message) - 1), at(message, seqOf(message) + 1, seqOf(message))]
            : "pass";
        },
      });
      await room.alice.send("after");
      await expectHeard(victim, room.name, "after");
      await expectWarned(victim, "frame.replayed");
      expect(await messagesHeard(victim, room.name)).toEqual(["after"]);
    },
  },
];

const swaps: readonly Scenario[] = [
  {
    name: "a frame of one room that comes on the subject of another is shown in neither, and said",
    async run(world, victim) {
      const [garden, yard] = [await world.foundRoom(), await world.foundRoom()];
      for (const { name } of [garden, yard]) {
        must(await victim.join(name));
        must(await victim.listen(name, "now"));
      }
      const places = new Map<string, NatsMessage>();
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          if (isFrame(subject)) places.set(subject, message);
          return "pass";
        },
      });
      await garden.alice.send("in the garden");
      await yard.alice.send("in the yard");
      await expectHeard(victim, garden.name, "in the garden");
      await expectHeard(victim, yard.name, "in the yard");
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          const other = [...places].find(([place]) => place !== subject)?.[1];
          return isFrame(subject) && other !== undefined
            ? { subject: other.subject, sid: other.sid, headers: at(message, seqOf(message), seqOf(other)).headers }
            : "pass";
        },
      });
      await garden.alice.send("sell the garden");
      await expectWarned(victim, "frame.misplaced");
      expect(await messagesHeard(victim, yard.name)).toEqual(["in the yard"]);
      expect(await messagesHeard(victim, garden.name)).toEqual(["in the garden"]);
    },
  },
  {
    name: "history of one room served as that of another shows nothing, and is said",
    async run(world, victim) {
      const [garden, yard] = [await world.foundRoom(), await world.foundRoom()];
      await garden.alice.send("of the garden");
      must(await victim.join(yard.name));
      const { frames, firstSeq, lastSeq } = await world.alice.client.call("rooms.history", {
        params: { room: garden.alice.id },
        query: { limit: 10 },
      });
      world.lie(lieAbout("rooms.history", (page: HistoryAnswer) => ({ ...page, frames, firstSeq, lastSeq })));
      expect(must(await victim.texts(yard.name))).toEqual([]);
      await expectWarned(victim, "frame.misplaced");
    },
  },
  {
    name: "a room whose subjects change under way is refused",
    async run(world, victim) {
      const [garden, yard] = [await world.foundRoom(), await world.foundRoom()];
      must(await victim.join(garden.name));
      must(await victim.join(yard.name));
      const { subjects } = must(await victim.info(yard.name)) as Room;
      const { id } = must(await victim.info(garden.name)) as Room;
      world.lie({
        onResponse: (route, json) => (route === "rooms.get" && (json as Room).id === id ? { ...(json as Room), subjects } : json),
      });
      expectRefused(await victim.info(garden.name), "client.bad_answer");
    },
  },
];

/** Keeps frames back and lets them go in the order of `release`. */
function shuffle(count: number, release: (kept: readonly NatsMessage[]) => readonly NatsMessage[]) {
  const kept: NatsMessage[] = [];
  return (subject: string, _headers: unknown, _payload: unknown, message: NatsMessage) => {
    if (!isFrame(subject)) return "pass" as const;
    kept.push(message);
    return kept.length === count ? release(kept.splice(0)) : ("drop" as const);
  };
}

const orders: readonly Scenario[] = [
  {
    name: "frames in another order are heard in the sender's order, each once",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({ onMessage: shuffle(3, (kept) => kept.toReversed()) });
      for (const text of ["one", "two", "three"]) await room.alice.send(text);
      await expectHeard(victim, room.name, "three");
      expect(await messagesHeard(victim, room.name)).toEqual(["one", "two", "three"]);
    },
  },
  {
    name: "frames in another order under sequences that hide it are heard in the sender's order, each once",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({
        onMessage: shuffle(2, ([first, second]) => {
          if (first === undefined || second === undefined) return [];
          return [at(second, seqOf(first), seqOf(first) - 1), at(first, seqOf(second), seqOf(first))];
        }),
      });
      for (const text of ["one", "two"]) await room.alice.send(text);
      await expectHeard(victim, room.name, "two");
      expect(await messagesHeard(victim, room.name)).toEqual(["one", "two"]);
    },
  },
  {
    name: "in a room that keeps nothing, another order is never heard: what came too late is said to be missing",
    async run(world, victim) {
      const room = await world.foundRoom({ persist: false });
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      await room.alice.send("zero");
      await expectHeard(victim, room.name, "zero");
      world.lie({ onMessage: shuffle(2, (kept) => kept.toReversed()) });
      for (const text of ["one", "two"]) await room.alice.send(text);
      await expectHeard(victim, room.name, "two");
      await expectWarned(victim, "frame.gap");
      await expectWarned(victim, "frame.replayed");
      expect(await messagesHeard(victim, room.name)).toEqual(["zero", "two"]);
    },
  },
  {
    name: "history in another order than its sequences is refused",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      for (const text of ["one", "two"]) await room.alice.send(text);
      world.lie(lieAbout("rooms.history", (page: HistoryAnswer) => ({ ...page, frames: page.frames.toReversed() })));
      expectRefused(await victim.texts(room.name), "client.bad_answer");
    },
  },
  {
    name: "history that turns in a circle is refused, not followed",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      await room.alice.send("round");
      world.lie(lieAbout("rooms.history", (page: HistoryAnswer) => ({ ...page, next: 0 })));
      expectRefused(await victim.texts(room.name), "client.bad_answer");
    },
  },
];

const drops: readonly Scenario[] = [
  {
    name: "what is dropped live is read from history, in order",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({ onMessage: (subject) => (isFrame(subject) ? "drop" : "pass") });
      await room.alice.send("one");
      await room.alice.send("two");
      world.honest();
      await room.alice.send("three");
      await expectHeard(victim, room.name, "three");
      expect(await messagesHeard(victim, room.name)).toEqual(["one", "two", "three"]);
      expect((await victim.warned()).filter(({ code }) => code !== "first-sight")).toEqual([]);
    },
  },
  {
    name: "what is dropped live and from history is said to be missing, and the rest is heard",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      await room.alice.send("one");
      await expectHeard(victim, room.name, "one");
      let dropped = 0;
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          if (!isFrame(subject)) return "pass";
          dropped ||= seqOf(message);
          return seqOf(message) === dropped ? "drop" : "pass";
        },
        onResponse: (route, json) =>
          route === "rooms.history"
            ? { ...(json as HistoryAnswer), frames: (json as HistoryAnswer).frames.filter((frame) => frame.seq !== dropped) }
            : json,
      });
      await room.alice.send("two");
      await room.alice.send("three");
      await expectWarned(victim, "frame.gap");
      await expectHeard(victim, room.name, "three");
      expect(await messagesHeard(victim, room.name)).toEqual(["one", "three"]);
      expect(must(await victim.texts(room.name))).toEqual(["one", "three"]);
    },
  },
  {
    name: "a hole in history is said also to somebody who only lists it",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      for (const text of ["one", "two", "three"]) await room.alice.send(text);
      world.lie(lieAbout("rooms.history", (page: HistoryAnswer) => ({ ...page, frames: page.frames.filter((_, index) => index !== 1) })));
      expect(must(await victim.texts(room.name))).toEqual(["one", "three"]);
      await expectWarned(victim, "frame.gap");
    },
  },
  {
    name: "a sequence from far ahead cannot hide that a message was dropped",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      let count = 0;
      world.lie({
        onMessage(subject, _headers, _payload, message) {
          if (!isFrame(subject)) return "pass";
          count += 1;
          return count === 1 ? [at(message, 2 ** 52, 0)] : count === 2 ? "drop" : "pass";
        },
      });
      for (const text of ["one", "two", "three"]) await room.alice.send(text);
      await expectHeard(victim, room.name, "three");
      const [heard, warned] = [await messagesHeard(victim, room.name), (await victim.warned()).map(({ code }) => code)];
      if (!heard.includes("two")) expect(warned).toContain("frame.gap");
      expect(heard.filter((text) => text !== "two")).toEqual(["one", "three"]);
    },
  },
  {
    name: "bytes changed under way are not shown, and said",
    async run(world, victim) {
      const room = await world.foundRoom({ persist: false });
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({
        onMessage(subject, _headers, payload) {
          if (!isFrame(subject)) return "pass";
          const changed = Uint8Array.from(payload);
          const index = changed.length - 90;
          changed[index] = (changed[index] ?? 0) ^ 1;
          return { payload: changed };
        },
      });
      await room.alice.send("as signed");
      await expectWarned(victim, "frame.forged");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
    },
  },
];

export const frameScenarios: readonly Scenario[] = [...replays, ...swaps, ...orders, ...drops];
