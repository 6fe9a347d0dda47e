/**
 * What travels on HTTP: one zod schema a thing, from which types, validation, OpenAPI and docs derive.
 *
 * Invariant: request objects are strict (unknown fields are refused); answers are what the client checks before it uses them.
 * Times are ISO 8601 in UTC; byte strings are base64url without padding unless named hexadecimal.
 */
import { z } from "zod";
import {
  base64urlSchema,
  blobHashSchema,
  communityIdSchema,
  communityNameSchema,
  endpointIdSchema,
  handleSchema,
  extensionIdSchema,
  kexPubSchema,
  memberHandleSchema,
  roomIdSchema,
  roomNameSchema,
  sessionNkeySchema,
  signPubSchema,
  tokenSchema,
  ulidSchema,
} from "./ids.ts";
import { limits } from "./limits.ts";
import { instanceRoles, roomRoles } from "./permissions.ts";

export const timeSchema = z.iso.datetime().describe("ISO 8601, UTC");
const hashSchema = base64urlSchema(32).length(43).describe("sha256, base64url");
export const signatureSchema = base64urlSchema(64).length(86).describe("Ed25519 signature, base64url");

// --- users ---

/** The key-agreement key of an identity, signed by its signing key over `althing/keycard/v1`. */
export const keyCardSchema = z.strictObject({ kexPub: kexPubSchema, sig: signatureSchema });
export type KeyCard = z.infer<typeof keyCardSchema>;

export const userSchema = z.object({
  signPub: signPubSchema,
  endpoint: endpointIdSchema,
  handle: handleSchema,
  role: z.enum(instanceRoles),
  status: z.enum(["active", "revoked"]),
  keys: keyCardSchema.optional(),
  createdAt: timeSchema,
  revokedAt: timeSchema.optional(),
});
export type User = z.infer<typeof userSchema>;

/** What any user may know of another. */
export const publicIdentitySchema = userSchema
  .pick({ signPub: true, endpoint: true, status: true, keys: true })
  .extend({ handle: memberHandleSchema });
export type PublicIdentity = z.infer<typeof publicIdentitySchema>;

export const addUserSchema = z.strictObject({
  signPub: signPubSchema,
  handle: handleSchema,
  role: z.enum(instanceRoles).default("member"),
});

/** Claim, join and bootstrap: the key proves itself by signing the request; the token or the socket gives the right. */
export const newcomerSchema = z.strictObject({ handle: handleSchema, keys: keyCardSchema });
export const joinSchema = newcomerSchema.extend({ token: tokenSchema });
export const bootstrapSchema = newcomerSchema.extend({
  signPub: signPubSchema,
  /** An admin of a demonstration: the right to make the first admin stays. */
  demo: z.boolean().optional(),
});

export const invitationSchema = z.object({ token: tokenSchema, expiresAt: timeSchema });

// --- sessions ---

export const openSessionSchema = z.strictObject({ nkey: sessionNkeySchema });
export const sessionSchema = z.object({
  nkey: sessionNkeySchema,
  /** Token of the session's own inbox: subscribe to `_INBOX.<inbox>.>`; hub notices come on `_INBOX.<inbox>.notice`. */
  inbox: z.string().regex(/^[A-Za-z0-9_-]{16,64}$/),
  expiresAt: timeSchema,
  aclRevision: z.int().nonnegative(),
  /** Addresses for Node clients (`nats://` or `tls://`); browsers use `/api/bus` on the hub's own origin. */
  nats: z.array(z.string()),
  /** Addresses of the hubs of a cluster, this node's own first; a client takes only those that name one another (docs/architecture/client.md). */
  urls: z.array(z.string()).optional(),
  node: z.string(),
});
export type Session = z.infer<typeof sessionSchema>;

/** A hint from the hub on `_INBOX.<inbox>.notice`; never trusted, only a reason to ask again over HTTP. */
export const noticeSchema = z.object({
  type: z.enum(["room.changed", "room.deleted", "room.added", "room.removed", "room.request", "node.stopping"]),
  room: roomIdSchema.optional(),
  epoch: z.int().nonnegative().optional(),
});
export type Notice = z.infer<typeof noticeSchema>;

