/** Screens of this area: proposals from draft to decision. */
export { AmendmentsPage } from "./amendments-page.tsx";
export { EditProposalPage } from "./edit-proposal-page.tsx";
export { NewProposalPage } from "./new-proposal-page.tsx";
export { ProposalPage } from "./proposal-page.tsx";
export { ProposalsPage } from "./proposals-page.tsx";
export { VersionsPage } from "./versions-page.tsx";
