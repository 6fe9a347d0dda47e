/** Public face of the bus: users, sessions, rooms and blobs behind the hub's routes, and nats-server kept in line with them. */
export type { Acl } from "./acl.ts";
export type { BlobPut, Blobs } from "./blobs.ts";
export { createBus, type Bus, type BusOptions, type BusPeers, type BusStats } from "./bus.ts";
export { requireInstance, type Caller } from "./caller.ts";
export { openCollections } from "./collections.ts";
export { createEventStream, type EventStream } from "./event-stream.ts";
export type { BusConfig, BusLimits, BusLog, Clock } from "./environment.ts";
export {
  jetStreamCipher,
  aclConfig,
  aclEntry,
  aclPermissions,
  fenceConfig,
  headerRoomBytes,
  maxPayloadBytes,
  natsConfig,
  type NatsClusterInput,
  type NatsConfigInput,
} from "./nats-config.ts";
export {
  checkNatsVersion,
  connectBus,
  natsMinimum,
  proveExternalAcl,
  type BusConnection,
  type BusConnectionOptions,
  type BusStatus,
} from "./nats-connection.ts";
export { newNkey, nkeyOfSeed, type NkeyPair, type NkeySeed } from "./nkey.ts";
export { nativeNkeyAuthenticator } from "./nkey-authenticator.ts";
export type { GuestRow } from "./collections.ts";
export type { Guests, PostContext } from "./guests.ts";
export { createNewcomers, type Newcomers, type NewcomersDeps } from "./newcomers.ts";
export type { Notices } from "./notices.ts";
export type { Rooms } from "./rooms/rooms.ts";
export type { CommunityRooms, Departure, RoomAct, RoomTold } from "./rooms/community-rooms.ts";
export type { ChangeOptions } from "./rooms/change-room.ts";
export type { Input, Output } from "./route-input.ts";
export { raiseReplicas, type RaisedStream } from "./stream-replicas.ts";
export type { Sessions } from "./sessions.ts";
export { loadStream, removeStream, savedStreamSchema, saveStream, type SavedStream, type StreamCopy } from "./stream-copy.ts";
export type { Users } from "./users.ts";