// --- rooms ---

export const roomPolicySchema = z.strictObject({
  encrypt: z.boolean().default(true),
  persist: z.boolean().default(true),
  sign: z.boolean().default(true),
  history: z.enum(["shared", "from-join"]).default("from-join"),
});
export type RoomPolicy = z.infer<typeof roomPolicySchema>;

export const roomRoleSchema = z.enum(roomRoles);
export const roomSuites = ["hpke-v1"] as const;

/** One member's copy of an epoch key: HPKE encapsulation and ciphertext. */
export const sealedKeySchema = z.strictObject({
  endpoint: endpointIdSchema,
  enc: base64urlSchema(32).length(43),
  ct: base64urlSchema(64).min(43),
});
export type SealedKey = z.infer<typeof sealedKeySchema>;

/** A new epoch: the signed record (CBOR, see docs/architecture/rooms.md), one sealed key a member, the link of a shared history. */
export const epochProposalSchema = z.strictObject({
  record: base64urlSchema(1024 * 1024).min(1),
  sealed: z.array(sealedKeySchema).min(1).max(limits.roomMembersMax),
  link: base64urlSchema(256).optional(),
});
export type EpochProposal = z.infer<typeof epochProposalSchema>;

/** An epoch as a member reads it: the record, its own sealed key, the link. */
export const epochSchema = z.object({
  epoch: z.int().nonnegative(),
  record: z.string(),
  sealed: sealedKeySchema.optional(),
  link: z.string().optional(),
});
export type Epoch = z.infer<typeof epochSchema>;

/** Made by the inviter: room, epoch, the record's hash and invitee, signed over `althing/invite/v1`. */
export const inviteStatementSchema = base64urlSchema(2048).min(1);

export const createRoomSchema = z.strictObject({
  id: roomIdSchema,
  name: roomNameSchema,
  policy: roomPolicySchema,
  suite: z.enum(roomSuites).default("hpke-v1"),
  epoch: epochProposalSchema.optional().describe("Record of epoch 1; required when policy.encrypt"),
  community: z.union([communityIdSchema, communityNameSchema]).optional().describe("Community the room belongs to; absent: the instance"),
});

export const roomSchema = z.object({
  id: roomIdSchema,
  name: roomNameSchema,
  policy: roomPolicySchema,
  suite: z.enum(roomSuites),
  createdBy: endpointIdSchema,
  createdAt: timeSchema,
  /** 0 in an unencrypted room. */
  epoch: z.int().nonnegative(),
  epochHash: hashSchema.optional(),
  epochAt: timeSchema.optional(),
  /** Somebody left or was revoked: a remove-only record must come before the next message. */
  rekeyNeeded: z.boolean(),
  /** Endpoints that are in the record but no longer in the room. */
  gone: z.array(endpointIdSchema),
  role: roomRoleSchema.describe("The caller's role"),
  joined: z.boolean().describe("false: invited, not yet accepted"),
  members: z.int().nonnegative(),
  /** Where to publish and to subscribe; equal for rooms that keep nothing. */
  subjects: z.object({ publish: z.string(), subscribe: z.string() }),
  bytes: z.int().nonnegative(),
  lastSeq: z.int().nonnegative(),
  invite: inviteStatementSchema.optional().describe("The statement the caller was invited with"),
  community: communityIdSchema.optional().describe("The community it belongs to; absent: the instance"),
  mutedUntil: timeSchema.optional().describe("The caller may not publish until then: muted in the room's community"),
  aclRevision: z.int().nonnegative(),
  revision: z.int().nonnegative(),
});
export type Room = z.infer<typeof roomSchema>;

/** A room as its community's list shows it: that it is there and how it is set; `role` and `joined` are the caller's, absent when it is not in the room. */
export const communityRoomSchema = roomSchema
  .pick({ id: true, name: true, policy: true, createdAt: true, members: true, rekeyNeeded: true, bytes: true, revision: true })
  .extend({ role: roomRoleSchema.optional(), joined: z.boolean().optional() });
export type CommunityRoom = z.infer<typeof communityRoomSchema>;

