/**
 * Proposals in the states that tests and pictures need, made by the routes that people use.
 *
 * Invariant: nothing is written behind the server's back; a vote is ended early only where the platform allows it.
 */
import { castBallot } from "@althing/client";
import { votingRuleSchema, type Proposal, type VoteChoice, type VotingRule } from "@althing/contract";
import type { z } from "zod";
import type { WebPerson } from "./web-world.ts";

export type RuleInput = z.input<typeof votingRuleSchema>;

export interface Scene {
  readonly title: string;
  readonly body?: string;
  readonly options?: readonly string[];
  readonly topic?: string;
  readonly rule?: RuleInput;
  /** How far it goes. Default: `voting`. */
  readonly until?: "draft" | "discussion" | "voting";
  /** Of the vote. Default: a week. */
  readonly lastsMs?: number;
}

export async function stage(author: WebPerson, community: string, scene: Scene): Promise<Proposal> {
  const { title, body = "", options = [], topic, rule, until = "voting", lastsMs = 7 * 24 * 3_600_000 } = scene;
  const made = await author.client.call("proposals.create", {
    params: { community },
    body: {
      ...{ title, body, options: options.map((text) => ({ text })), discuss: until !== "draft" },
      ...(topic === undefined ? {} : { topic }),
      ...(rule === undefined ? {} : { rule: votingRuleSchema.parse(rule) }),
    },
  });
  if (until !== "voting") return made;
  const params = { community, proposal: made.id };
  return author.client.call("proposals.open", { params, body: { closesAt: new Date(Date.now() + lastsMs).toISOString() } });
}

export function cast(who: WebPerson, community: string, { id }: Pick<Proposal, "id">, choice: VoteChoice, isOpen = false) {
  return castBallot((...call) => who.client.call(...call), { community, proposal: id }, choice, { open: isOpen });
}

/** Ends a vote in which everybody entitled has voted, or nobody. */
export function end(manager: WebPerson, community: string, { id }: Pick<Proposal, "id">): Promise<Proposal> {
  return manager.client.call("proposals.close", { params: { community, proposal: id }, body: {} });
}

export interface MethodCase {
  readonly method: VotingRule["method"];
  readonly options: readonly string[];
  readonly rule: RuleInput;
}

const plants = ["Roses", "Beans", "Kale", "Leek"] as const;

/** One vote for each method, with what the method takes. */
export const methodCases: readonly MethodCase[] = [
  { method: "yes_no", options: [], rule: { method: "yes_no" } },
  { method: "approval", options: plants, rule: { method: "approval" } },
  { method: "score", options: plants, rule: { method: "score", scoreMax: 5 } },
  { method: "star", options: plants, rule: { method: "star", scoreMax: 5 } },
  { method: "irv", options: plants, rule: { method: "irv" } },
  { method: "schulze", options: plants, rule: { method: "schulze" } },
  { method: "quadratic", options: plants, rule: { method: "quadratic", credits: 10 } },
  { method: "stv", options: plants, rule: { method: "stv", seats: 2 } },
];

export const proposalPath = (community: string, { id }: Pick<Proposal, "id">, rest = ""): string =>
  `/c/${community}/proposals/${id}${rest}`;
