/**
 * The records the bus keeps, one schema a collection.
 *
 * Invariant: keys are made so that every look-up is a `get` or a prefix list; values stay below 64 KiB or are cut into parts (one value is
 * one message in a JetStream store). Endpoint ids, not handles, name people in keys. Data formats: a change here is a migration.
 */
import {
  blobHashSchema,
  communityIdSchema,
  endpointIdSchema,
  handleSchema,
  extensionIdSchema,
  inviteStatementSchema,
  keyCardSchema,
  memberHandleSchema,
  roomIdSchema,
  roomNameSchema,
  roomPolicySchema,
  roomRoleSchema,
  roomSuites,
  sealedKeySchema,
  sessionNkeySchema,
  signPubSchema,
  timeSchema,
  userSchema,
} from "@althing/contract";
import type { Collection, Store } from "@althing/store";
import { z } from "zod";

const count = z.int().nonnegative();
const hash = z.string().length(43);

/** `users/<signPub>` */
const users = { name: "users", schema: userSchema };
/** `endpoints/<endpoint>`: from the id to the key. */
const endpoints = { name: "endpoints", schema: z.object({ signPub: signPubSchema }) };
/** `handles/<handle>`: never deleted, so a handle is given once. */
const handles = { name: "handles", schema: z.object({ endpoint: endpointIdSchema }) };
/** `admins/active`: the active admins in one record, so that the last one is protected by compare-and-set. */
const admins = {
  name: "admins",
  schema: z.object({ active: z.array(z.object({ endpoint: endpointIdSchema, handle: handleSchema, demo: z.literal(true).optional() })) }),
};
/** `invitations/<sha256 of the token>`; `admin-link/current` likewise, in a cluster `admin-link/<node>`. */
const invitations = { name: "invitations", schema: z.object({ by: signPubSchema, expiresAt: timeSchema }) };
const adminLink = { name: "admin-link", schema: z.object({ hash, expiresAt: timeSchema }) };

export const sessionRowSchema = z.object({ nkey: sessionNkeySchema, inbox: z.string(), openedAt: timeSchema, expiresAt: timeSchema });
export type SessionRow = z.infer<typeof sessionRowSchema>;
/** `sessions/<endpoint>`: all of one user, so that their number is bounded and revocation ends them in one write. */
const sessions = { name: "sessions", schema: z.object({ open: z.array(sessionRowSchema) }) };

const roomRowSchema = z.object({
  id: roomIdSchema,
  name: roomNameSchema,
  policy: roomPolicySchema,
  suite: z.enum(roomSuites),
  createdBy: endpointIdSchema,
  createdAt: timeSchema,
  epoch: count,
  epochHash: hash.optional(),
  epochAt: timeSchema.optional(),
  /** In the epoch record, but no longer in the room. */
  gone: z.array(endpointIdSchema),
  members: count,
  /** Absent: the room belongs to the instance. Never changes. */
  community: communityIdSchema.optional(),
});
export type RoomRow = z.infer<typeof roomRowSchema>;
/** `rooms/<room>` */
const rooms = { name: "rooms", schema: roomRowSchema };
/** `room-names/<name>` */
const roomNames = { name: "room-names", schema: z.object({ room: roomIdSchema }) };
/** `community-rooms/<community>/<room>`: the rooms of a community. */
const communityRooms = { name: "community-rooms", schema: z.strictObject({}) };
/** `room-graves/<room>`: for ever, so that an id and its opaque subject are never used again. */
const roomGraves = { name: "room-graves", schema: z.object({ at: timeSchema }) };

const memberRowSchema = z.object({
  role: roomRoleSchema,
  joined: z.boolean(),
  since: timeSchema,
  handle: memberHandleSchema,
  signPub: signPubSchema,
  /** Absent: a person. */
  kind: z.literal("extension").optional(),
  /** First epoch and last earlier sequence of the membership: what `from-join` hides lies before. */
  fromEpoch: count,
  afterSeq: count,
  invite: inviteStatementSchema.optional(),
});
export type MemberRow = z.infer<typeof memberRowSchema>;
/** `members/<room>/<endpoint>` and its mirror `user-rooms/<endpoint>/<room>`. */
const members = { name: "members", schema: memberRowSchema };
const userRooms = { name: "user-rooms", schema: z.object({ joined: z.boolean() }) };
const guestRowSchema = z.object({
  endpoint: endpointIdSchema,
  signPub: signPubSchema,
  handle: memberHandleSchema,
  keys: keyCardSchema,
  community: communityIdSchema,
  extension: extensionIdSchema,
  status: z.enum(["active", "revoked"]),
  createdAt: timeSchema,
});
export type GuestRow = z.infer<typeof guestRowSchema>;
/** `guests/<endpoint>`: identities that are in rooms and nowhere else: no user, no session, no request. Kept when revoked, for their frames. */
const guests = { name: "guests", schema: guestRowSchema };
/** `join-requests/<room>/<endpoint>` */
const joinRequests = { name: "join-requests", schema: z.object({ handle: handleSchema, at: timeSchema }) };

