/**
 * Every HTTP route, one row each: who may call it, what goes in, what comes out, how it can be refused.
 *
 * Invariant: the hub serves exactly these, the typed client calls exactly these, OpenAPI and docs are made of them. Route classes:
 * `open` (no signature) · `self-signed` (proves the key, no user yet) · `user` (signed by an active user) · `internal` (own
 * loopback listener or socket).
 */
import { z } from "zod";
import { blobHashSchema, communityIdSchema, communityNameSchema, endpointIdSchema, roomIdSchema, roomNameSchema, sessionNkeySchema, signPubSchema } from "./ids.ts";
import { limits } from "./limits.ts";
import type { Route } from "./route.ts";
import { communityRoutes } from "./routes-communities.ts";
import { extensionRoutes } from "./routes-extension.ts";
import { eventRoutes } from "./routes-events.ts";
import { hookRoutes } from "./routes-hooks.ts";
import { instanceRoutes } from "./routes-instance.ts";
import { jobRoutes } from "./routes-jobs.ts";
import { membershipRoutes } from "./routes-memberships.ts";
import { moderationRoutes } from "./routes-moderation.ts";
import { moduleRoutes } from "./routes-modules.ts";
import { proposalRoutes } from "./routes-proposals.ts";
import { voteRoutes } from "./routes-votes.ts";
import * as s from "./schemas.ts";

const room = z.strictObject({ room: z.union([roomIdSchema, roomNameSchema]) });
const limit = (max: number) => z.coerce.number().int().min(1).max(max);
const membership = ["room.not_found", "room.epoch_conflict", "room.epoch_invalid", "room.epoch_required"] as const;

