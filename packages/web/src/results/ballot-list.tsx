/** Every ballot that was counted: of an open vote by voter, of a secret one by receipt. */
import type { CountedBallot, Proposal } from "@althing/contract";
import { usePages } from "../app/calls.ts";
import { ChoiceWords } from "../ballots/choice-words.tsx";
import { PersonOf } from "../proposals/person-of.tsx";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { EmptyState, ListState, Table } from "../ui/index.ts";
import { useResultTexts } from "./texts.ts";

export function BallotList({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useResultTexts();
  const list = usePages(
    "votes.ballots",
    (after) => ({ params, query: { limit: 50, ...(after === undefined ? {} : { after }) } }),
    ({ ballots, next }) => ({ rows: ballots, next }),
  );
  return (
    <div className="grid gap-3">
      <h4 className="font-semibold">{t("list.title")}</h4>
      <ListState list={list} empty={<EmptyState title={t("list.none")} />}>
        <Table
          label={t("list.title")}
          rows={list.rows}
          keyOf={({ voter, nonce }) => voter ?? nonce ?? ""}
          columns={[
            {
              name: proposal.rule.secret ? t("list.receipt") : t("list.voter"),
              isHeading: true,
              cell: (ballot) => <Whose ballot={ballot} />,
            },
            { name: t("list.says"), cell: ({ choice }) => <ChoiceWords whose="any" options={proposal.options} choice={choice} /> },
          ]}
        />
      </ListState>
    </div>
  );
}

function Whose({ ballot: { voter, nonce } }: { readonly ballot: CountedBallot }) {
  return voter === undefined ? <code className="text-sm break-all">{nonce}</code> : <PersonOf endpoint={voter} />;
}
