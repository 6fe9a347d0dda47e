/**
 * Extensions that post into rooms: their identities, and the sealing of what they say.
 *
 * Invariant: an install has one identity in its community, made when somebody first looks whom to invite, its seeds sealed under a key of the instance's secrets
 * key and the scope. They are opened in the hub for one frame and given to nobody: a runner runs foreign code and would need them together with the room's
 * key, which is more than it has to have; the hub has the secrets key in any case (docs/architecture/threat-model.md, "An extension in a room").
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Bus, Caller, GuestRow, Input, Output, PostContext } from "@althing/bus";
import { AppError, endpointIdSchema, extensionHandleSchema, extensionIdSchema, limits, type CommunityId } from "@althing/contract";
import {
  createFrameSealer,
  decodeEpoch,
  encodeCbor,
  fromBase64url,
  identityFromSeeds,
  openEpochKey,
  utf8,
  type EpochKey,
  type Identity,
} from "@althing/crypto";
import type { Scope } from "@althing/extension";
import { retryConflicts, type Store } from "@althing/store";
import { z } from "zod";

export interface ExtensionRooms {
  /** Whom the room's owner may invite. */
  list(caller: Caller, input: Input<"rooms.extensions">): Promise<Output<"rooms.extensions">>;
  /** @throws {room.not_found} {room.quota} {room.rekey_pending} {frame.too_large} {nats.unavailable} */
  post(scope: { readonly community: CommunityId; readonly extension: string }, room: string, text: string): Promise<{ id: string }>;
  /** Out of all rooms, and the keys deleted. Repeatable. */
  purge(scope: Scope): Promise<void>;
}

export interface ExtensionRoomsDeps {
  readonly store: Store;
  readonly guests: Bus["guests"];
  /** 32 bytes. */
  readonly secretsKey: Uint8Array;
  readonly clock: { now(): number };
  /** Ids of the community's extensions that were granted `rooms.post`. */
  readonly mayPost: (community: CommunityId) => Promise<readonly string[]>;
}

const nonceBytes = 12;
const tagBytes = 16;
const seedBytes = 32;
/** What a frame adds to its payload is less than this. */
const frameOverheadMaxBytes = 1_024;

export function createExtensionRooms({ store, guests, secretsKey, clock, mayPost }: ExtensionRoomsDeps): ExtensionRooms {
  /** `ext-identities/<community>/<extension>`: nonce, both seeds, tag; the endpoint id is authenticated. */
  const rows = store.collection({ name: "ext-identities", schema: z.strictObject({ sealed: z.base64(), endpoint: endpointIdSchema }) });
  const keyOf = ({ community, extension }: Scope) =>
    Buffer.from(hkdfSync("sha256", secretsKey, "", `althing/ext-identity/v1\0${community}\0${extension}`, 32));

  function seal(scope: Scope, seeds: Uint8Array, endpoint: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", keyOf(scope), nonce);
    cipher.setAAD(Buffer.from(endpoint));
    return Buffer.concat([nonce, cipher.update(seeds), cipher.final(), cipher.getAuthTag()]).toString("base64");
  }

  function unseal(scope: Scope, text: string, endpoint: string): Uint8Array {
    const sealed = Buffer.from(text, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", keyOf(scope), sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(endpoint));
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    } catch (cause) {
      throw new AppError(
        "data.corrupt",
        { path: "an extension's identity", detail: "it was altered, or sealed under another key" },
        { cause },
      );
    }
  }

  async function find(scope: Scope): Promise<Identity | undefined> {
    const row = await rows.get([scope.community, scope.extension]);
    return row && identityOf(unseal(scope, row.value.sealed, row.value.endpoint));
  }

  /** One identity, however many look at the same time. */
  async function findOrMake(scope: Scope): Promise<Identity> {
    const known = await find(scope);
    if (known !== undefined) return known;
    const seeds = randomBytes(2 * seedBytes);
    const { endpoint } = await identityOf(seeds);
    return retryConflicts("the extension's identity", async () => {
      const other = await find(scope);
      if (other !== undefined) return other;
      await rows.put([scope.community, scope.extension], { sealed: seal(scope, seeds, endpoint), endpoint }, 0);
      return identityOf(seeds);
    });
  }

  async function offered(community: CommunityId): Promise<GuestRow[]> {
    const found: GuestRow[] = [];
    for (const extension of await mayPost(community)) {
      const { endpoint, signPub, card } = await findOrMake({ community, extension });
      const guest = {
        ...{ endpoint, signPub, keys: card, community },
        extension: extensionIdSchema.parse(extension),
        handle: extensionHandleSchema.parse(`ext:${extension}`),
      };
      await guests.publish(guest);
      found.push({ ...guest, status: "active", createdAt: new Date(clock.now()).toISOString() });
    }
    return found;
  }

  return {
    list: (caller, input) => guests.listFor(caller, input, offered),
    async post(scope, room, text) {
      const limit = limits.frameMaxBytes - frameOverheadMaxBytes;
      const payload = encodeCbor({ body: utf8(text), type: "text/plain" });
      if (payload.length > limit) throw new AppError("frame.too_large", { limit });
      const identity = await find(scope);
      if (identity === undefined) throw new AppError("room.not_found", { room: room.slice(0, 64) });
      const id = await guests.post(identity.endpoint, room, async (context) => {
        // A stream of its own for each message: no counter has to survive anything.
        const { room: of, subject, policy } = context;
        const sealer = createFrameSealer({ identity, room: of, subject, policy, epoch: await keyFor(identity, context) });
        return sealer.seal({ type: "msg", id: context.id, payload });
      });
      return { id };
    },
    async purge(scope) {
      const row = await rows.get([scope.community, scope.extension]);
      if (row === undefined) return;
      await guests.retire(row.value.endpoint);
      await rows.delete(row.key);
    },
  };
}

const identityOf = (seeds: Uint8Array): Promise<Identity> =>
  identityFromSeeds({ signSeed: new Uint8Array(seeds.subarray(0, seedBytes)), kexSeed: new Uint8Array(seeds.subarray(seedBytes)) });

/** The room's newest key, out of the copy that was sealed to the extension. @throws {epoch.no_key} */
async function keyFor(identity: Identity, { epoch, policy, room }: PostContext): Promise<EpochKey | null> {
  if (!policy.encrypt) return null;
  if (epoch?.sealed === undefined) throw new AppError("epoch.no_key", { epoch: epoch?.epoch ?? 0, room });
  const decoded = decodeEpoch(fromBase64url(epoch.record));
  return { epoch: epoch.epoch, key: await openEpochKey(identity, decoded, epoch.sealed), recordHash: decoded.hash };
}
