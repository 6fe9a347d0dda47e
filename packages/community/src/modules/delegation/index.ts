/** Face of delegations. */
export { createDelegations, type Delegations, type DelegationsDeps } from "./delegations.ts";
