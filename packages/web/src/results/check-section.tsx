/** How anybody checks a result: find a ballot by its receipt, read all ballots, count again. */
import type { Proposal } from "@althing/contract";
import { useState } from "react";
import { Button } from "../ui/index.ts";
import type { OfProposal } from "../proposals/use-proposal.ts";
import { BallotList } from "./ballot-list.tsx";
import { ReceiptCheck } from "./receipt-check.tsx";
import { RecountPanel } from "./recount-panel.tsx";
import { useResultTexts } from "./texts.ts";

export function CheckSection({ proposal, params }: { readonly proposal: Proposal; readonly params: OfProposal }) {
  const t = useResultTexts();
  const [isListShown, setListShown] = useState(false);
  return (
    <div className="grid gap-5 border-t border-line pt-5">
      <div>
        <h3 className="text-lg font-bold">{t("check")}</h3>
        <p className="text-soft">{t("checkLead")}</p>
      </div>
      <div className="grid gap-5 md:grid-cols-2">
        <ReceiptCheck proposal={proposal} params={params} />
        <RecountPanel proposal={proposal} params={params} />
      </div>
      {isListShown ? (
        <BallotList proposal={proposal} params={params} />
      ) : (
        <div>
          <Button tone="quiet" onClick={() => setListShown(true)}>
            {t("list.open")}
          </Button>
        </div>
      )}
    </div>
  );
}
