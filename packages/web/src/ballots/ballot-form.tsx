/** The ballot of each method; which one is decided by the rule alone. */
import type { VoteOption, VotingRule } from "@althing/contract";
import { AnswerBallot } from "./answer-ballot.tsx";
import { ApprovalBallot } from "./approval-ballot.tsx";
import { allowsEqualRanks, type BallotDraft } from "./ballot-draft.ts";
import { QuadraticBallot } from "./quadratic-ballot.tsx";
import { RankingBallot } from "./ranking-ballot.tsx";
import { ScoreBallot } from "./score-ballot.tsx";
import { useBallotTexts } from "./texts.ts";

export interface BallotProps {
  readonly rule: VotingRule;
  readonly options: readonly VoteOption[];
  readonly draft: BallotDraft;
  readonly onChange: (draft: BallotDraft) => void;
}

export function BallotForm({ rule, options, draft, onChange }: BallotProps) {
  const t = useBallotTexts();
  const lead = t(`lead.${rule.method}`, { max: rule.scoreMax, credits: rule.credits, seats: rule.seats });
  return (
    <div className="grid gap-4">
      <p className="max-w-prose">{lead}</p>
      {rule.method === "yes_no" && (
        <AnswerBallot
          block={rule.block}
          answer={draft !== undefined && "choice" in draft ? draft.choice : undefined}
          onChange={(choice) => onChange({ choice })}
        />
      )}
      {draft !== undefined && "approvals" in draft && (
        <ApprovalBallot options={options} approvals={draft.approvals} onChange={(approvals) => onChange({ approvals: [...approvals] })} />
      )}
      {draft !== undefined && "scores" in draft && (
        <ScoreBallot options={options} scoreMax={rule.scoreMax} scores={draft.scores} onChange={(scores) => onChange({ scores })} />
      )}
      {draft !== undefined && "ranking" in draft && (
        <RankingBallot
          options={options}
          ranking={draft.ranking}
          mayTie={allowsEqualRanks(rule)}
          onChange={(ranking) => onChange({ ranking: ranking.map((rank) => [...rank]) })}
        />
      )}
      {draft !== undefined && "votes" in draft && (
        <QuadraticBallot rule={rule} options={options} votes={draft.votes} onChange={(votes) => onChange({ votes })} />
      )}
    </div>
  );
}