/** `epochs/<room>/<number>`: what says where the parts are. */
const epochs = {
  name: "epochs",
  schema: z.object({
    hash,
    at: timeSchema,
    link: z.string().optional(),
    recordParts: z.int().positive(),
    /** First endpoint of each part of the sealed list, which is sorted by endpoint. */
    sealedFirst: z.array(endpointIdSchema).min(1),
  }),
};
/** `epoch-parts/<room>/<number>/record|sealed/<part>` */
const epochParts = {
  name: "epoch-parts",
  schema: z.union([z.object({ text: z.string() }), z.object({ sealed: z.array(sealedKeySchema) })]),
};

/** `usage/<room>`: what the stream holds of it, as counted up to `lastSeq`. */
const usage = { name: "usage", schema: z.object({ bytes: count, messages: count, firstSeq: count, lastSeq: count }) };
/** `usage-cursor/rooms`: everything up to here is counted in `usage`. */
const usageCursor = { name: "usage-cursor", schema: z.object({ seq: count }) };

/** `blobs/<hash>/<owner>`: one row an owner, so that equal ciphertext of two people lives as long as either keeps it. */
const blobs = { name: "blobs", schema: z.object({ bytes: count, own: z.boolean(), rooms: z.array(roomIdSchema), at: timeSchema }) };
/** `room-blobs/<room>/<hash>/<owner>` */
const roomBlobs = { name: "room-blobs", schema: z.object({}) };
/** `blob-usage/<owner>` */
const blobUsage = { name: "blob-usage", schema: z.object({ bytes: count }) };
/** `blob-doubts/<hash>`: an object that may lie there without a row; looked at again at each start. `deleting`: by whoever wrote it. */
const blobDoubts = {
  name: "blob-doubts",
  schema: z.object({ hash: blobHashSchema, at: timeSchema, deleting: z.literal(true).optional() }),
};

export const choreSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("leave-rooms"), endpoint: endpointIdSchema }),
  z.object({ kind: z.literal("clear-room"), room: roomIdSchema, persisted: z.boolean() }),
]);
export type Chore = z.infer<typeof choreSchema>;
/** `chores/<subject>`: effects that a batch promised and that may still be due. */
const chores = { name: "chores", schema: choreSchema };

type ValueOf<D> = D extends { schema: z.ZodType<infer T> } ? T : never;

function open<D extends { name: string; schema: z.ZodType }>(store: Store, definition: D): Collection<ValueOf<D>> {
  return store.collection({ name: definition.name, schema: definition.schema as z.ZodType<ValueOf<D>> });
}

/** Typed views of everything the bus keeps. */
export function openCollections(store: Store) {
  return {
    users: open(store, users),
    endpoints: open(store, endpoints),
    handles: open(store, handles),
    admins: open(store, admins),
    invitations: open(store, invitations),
    adminLink: open(store, adminLink),
    sessions: open(store, sessions),
    rooms: open(store, rooms),
    roomNames: open(store, roomNames),
    communityRooms: open(store, communityRooms),
    roomGraves: open(store, roomGraves),
    members: open(store, members),
    userRooms: open(store, userRooms),
    guests: open(store, guests),
    joinRequests: open(store, joinRequests),
    epochs: open(store, epochs),
    epochParts: open(store, epochParts),
    usage: open(store, usage),
    usageCursor: open(store, usageCursor),
    blobs: open(store, blobs),
    roomBlobs: open(store, roomBlobs),
    blobUsage: open(store, blobUsage),
    blobDoubts: open(store, blobDoubts),
    chores: open(store, chores),
  };
}
export type Collections = ReturnType<typeof openCollections>;
