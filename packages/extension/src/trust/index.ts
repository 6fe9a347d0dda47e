/** Face of trust: the trust bundle, verification, signing. */
export { parseEnvelope, readEnvelope, type Envelope } from "./envelope.ts";
export { newPublisherKey, publisherIdOf, signBundle, type BundleSigner, type PublisherKey } from "./sign-bundle.ts";
export { decodeStatement, encodeStatement, type BundleStatement } from "./statement.ts";
export { keyIdOf, openTrustStore, type TrustStore } from "./trust-store.ts";
export {
  assertTrusted,
  verifyBundle,
  verifyEnvelope,
  type ChainLink,
  type Signer,
  type TrustCode,
  type TrustReason,
  type TrustResult,
  type VerifyBundle,
} from "./verify-bundle.ts";
