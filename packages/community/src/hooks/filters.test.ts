/** The chain of filters: order, time, modes, and what a filter may not do. */
import { afterEach, describe, expect, it } from "vitest";
import { filterPointNames, type FilterPayload } from "@althing/contract";
import { caller, garden, openHookWorld, type Guest, type HookWorld } from "../../test/hook-world.ts";

let world: HookWorld;
const open = () => {
  world = openHookWorld();
  return { ...world, node: world.addNode() };
};
afterEach(() => world?.close());

const point = "comment.before_create";
const filterAt = (mode: "fail_open" | "fail_closed", priority = 50) => ({ filters: [{ point, mode, priority }] as const });
const comment: FilterPayload<typeof point> = { proposal: "p1", body: "hello" };
const adding =
  (text: string): Guest["asked"] =>
  (payload) => {
    const shown = JSON.parse(payload) as typeof comment;
    return { kind: "accept", payload: JSON.stringify({ ...shown, body: `${shown.body} ${text}` }) };
  };
const never = () => new Promise<never>(() => undefined);

/** Goes on until it is answered, with time passing. */
async function settled<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  void work.catch(() => undefined).finally(() => (isOver = true));
  await world.until(() => isOver);
  return work;
}

describe("a chain of filters", () => {
  it("without any gives the payload back and asks nobody", async () => {
    const { node } = open();
    expect(await node.hooks.filters.run(garden, point, caller, comment)).toBe(comment);
  });

  it("goes by priority, then by install, and hands on what each made of it", async () => {
    const { node, switchOn } = open();
    await switchOn(node, "b", { ...filterAt("fail_open"), asked: adding("b") });
    await switchOn(node, "a", { ...filterAt("fail_open"), asked: adding("a") });
    await switchOn(node, "z", { ...filterAt("fail_open", 1), asked: adding("z") });
    expect(await node.hooks.filters.run(garden, point, caller, comment)).toEqual({ proposal: "p1", body: "hello z a b" });
  });

  it("ends with the first that refuses, whose reason is plain text of one line", async () => {
    const { node, switchOn } = open();
    let isAsked = false;
    await switchOn(node, "a", {
      ...filterAt("fail_open"),
      asked: () => ({ kind: "refuse", reason: `not\n\u001b[31mhere\u202e ${"x".repeat(1_000)}` }),
    });
    await switchOn(node, "b", { ...filterAt("fail_open"), asked: (payload) => ((isAsked = true), { kind: "accept", payload }) });
    const refusal = await node.hooks.filters.run(garden, point, caller, comment).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "filter.refused", params: { extension: "org.example.a" } });
    expect((refusal as { params: { reason: string } }).params.reason).toMatch(/^not \[31mhere x{200,290}$/);
    expect(isAsked).toBe(false);
  });

  it("takes 200 ms in all, whatever hangs: what fails open is passed over, what must answer refuses", async () => {
    const { node, switchOn, clock } = open();
    const budgets: number[] = [];
    await switchOn(node, "a", { ...filterAt("fail_open", 1), asked: (_payload, budgetMs) => (budgets.push(budgetMs), never()) });
    const last = await switchOn(node, "b", {
      ...filterAt("fail_open", 2),
      asked: (_payload, budgetMs) => (budgets.push(budgetMs), never()),
    });
    const startMs = clock.ms;
    expect(await settled(node.hooks.filters.run(garden, point, caller, comment))).toEqual(comment);
    expect(clock.ms - startMs).toBe(200);
    // Nothing was left for the second.
    expect(budgets).toEqual([200]);
    last.filters = filterAt("fail_closed", 2).filters;
    await world.switchOn(node, "b", last);
    await expect(settled(node.hooks.filters.run(garden, point, caller, comment))).rejects.toMatchObject({
      code: "filter.failed",
      params: { extension: "org.example.b" },
    });
  });

  it.each<[string, Guest["asked"]]>([
    ["throws", () => Promise.reject(new Error("x"))],
    ["fails", () => ({ kind: "failed", detail: "it fell" })],
    ["answers no JSON", () => ({ kind: "accept", payload: "{" })],
    ["leaves a field out", () => ({ kind: "accept", payload: '{"proposal":"p1"}' })],
    ["adds a field", () => ({ kind: "accept", payload: '{"proposal":"p1","body":"x","admin":true}' })],
    ["breaks a bound", () => ({ kind: "accept", payload: JSON.stringify({ proposal: "p1", body: "x".repeat(10_001) }) })],
    ["turns it to another proposal", () => ({ kind: "accept", payload: '{"proposal":"p2","body":"x"}' })],
    ["hides a prototype in it", () => ({ kind: "accept", payload: '{"proposal":"p1","body":"x","__proto__":{"a":1}}' })],
  ])("decides by the filter's mode when one %s", async (_what, asked) => {
    const { node, switchOn } = open();
    const guest = await switchOn(node, "a", { ...filterAt("fail_open"), asked });
    await switchOn(node, "b", { ...filterAt("fail_open", 90), asked: adding("b") });
    expect(await node.hooks.filters.run(garden, point, caller, comment)).toEqual({ proposal: "p1", body: "hello b" });
    await switchOn(node, "a", { ...guest, ...filterAt("fail_closed") });
    await expect(node.hooks.filters.run(garden, point, caller, comment)).rejects.toMatchObject({ code: "filter.failed" });
    expect(world.lines.some(({ event }) => event === "a filter did not answer")).toBe(true);
  });

  it("is not got around by driving a filter that must answer into quarantine", async () => {
    const { node, switchOn, hold } = open();
    const guest = await switchOn(node, "a", filterAt("fail_closed"));
    await hold(node, guest, true);
    await expect(node.hooks.filters.run(garden, point, caller, comment)).rejects.toMatchObject({ code: "filter.failed" });
    await world.switchOff(node, guest);
    expect(await node.hooks.filters.run(garden, point, caller, comment)).toEqual(comment);
  });

  it("holds on every node as soon as the act that changes it is written", async () => {
    const { node, switchOn } = open();
    const other = world.addNode();
    expect(await other.hooks.filters.run(garden, point, caller, comment)).toEqual(comment);
    await switchOn(node, "a", { ...filterAt("fail_open"), asked: () => ({ kind: "refuse", reason: "no" }) });
    await expect(other.hooks.filters.run(garden, point, caller, comment)).rejects.toMatchObject({ code: "filter.refused" });
  });
});

