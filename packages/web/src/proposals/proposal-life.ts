/**
 * The life of a proposal as its readers see it: the steps it went, and what the reader may do to it now.
 *
 * Invariant: hides what the server would refuse for who asks and when; the server decides again. The order of a list puts first what waits for the
 * reader's vote, the one that ends soonest before all.
 */
import type { BallotPaper, CommunityPermission, Proposal, ProposalState, ProposalSummary } from "@althing/contract";

export type StepName = Exclude<ProposalState, "withdrawn"> | "withdrawn";
export interface Step {
  readonly name: StepName;
  readonly place: "done" | "here" | "ahead";
  /** When it began. */
  readonly at?: string | undefined;
}

type Life = Pick<Proposal, "state" | "rule" | "createdAt" | "discussionOpenedAt" | "votingOpenedAt" | "closedAt" | "closesAt">;

/** From draft to decision; a withdrawn proposal shows how far it came. */
export function stepsOf({ state, rule, createdAt, discussionOpenedAt, votingOpenedAt, closedAt }: Life): Step[] {
  const names: StepName[] = ["draft", "discussion", "voting", ...(rule.secret ? (["opening"] as const) : []), "decided"];
  const began: Partial<Record<StepName, string | undefined>> = {
    ...{ draft: createdAt, discussion: discussionOpenedAt, voting: votingOpenedAt },
    ...(state === "withdrawn" || votingOpenedAt === undefined ? {} : { opening: rule.secret ? closedAt : undefined }),
    ...(state === "decided" ? { decided: closedAt } : {}),
  };
  if (state === "withdrawn") {
    const reached = names.filter((name) => began[name] !== undefined);
    return [
      ...reached.map((name) => ({ name, place: "done" as const, at: began[name] })),
      { name: "withdrawn", place: "here", at: closedAt },
    ];
  }
  const here = names.indexOf(state);
  return names.map((name, at) => ({
    name,
    place: at < here ? "done" : at === here ? "here" : "ahead",
    at: at > here ? undefined : began[name],
  }));
}

export type ProposalAct = "edit" | "discuss" | "open" | "extend" | "close" | "void" | "withdraw";

export interface Reader {
  readonly endpoint: string;
  can(permission: CommunityPermission): boolean;
}

/** May they run it: its author while they may make proposals, or who manages proposals. */
export function mayRun({ author }: Pick<Proposal, "author">, { endpoint, can }: Reader): boolean {
  return can("proposals.manage") || (author === endpoint && can("proposals.create"));
}

const inOrder = {
  draft: ["discuss", "edit"],
  discussion: ["open", "edit"],
} as const;

/** What the reader may do now; the act that leads on comes first. */
export function actsOf(proposal: Pick<Proposal, "state" | "author" | "rule">, reader: Reader): ProposalAct[] {
  const { state, author, rule } = proposal;
  const manages = reader.can("proposals.manage");
  switch (state) {
    case "draft":
    case "discussion": {
      const run = mayRun(proposal, reader) ? inOrder[state] : [];
      return [...run, ...(manages || author === reader.endpoint ? (["withdraw"] as const) : [])];
    }
    case "voting":
      return manages ? ["extend", "close", "withdraw"] : [];
    case "opening":
      return manages ? [...(rule.secret ? (["void"] as const) : []), "withdraw"] : [];
    case "decided":
    case "withdrawn":
      return [];
  }
}

/** Does this vote wait for the one whose paper it is? */
export function needsVote(paper: Pick<BallotPaper, "state" | "mine" | "barred"> | undefined): boolean {
  return paper?.state === "voting" && paper.mine.kind === "none" && paper.barred === undefined;
}

/** Soonest end first. */
export function byEnd(a: Pick<ProposalSummary, "closesAt">, b: Pick<ProposalSummary, "closesAt">): number {
  return (a.closesAt ?? "9").localeCompare(b.closesAt ?? "9");
}
