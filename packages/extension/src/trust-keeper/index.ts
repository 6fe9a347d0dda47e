/** Face of the trust keeper: whom this instance trusts to sign. */
export { createTrustKeeper, type TrustKeeper, type TrustKeeperDeps, type TrustList } from "./create-trust-keeper.ts";
