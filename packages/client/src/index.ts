/** Public face of the client library, the same in Node and in browsers. */
export { pages } from "@althing/contract";
export type { CallOptions } from "./api.ts";
export type { BlobOptions, PutBlobOptions, StoredBlob } from "./blobs.ts";
export { loadBrowserIdentity, removeBrowserIdentity, saveBrowserIdentity } from "./browser-identity.ts";
export { createClient, type AlthingClient, type ClientEvents, type ClientOptions, type ConnectionEvent, type LogEvent } from "./client.ts";
export type { EpochChange } from "./epoch-book.ts";
export { exportEvents, type FollowOptions } from "./event-feed.ts";
export type { RoomHandler, RoomSubscription, Since } from "./inbox.ts";
export { claimInstance, fetchHealth, joinInstance, type NewcomerOptions } from "./open-instance.ts";
export { newMessageId } from "./message-id.ts";
export type { Sent } from "./outbox.ts";
export {
  createPackagesClient,
  type EndpointAnswer,
  type EndpointCall,
  type PackageFiles,
  type PackagesClient,
  type PackagesClientOptions,
} from "./packages.ts";
export type { ActivityListener, ActivityWatch, RoomActivity } from "./room-activity.ts";
export type { Member } from "./room-directory.ts";
export type { BlobLink, ControlEvent, EpochEvent, MessageEvent, RoomEvent } from "./room-events.ts";
export type { HistoryOptions, JoinRequest, RoomHandle, SendOptions } from "./room-handle.ts";
export type { UnreadCount, UnreadOptions } from "./room-unread.ts";
export type { NewRoom, Rooms } from "./rooms.ts";
export {
  castBallot,
  countedBallots,
  exportVote,
  findReceipt,
  makeTrusteeKey,
  openSecretBallots,
  type CastResult,
  type ChoiceFault,
  type OpeningResult,
  type VoteCall,
  type VoteRef,
} from "./secret-ballots.ts";
export { openMemoryState, type ClientState } from "./state.ts";
export { openIndexedDbState, removeIndexedDbState } from "./state-indexeddb.ts";
export type { ClientWarning, FirstSight } from "./warnings.ts";
export { openFileState } from "#platform";
export {
  checkRecoveryPhrase,
  decodeIdentityFile,
  encodeIdentityFile,
  findAuditFault,
  identityFromPhrase,
  isProtected as isProtectedIdentityFile,
  newRecoveryPhrase,
  verifyChain,
  type ChainFault,
  type ChainVerdict,
  type Identity,
} from "@althing/crypto";