describe("a vote", () => {
  const vote = { proposal: "p1", method: "yes_no", secret: true, choice: "yes" };
  const at = "vote.before_cast";
  const filters = [{ point: at, mode: "fail_closed", priority: 1 }] as const;

  it("that is secret is shown without its choice, which comes back untouched", async () => {
    const { node, switchOn } = open();
    const shown: string[] = [];
    await switchOn(node, "a", { filters, asked: (payload) => (shown.push(payload), { kind: "accept", payload }) });
    expect(await node.hooks.filters.run(garden, at, caller, vote)).toEqual(vote);
    expect(shown).toEqual([JSON.stringify({ proposal: "p1", method: "yes_no", secret: true })]);
  });

  it.each([
    [vote, { ...vote, choice: "no" }],
    [vote, { ...vote, secret: false }],
    [vote, vote],
    [
      { ...vote, secret: false },
      { ...vote, secret: false, choice: "no" },
    ],
    [
      { ...vote, secret: false },
      { ...vote, secret: false, proposal: "p2" },
    ],
  ])("%o is not changed to %o", async (cast, answer) => {
    const { node, switchOn } = open();
    await switchOn(node, "a", { filters, asked: () => ({ kind: "accept", payload: JSON.stringify(answer) }) });
    await expect(node.hooks.filters.run(garden, at, caller, cast)).rejects.toMatchObject({ code: "filter.failed" });
  });
});

it("knows every point of the catalogue", async () => {
  const { node, switchOn } = open();
  await switchOn(node, "a", {
    filters: filterPointNames.map((name) => ({ point: name, mode: "fail_open", priority: 1 })),
    asked: () => ({ kind: "refuse", reason: "no" }),
  });
  for (const name of filterPointNames)
    await expect(node.hooks.filters.run(garden, name, caller, {} as never), name).rejects.toMatchObject({ code: "filter.refused" });
});
