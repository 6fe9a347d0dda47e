/** Public face: counting votes, resolving delegations, counting again from an export. */
export { choiceFault, choiceKinds, type ChoiceKind } from "./read-choice.ts";
export { tally, type TallyInput } from "./tally.ts";
export type { TallyBallot } from "./papers.ts";
export { recount, type Recount } from "./recount.ts";
export { resolveDelegations, type Delegated, type DelegationInput, type DelegationResult, type LossReason } from "./resolve-delegations.ts";
