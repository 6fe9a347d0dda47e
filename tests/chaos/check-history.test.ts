/** The judge itself, on histories that are right and on ones that are wrong in one way each: a judge that sees nothing passes everything. */
import { describe, expect, it } from "vitest";
import { findFaults, type FaultKind } from "./check-history.ts";
import { emptyHistory, wishes, type Act, type Heard, type History, type Sent, type Wanted } from "./history.ts";

const sent: Sent[] = [0, 1, 2, 3].flatMap((n) => ["ada", "bob"].map((sender) => ({ sender, n, isAcknowledged: n < 3 })));
const heard: Heard[] = sent.filter(({ n }) => n < 3).map(({ sender, n }) => ({ reader: "carol", sender, n }));
const messages = heard.map(({ sender, n }) => ({ sender, n }));
const act = (id: string, more: Partial<Act> = {}): Act => ({ id, beganMs: 1_000, endedMs: 1_100, outcome: "acknowledged", ...more });
const head = "a".repeat(64);

const right: History = {
  ...emptyHistory,
  ...{ sent, heard, readers: ["carol"] },
  views: ["n1", "n2", "n3"].map((node) => ({ node, messages })),
  acts: [act("u1"), act("u2", { outcome: "unknown" }), act("u3", { outcome: "refused" })],
  states: ["n1", "n2", "n3"].map((node) => ({ node, acts: ["u1", "u2"] })),
  minorities: [{ node: "n1", fromMs: 2_000, untilMs: 5_000 }],
  frozen: [{ node: "n2", fromMs: 2_500, untilMs: 6_000 }],
  revocations: [{ who: "mallory", acknowledgedMs: 3_000 }],
  served: [
    { who: "mallory", node: "n1", what: "request", beganMs: 2_999 },
    { who: "mallory", node: "n1", what: "connection", beganMs: 4_900 },
    { who: "mallory", node: "n2", what: "connection", beganMs: 7_900 },
    { who: "ada", node: "n2", what: "request", beganMs: 9_000 },
  ],
  chains: ["n1", "n2", "n3"].map((node) => ({ node, events: 4, head })),
  wanted: [
    { node: "n1", what: "read", beganMs: 3_900, endedMs: 3_950, isServed: true },
    ...wishes.map((what): Wanted => {
      return { node: "n1", what, beganMs: 4_100, endedMs: 4_200, isServed: false, said: "1 of 3 nodes heard, 2 are needed" };
    }),
    { node: "n1", what: "read", beganMs: 4_900, endedMs: 5_100, isServed: true },
    { node: "n3", what: "write", beganMs: 4_500, endedMs: 4_600, isServed: true },
  ],
  harms: [{ atMs: 2_000, nodes: ["n2"], led: ["S0"] }],
  drops: [
    { node: "n2", atMs: 2_100 },
    { node: "n1", atMs: 3_000 },
  ],
  duties: [
    { kind: "event", id: "event 1", done: 2, isAccountedFor: false },
    { kind: "event", id: "event 2", done: 1, isAccountedFor: false },
    { kind: "slot", id: "slot 1", done: 1, isAccountedFor: false },
    { kind: "slot", id: "slot 2", done: 0, isAccountedFor: true },
  ],
};

const kinds = (history: Partial<History>): FaultKind[] => [...new Set(findFaults({ ...right, ...history }).map(({ kind }) => kind))];
const without = <T>(list: readonly T[], at: number): T[] => list.filter((_, index) => index !== at);
const swapped = <T>(list: readonly T[], a: number, b: number): T[] =>
  list.map((item, i) => (i === a ? list[b] : i === b ? list[a] : item) ?? item);
const onOneNode = (change: (list: typeof messages) => typeof messages) =>
  right.views.map((view) => (view.node === "n2" ? { ...view, messages: change([...view.messages]) } : view));

