/** Ballots as they are typed, for every method, there and back. */
import type { VoteOption, VotingMethod } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { choiceText, parseChoice } from "./vote-choice.ts";

const options: VoteOption[] = [
  { id: "o1", text: "Roses" },
  { id: "o2", text: "Beans = peas" },
  { id: "o3", text: "Kale" },
];
const parse = (method: VotingMethod, ...words: string[]) => parseChoice({ method }, options, words);

describe("a typed ballot", () => {
  it.each([
    ["yes_no", ["block"], { choice: "block" }, "block"],
    ["approval", ["Roses", "o3"], { approvals: ["o1", "o3"] }, "o1 o3"],
    ["approval", [], { approvals: [] }, "(none)"],
    ["score", ["o1=5", "Beans = peas=2"], { scores: { o1: 5, o2: 2 } }, "o1=5 o2=2"],
    ["star", ["Kale=0"], { scores: { o3: 0 } }, "o3=0"],
    ["quadratic", ["o1=-3"], { votes: { o1: -3 } }, "o1=-3"],
    ["irv", ["Kale", "o1"], { ranking: [["o3"], ["o1"]] }, "o3 o1"],
    ["schulze", ["Kale=o1", "Beans = peas"], { ranking: [["o3", "o1"], ["o2"]] }, "o3=o1 o2"],
    ["stv", [], { ranking: [] }, "(none)"],
  ] as const)("of %s %j is read and shown", (method, words, choice, text) => {
    expect(parse(method, ...words)).toEqual(choice);
    expect(choiceText(choice as Parameters<typeof choiceText>[0])).toBe(text);
  });

  it.each([
    ["yes_no", []],
    ["yes_no", ["maybe"]],
    ["yes_no", ["yes", "no"]],
    ["approval", ["Weeds"]],
    ["score", ["o1"]],
    ["score", ["=5"]],
    ["score", ["o1=five"]],
    ["score", ["o1=1", "Roses=2"]],
    ["irv", ["o1=Weeds"]],
  ] as const)("of %s %j is wrong usage", (method, words) => {
    expect(() => parse(method, ...words)).toThrow(expect.objectContaining({ code: "cli.usage" }));
  });
});
