/** Ballots, receipts, and the trustee's part of secret votes. */
export { BallotSection } from "./ballot-section.tsx";
export { ChoiceWords } from "./choice-words.tsx";
export { ReceiptCard, type GivenReceipt } from "./receipt-card.tsx";
export { fileName, saveFile } from "./save-file.ts";
export { TrusteePanel } from "./trustee-panel.tsx";
