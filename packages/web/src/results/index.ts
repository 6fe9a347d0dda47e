/** Results of votes, and how they are checked. */
export { ResultSection } from "./result-section.tsx";