describe("the judge of a chaos round", () => {
  it("finds nothing where there is nothing", () => {
    expect(findFaults(right)).toEqual([]);
    expect(findFaults(emptyHistory)).toEqual([]);
  });

  it("lets messages that nobody confirmed come or stay away, and those of different senders in any order", () => {
    const late = { reader: "carol", sender: "ada", n: 3 };
    const all = right.views.map((view) => ({ ...view, messages: [...view.messages, { sender: "ada", n: 3 }] }));
    expect(kinds({ heard: [...heard, late], views: all })).toEqual([]);
    expect(kinds({ heard: swapped(heard, 0, 1) })).toEqual([]);
  });

  it.each<[string, FaultKind, Partial<History>]>([
    ["an acknowledged message that a reader never got", "lost", { heard: without(heard, 2) }],
    ["a reader that got nothing at all", "lost", { readers: ["carol", "dave"] }],
    ["an acknowledged message that a node's history lacks", "lost", { views: onOneNode((list) => without(list, 2)) }],
    ["a message that was delivered twice", "doubled", { heard: [...heard, ...heard.slice(0, 1)] }],
    ["a message that a node shows twice", "doubled", { views: onOneNode((list) => [...list, ...list.slice(-1)]) }],
    [
      "an unconfirmed message that came twice",
      "doubled",
      { heard: [...heard, ...[1, 2].map(() => ({ reader: "carol", sender: "ada", n: 3 }))] },
    ],
    ["two messages of one sender in the wrong order", "reordered", { heard: swapped(heard, 0, 2) }],
    ["a message that nobody sent", "invented", { heard: [...heard, { reader: "carol", sender: "eve", n: 0 }] }],
    ["nodes whose histories have another order", "nodes-differ", { views: onOneNode((list) => swapped(list, 0, 1)) }],
    ["a node whose history ends later", "nodes-differ", { views: onOneNode((list) => [...list, { sender: "ada", n: 3 }]) }],
    ["an acknowledged change that a node lacks", "state-lost", { states: [{ node: "n3", acts: ["u2"] }] }],
    ["a change that was done twice, though nobody answered it", "state-doubled", { states: [{ node: "n3", acts: ["u1", "u2", "u2"] }] }],
    ["a change that was refused and done", "state-invented", { states: [{ node: "n3", acts: ["u1", "u3"] }] }],
    ["a change that nobody asked for", "state-invented", { states: [{ node: "n3", acts: ["u1", "u9"] }] }],
    [
      "a change acknowledged by a node without a majority",
      "acknowledged-alone",
      { acts: [...right.acts, act("u4", { node: "n1", beganMs: 2_500, endedMs: 2_600 })], states: [] },
    ],
    [
      "a request of somebody revoked",
      "served-after-revocation",
      { served: [{ who: "mallory", node: "n3", what: "request", beganMs: 3_001 }] },
    ],
    [
      "a connection of somebody revoked that outlives the time to close it",
      "served-after-revocation",
      { served: [{ who: "mallory", node: "n3", what: "connection", beganMs: 5_001 }] },
    ],
    [
      "a connection of somebody revoked that a server goes on serving long after it woke",
      "served-after-revocation",
      { served: [{ who: "mallory", node: "n2", what: "connection", beganMs: 8_001 }] },
    ],
    [
      "a request of somebody revoked on a server that stood still",
      "served-after-revocation",
      { served: [{ who: "mallory", node: "n2", what: "request", beganMs: 5_900 }] },
    ],
    ...wishes.map((what): [string, FaultKind, Partial<History>] => [
      `a ${what} that a node without a majority serves after two seconds`,
      "served-alone",
      { wanted: [...right.wanted, { node: "n1", what, beganMs: 4_001, endedMs: 4_100, isServed: true }] },
    ]),
    [
      "a node without a majority that does not say what it lacks",
      "served-alone",
      { wanted: right.wanted.map((one) => ({ ...one, said: "the store does not answer" })) },
    ],
    ...wishes.map((what): [string, FaultKind, Partial<History>] => [
      `that nobody tried a ${what} while a node was alone`,
      "untried",
      { wanted: right.wanted.filter((one) => one.what !== what) },
    ]),
    ["an event that was told to nobody", "duty-lost", { duties: right.duties.map((one) => ({ ...one, done: 0 })) }],
    ["a slot that nobody ran, and nobody says so", "duty-lost", { duties: right.duties.map((one) => ({ ...one, done: 0 })).slice(2, 3) }],
    ["a slot that ran twice", "duty-doubled", { duties: right.duties.map((one) => ({ ...one, done: 2 })).slice(2) }],
    [
      "events told again more often than nodes died",
      "duty-doubled",
      { duties: right.duties.map((one) => ({ ...one, done: 2 })).slice(0, 2) },
    ],
    ["a connection that a node ends which nobody harmed", "dropped", { drops: [{ node: "n3", atMs: 2_200 }] }],
    ["a chain that does not verify", "chain", { chains: [{ node: "n1", events: 4, head, fault: "event 3: hash" }] }],
    ["chains that end differently", "chain", { chains: [...right.chains, { node: "n4", events: 4, head: "b".repeat(64) }] }],
  ])("finds %s", (_what, kind, history) => {
    expect(kinds(history)).toContain(kind);
  });

  it("does not blame a node that lost its majority while it was asked, or got it back", () => {
    for (const [beganMs, endedMs] of [
      [1_900, 2_100],
      [4_900, 5_100],
    ] as const)
      expect(kinds({ acts: [...right.acts, act("u4", { node: "n1", beganMs, endedMs })], states: [] })).toEqual([]);
  });
});
