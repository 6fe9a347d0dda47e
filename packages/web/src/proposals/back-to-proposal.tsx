/** The ways up from pages of one proposal. */
import { Link } from "@tanstack/react-router";
import { useProposalTexts } from "./texts.ts";
import { useProposalRef } from "./use-proposal.ts";

export function BackToList() {
  const t = useProposalTexts();
  const { community } = useProposalRef();
  return (
    <Link to="/c/$community/proposals" params={{ community }}>
      {t("back")}
    </Link>
  );
}

export function BackToProposal() {
  const t = useProposalTexts();
  return (
    <Link to="/c/$community/proposals/$proposal" params={useProposalRef()}>
      {t("backToOne")}
    </Link>
  );
}
