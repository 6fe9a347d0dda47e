/** Public face: identities, request signatures, room keys and frames. */
export * from "./blob.ts";
export { concat, equalBytes, fromBase64url, fromHex, randomBytes, sha256, toBase64url, toHex, utf8, type Bytes } from "./bytes.ts";
export { cborHead, cborHeadBytes, cborNumberAt, decodeCbor, encodeCbor, type CborValue } from "./canonical.ts";
export { checkContentDigest, contentDigest, parseContentDigest, type BodyDigests, type DigestMember } from "./content-digest.ts";
export {
  decodeEpoch,
  encodeEpoch,
  epochReasons,
  sortMembers,
  verifyEpochSignature,
  type DecodedEpoch,
  type EpochMember,
  type EpochReason,
  type EpochRecord,
} from "./epoch.ts";
export { checkTransition } from "./epoch-transition.ts";
export {
  frameTypes,
  openFrame,
  parseFrame,
  streamMaxFrames,
  verifyFrameApart,
  type BlobReference,
  type FrameContext,
  type FrameHeader,
  type FrameType,
  type FrameVerdict,
  type OpenFrame,
  type ParsedFrame,
} from "./frame.ts";
export { createFrameSealer, type FrameSealer, type FrameSealerOptions, type FrameToSeal } from "./frame-sealer.ts";
export {
  althingProfile,
  checkFreshness,
  parseSignature,
  parseSignatures,
  signRequest,
  verifyRequestSignature,
  verifyRequestSignatureApart,
  type HttpRequestView,
  type ParsedSignature,
  type RequestToSign,
  type SignatureProfile,
} from "./http-signature.ts";
export { decodeIdentityFile, encodeIdentityFile, isProtected } from "./identity-file.ts";
export {
  endpointOf,
  identityFromKeys,
  identityFromPhrase,
  identityFromSeeds,
  importIdentityKeys,
  verifyKeyCard,
  type Identity,
  type IdentityKeys,
} from "./identity.ts";
export { findAuditFault, hashAuditEntry } from "./audit-chain.ts";
export { chainStart, hashEvent, sealPersonalField, verifyChain, type ChainFault, type ChainVerdict } from "./event-chain.ts";
export * from "./invite.ts";
export { chain, type MaybePromise } from "./maybe-promise.ts";
export { checkRecoveryPhrase, identitySeeds, newRecoveryPhrase, type IdentitySeeds } from "./recovery-phrase.ts";
export {
  decodeProposal,
  hpkeV1,
  openEpochKey,
  openLink,
  proposeEpoch,
  type EpochKey,
  type ProposedEpoch,
  type ProposeEpoch,
  type RoomKeys,
} from "./room-keys.ts";
export * from "./safety.ts";
export {
  isBallotKey,
  makeBallotKey,
  openBallot,
  openBallotKey,
  sealBallot,
  type BallotContext,
  type OpenedBallot,
} from "./secret-ballot.ts";
export { fieldValue } from "./signature-base.ts";
export { verify } from "./signing.ts";