export const routes = {
  "health.get": { method: "GET", path: "/healthz", class: "open", summary: "The state of every protection; 200 only when ready, else 503 with the same body.", status: 200, response: s.healthSchema, errors: [] },
  "openapi.get": { method: "GET", path: "/api/openapi.json", class: "open", summary: "This interface as OpenAPI 3.1.", status: 200, response: z.record(z.string(), z.unknown()), errors: [] },

  "claim.post": { method: "POST", path: "/api/claim", class: "self-signed", summary: "Become the first admin with the one-time link.", body: s.joinSchema, status: 201, response: s.userSchema, errors: ["claim.invalid", "bootstrap.closed", "user.exists", "user.handle_taken", "user.bad_key_proof"] },
  "join.post": { method: "POST", path: "/api/join", class: "self-signed", summary: "Join the instance with an invitation.", body: s.joinSchema, status: 201, response: s.userSchema, errors: ["invitation.invalid", "user.exists", "user.handle_taken", "user.bad_key_proof"] },
  "invitations.create": { method: "POST", path: "/api/invitations", class: "user", permission: "users.invite", summary: "Make a single-use invitation to the instance; the token is shown once.", body: z.strictObject({}), status: 201, response: s.invitationSchema, errors: ["auth.forbidden"] },

  "users.list": { method: "GET", path: "/api/users", class: "user", permission: "users.manage", summary: "The allowlist, ordered by signing key.", query: z.strictObject({ after: signPubSchema.optional(), limit: limit(limits.usersPageMax).default(100) }), status: 200, response: z.object({ users: z.array(s.userSchema), next: signPubSchema.optional() }), errors: ["auth.forbidden"] },
  "users.add": { method: "POST", path: "/api/users", class: "user", permission: "users.manage", summary: "Add a key to the allowlist.", body: s.addUserSchema, status: 201, response: s.userSchema.extend({ replicas: z.string().optional() }), errors: ["auth.forbidden", "user.exists", "user.handle_taken"] },
  "users.revoke": { method: "POST", path: "/api/users/:signPub/revoke", class: "user", permission: "users.manage", summary: "Revoke a user on both planes at once.", params: z.strictObject({ signPub: signPubSchema }), status: 200, response: s.userSchema.extend({ replicas: z.string().optional() }), errors: ["auth.forbidden", "user.not_found", "user.last_admin"] },
  "identities.get": { method: "GET", path: "/api/identities/:identity", class: "user", permission: "rooms.use", summary: "Keys of one user, by handle or endpoint id.", params: z.strictObject({ identity: s.identityRefSchema }), status: 200, response: s.publicIdentitySchema, errors: ["user.not_found"] },
  "me.get": { method: "GET", path: "/api/me", class: "user", permission: "self.manage", summary: "The caller's own row.", status: 200, response: s.userSchema, errors: [] },
  "me.keys.put": { method: "PUT", path: "/api/me/keys", class: "user", permission: "self.manage", summary: "Publish the caller's signed key-agreement key.", body: s.keyCardSchema, status: 200, response: s.userSchema, errors: ["user.bad_key_proof"] },

  "session.open": { method: "POST", path: "/api/session", class: "user", permission: "self.manage", summary: "Admit an ephemeral NATS key until it expires.", body: s.openSessionSchema, status: 201, response: s.sessionSchema, errors: ["session.nkey_taken", "session.too_many", "nats.unavailable", "nats.acl_refused"] },
  "session.close": { method: "DELETE", path: "/api/session/:nkey", class: "user", permission: "self.manage", summary: "End a session; its connection closes.", params: z.strictObject({ nkey: sessionNkeySchema }), status: 204, errors: ["session.not_found"] },

  "rooms.create": { method: "POST", path: "/api/rooms", class: "user", permission: "rooms.create", summary: "Found a room.", body: s.createRoomSchema, bodyMaxBytes: limits.membershipBodyMaxBytes, status: 201, response: s.roomSchema, errors: ["room.name_taken", "room.must_encrypt", "room.too_many", "room.epoch_invalid", "room.epoch_required", "community.not_found", "auth.forbidden", "room.not_in_community", "room.filter_differs", "filter.refused", "filter.failed"] },
  "rooms.mine": { method: "GET", path: "/api/members/:endpoint/rooms", class: "user", permission: "rooms.use", summary: "The caller's rooms, ordered by id.", params: z.strictObject({ endpoint: endpointIdSchema }), query: z.strictObject({ after: roomIdSchema.optional(), limit: limit(limits.roomsPageMax).default(100) }), status: 200, response: z.object({ rooms: z.array(s.roomSchema), next: roomIdSchema.optional() }), errors: ["auth.forbidden"] },
  "rooms.ofCommunity": { method: "GET", path: "/api/communities/:community/rooms", class: "user", permission: "rooms.use", summary: "Rooms of a community, ordered by id: all of them with rooms.manage, else those the caller is in.", params: z.strictObject({ community: z.union([communityIdSchema, communityNameSchema]) }), query: z.strictObject({ after: roomIdSchema.optional(), limit: limit(limits.roomsPageMax).default(100) }), status: 200, response: z.object({ rooms: z.array(s.communityRoomSchema), next: roomIdSchema.optional() }), errors: ["community.not_found"] },
  "rooms.get": { method: "GET", path: "/api/rooms/:room", class: "user", permission: "room.read", summary: "One room, by id or name.", params: room, status: 200, response: s.roomSchema, errors: ["room.not_found"] },
  "rooms.delete": { method: "DELETE", path: "/api/rooms/:room", class: "user", permission: "room.delete", summary: "Delete the room: history, keys, blobs, membership; an owner, or whoever holds rooms.manage in its community.", params: room, status: 204, errors: ["room.not_found", "auth.forbidden", "room.ownerless"] },
  "rooms.members": { method: "GET", path: "/api/rooms/:room/members", class: "user", permission: "room.read", summary: "Members as the server has them; in an encrypted room the signed epoch record decides.", params: room, query: z.strictObject({ after: endpointIdSchema.optional(), limit: limit(limits.roomMembersMax).default(500) }), status: 200, response: z.object({ members: z.array(s.roomMemberSchema), next: endpointIdSchema.optional() }), errors: ["room.not_found"] },
  "rooms.invite": { method: "POST", path: "/api/rooms/:room/invite", class: "user", permission: "room.invite", summary: "Add a member.", params: room, body: s.inviteMemberSchema, bodyMaxBytes: limits.membershipBodyMaxBytes, status: 200, response: s.membershipSchema, errors: [...membership, "auth.forbidden", "room.ownerless", "user.not_found", "room.no_keys", "room.already_member", "room.full", "room.invitee_busy", "room.invite_invalid", "room.not_in_community", "room.extension_needs_consent", "request.invalid"] },
  "rooms.extensions": { method: "GET", path: "/api/rooms/:room/extensions", class: "user", permission: "room.invite", summary: "Extensions of the room's community that may post into rooms, with the identities they are invited as.", params: room, status: 200, response: z.object({ extensions: z.array(s.roomExtensionSchema) }), errors: ["room.not_found", "auth.forbidden", "room.ownerless"] },
  "rooms.join": { method: "POST", path: "/api/rooms/:room/join", class: "user", permission: "rooms.use", summary: "Accept an invitation, or ask to be let in.", params: room, body: z.strictObject({}), status: 200, response: s.joinResultSchema, errors: ["room.not_found", "room.too_many", "room.requests_full", "room.not_in_community"] },
  "rooms.requests": { method: "GET", path: "/api/rooms/:room/requests", class: "user", permission: "room.invite", summary: "Who asked to join.", params: room, status: 200, response: z.object({ requests: z.array(s.joinRequestSchema) }), errors: ["room.not_found", "auth.forbidden", "room.ownerless"] },
  "rooms.decline": { method: "POST", path: "/api/rooms/:room/decline", class: "user", permission: "room.invite", summary: "Turn a request to join down.", params: room, body: z.strictObject({ endpoint: endpointIdSchema }), status: 204, errors: ["room.not_found", "room.not_member", "auth.forbidden", "room.ownerless"] },
  "rooms.leave": { method: "POST", path: "/api/rooms/:room/leave", class: "user", permission: "room.read", summary: "Leave at once; the others renew the key before their next message.", params: room, body: z.strictObject({}), status: 204, errors: ["room.not_found", "room.last_owner"] },
  "rooms.kick": { method: "POST", path: "/api/rooms/:room/kick", class: "user", permission: "room.kick", summary: "Remove a member.", params: room, body: s.kickMemberSchema, bodyMaxBytes: limits.membershipBodyMaxBytes, status: 200, response: s.membershipSchema, errors: [...membership, "auth.forbidden", "room.ownerless", "room.not_member", "room.last_owner"] },
  "rooms.role": { method: "POST", path: "/api/rooms/:room/role", class: "user", permission: "room.roles", summary: "Change a member's role.", params: room, body: s.changeRoleSchema, bodyMaxBytes: limits.membershipBodyMaxBytes, status: 200, response: s.membershipSchema, errors: [...membership, "auth.forbidden", "room.ownerless", "room.not_member", "room.last_owner", "request.invalid"] },
  "rooms.rekey": { method: "POST", path: "/api/rooms/:room/rekey", class: "user", permission: "room.send", summary: "Renew the key; drops members that left or were revoked.", params: room, body: s.rekeySchema, bodyMaxBytes: limits.membershipBodyMaxBytes, status: 200, response: s.membershipSchema, errors: [...membership, "auth.forbidden"] },
  "rooms.epochs": { method: "GET", path: "/api/rooms/:room/epochs", class: "user", permission: "room.read", summary: "Epoch records from one on, each with the caller's sealed key.", params: room, query: z.strictObject({ from: z.coerce.number().int().min(1).default(1), limit: limit(50).default(20) }), status: 200, response: z.object({ epochs: z.array(s.epochSchema), next: z.int().optional() }), errors: ["room.not_found"] },
  "rooms.history": { method: "GET", path: "/api/rooms/:room/history", class: "user", permission: "room.read", summary: "Frames of a persisted room in order of arrival; ciphertext when the room is encrypted.", params: room, query: z.strictObject({ after: z.coerce.number().int().nonnegative().default(0), limit: limit(limits.historyPageMax).default(200), last: limit(limits.historyPageMax).optional().describe("Only the last N; not together with `after`") }), status: 200, response: s.historySchema, errors: ["room.not_found", "room.not_persisted", "nats.unavailable"] },

  "blobs.put": { method: "POST", path: "/api/blobs", class: "user", permission: "blobs.put", summary: "Store ciphertext under its hash; with `room`, its members may read it.", query: z.strictObject({ room: z.union([roomIdSchema, roomNameSchema]).optional() }), rawBody: "application/octet-stream", bodyMaxBytes: limits.blobMaxBytes, status: 201, response: s.blobSchema, errors: ["blob.too_large", "blob.quota", "room.not_found", "room.quota", "room.muted"] },
  "blobs.get": { method: "GET", path: "/api/blobs/:hash", class: "user", permission: "rooms.use", summary: "Ciphertext by hash.", params: z.strictObject({ hash: blobHashSchema }), status: 200, rawResponse: "application/octet-stream", errors: ["blob.not_found"] },

  "internal.bootstrap": { method: "POST", path: "/internal/bootstrap", class: "internal", summary: "Make an identity admin number 0 (the data folder's socket only).", body: s.bootstrapSchema, status: 201, response: s.userSchema, errors: ["bootstrap.closed", "user.exists", "user.handle_taken", "user.bad_key_proof"] },
  "internal.metrics": { method: "GET", path: "/metrics", class: "internal", summary: "Prometheus metrics.", status: 200, rawResponse: "text/plain", errors: [] },
  ...communityRoutes,
  ...extensionRoutes,
  ...eventRoutes,
  ...hookRoutes,
  ...instanceRoutes,
  ...jobRoutes,
  ...membershipRoutes,
  ...moderationRoutes,
  ...moduleRoutes,
  ...proposalRoutes,
  ...voteRoutes,
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

type Of<N extends RouteName, K extends "params" | "query" | "body" | "response"> = (typeof routes)[N] extends Record<K, infer S extends z.ZodType> ? S : never;
type Input<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.input<S> : undefined;
type Output<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.output<S> : undefined;

/** What a caller passes (before defaults). */
export type RouteInput<N extends RouteName> = {
  params: Input<Of<N, "params">>;
  query: Input<Of<N, "query">>;
  body: Input<Of<N, "body">>;
};
/** What a handler gets (after defaults and normalisation). */
export type RouteParsed<N extends RouteName> = {
  params: Output<Of<N, "params">>;
  query: Output<Of<N, "query">>;
  body: Output<Of<N, "body">>;
};
export type RouteResponse<N extends RouteName> = Output<Of<N, "response">>;
/** What a handler returns: unbranded input of the answer's schema. */
export type RouteResult<N extends RouteName> = Input<Of<N, "response">>;