export const roomMemberSchema = z.object({
  endpoint: endpointIdSchema,
  signPub: signPubSchema,
  handle: memberHandleSchema,
  kind: z.enum(["person", "extension"]).default("person"),
  role: roomRoleSchema,
  joined: z.boolean(),
  since: timeSchema,
});
export type RoomMember = z.infer<typeof roomMemberSchema>;

/** An extension of the room's community that may post, with the identity it is invited as. */
export const roomExtensionSchema = publicIdentitySchema.extend({
  extension: extensionIdSchema,
  member: z.boolean().describe("Is it in the room?"),
});
export type RoomExtension = z.infer<typeof roomExtensionSchema>;

const withEpoch = { epoch: epochProposalSchema.optional().describe("Required in an encrypted room") };
export const inviteMemberSchema = z.strictObject({
  endpoint: endpointIdSchema,
  role: roomRoleSchema.default("member"),
  statement: inviteStatementSchema,
  serverCanRead: z
    .literal(true)
    .optional()
    .describe("Required for an extension: the server holds its keys, so from then on the server can read the room"),
  ...withEpoch,
});
export const kickMemberSchema = z.strictObject({ endpoint: endpointIdSchema, ...withEpoch });
export const changeRoleSchema = z.strictObject({ endpoint: endpointIdSchema, role: roomRoleSchema, ...withEpoch });
export const rekeySchema = z.strictObject({ epoch: epochProposalSchema });

export const membershipSchema = z.object({ room: roomSchema, aclRevision: z.int().nonnegative() });
export const joinResultSchema = z.object({
  status: z.enum(["joined", "requested"]),
  room: roomSchema.optional(),
});
export const joinRequestSchema = z.object({ endpoint: endpointIdSchema, handle: handleSchema, at: timeSchema });

export const historyFrameSchema = z.object({
  seq: z.int().positive(),
  /** Sequence of the room's message before this one; 0 for the first. */
  previous: z.int().nonnegative(),
  at: timeSchema,
  frame: z.string().describe("The frame's bytes, base64url"),
});
export type HistoryFrame = z.infer<typeof historyFrameSchema>;
export const historySchema = z.object({
  frames: z.array(historyFrameSchema),
  /** Pass as `after` for the next page; absent at the end. */
  next: z.int().nonnegative().optional(),
  firstSeq: z.int().nonnegative(),
  lastSeq: z.int().nonnegative(),
});

export const blobSchema = z.object({ hash: blobHashSchema, bytes: z.int().nonnegative() });

// --- posture ---

export const postureSchema = z.object({
  auth: z.enum(["enforce", "off"]),
  acl: z.object({ state: z.enum(["live", "fenced", "unmanaged"]), revision: z.int().nonnegative() }),
  tls: z.enum(["off-loopback", "on", "behind-proxy"]),
  cluster: z.object({ size: z.int(), quorum: z.boolean(), replicas: z.int(), heard: z.int() }),
  store: z.object({ kind: z.enum(["memory", "sqlite", "jetstream"]), ready: z.boolean(), schema: z.int() }),
  at_rest: z.enum(["off", "on"]),
  signing: z.enum(["none", "trust-bundle"]),
  fsync: z.enum(["always", "interval"]),
  sandbox: z.enum(["none", "permission-model", "permission-model+uid", "permission-model+pidns"]),
  private_hosts: z.int().nonnegative(),
});
export const healthSchema = z.object({
  status: z.enum(["ready", "starting", "stopping", "unavailable"]),
  reason: z.string().optional(),
  version: z.string(),
  node: z.string(),
  founding: z
    .enum(["admin_only", "approval", "open"])
    .optional()
    .describe("Who founds communities: admins, users on request, or every user"),
  claimable: z.boolean().describe("No admin yet: the one-time link or `althing bootstrap` makes one"),
  posture: postureSchema,
  urls: z.array(z.string()).optional().describe("Addresses of the hubs of a cluster"),
});
export type Health = z.infer<typeof healthSchema>;
export type Posture = z.infer<typeof postureSchema>;

export const cursorSchema = z.string().max(512);
export const identityRefSchema = z.union([handleSchema, endpointIdSchema]);
export { ulidSchema };
