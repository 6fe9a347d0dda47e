/**
 * A room's verified chain of epoch records, and the keys that belong to them.
 *
 * Invariant: a record enters the book only when it hangs by its hash on one that is in the book or on an anchor: the pinned hash, the hash in an
 * invitation signed by a pinned member, or a first record signed by this very identity. Everything else is first sight, and said. The pin only
 * moves forward; what the server serves against it is `epoch.forged`, `epoch.forked` or `epoch.rolled_back`.
 */
import { AppError, type EndpointId, type Epoch, type Room, type RoomId } from "@althing/contract";
import {
  checkTransition,
  decodeEpoch,
  decodeInvite,
  fromBase64url,
  openEpochKey,
  openLink,
  verifyEpochSignature,
  verifyInvite,
  type EpochKey,
  type EpochMember,
  type EpochRecord,
  type Identity,
} from "@althing/crypto";
import type { Api } from "./api.ts";
import type { Pins } from "./pins.ts";

type Decoded = Awaited<ReturnType<typeof decodeEpoch>>;

export interface VerifiedEpoch {
  readonly record: EpochRecord;
  readonly hash: string;
  readonly members: ReadonlyMap<EndpointId, EpochMember>;
  /** The record's time, milliseconds since 1970. */
  readonly atMs: number;
}

/** One step forward, as members see it. */
export interface EpochChange {
  readonly epoch: number;
  readonly reason: EpochRecord["reason"];
  readonly maker: EndpointId;
  /** By the maker's clock, ISO 8601. */
  readonly at: string;
  readonly added: readonly EpochMember[];
  readonly removed: readonly EpochMember[];
}

export interface EpochBookDeps {
  readonly api: Api;
  readonly identity: Identity;
  readonly pins: Pins;
  readonly room: RoomId;
  /** Highest epoch of earlier runs. */
  readonly pinned: () => { readonly epoch: number; readonly hash: string | null; readonly inviters?: readonly string[] | undefined };
  readonly onAdvance: (top: VerifiedEpoch, changes: readonly EpochChange[]) => Promise<void>;
  readonly onFirstSight: () => void;
}

interface Invited {
  readonly epoch: number;
  readonly recordHash: string;
  readonly inviter: EndpointId;
}

interface Page {
  readonly decoded: Decoded;
  readonly entry: Epoch;
}

export interface EpochBook {
  readonly top: VerifiedEpoch | undefined;
  /** Brings the book to what the server has now; `least` is an epoch that must exist. */
  sync(room: Room, least?: number): Promise<VerifiedEpoch>;
  /** @throws {epoch.no_key} the record of that epoch is not served to this member */
  at(epoch: number): Promise<VerifiedEpoch>;
  /** What the record changed against the one before; of the first: who was in. @throws {epoch.no_key} */
  changeAt(epoch: number): Promise<EpochChange>;
  key(epoch: number): Promise<EpochKey>;
  /** Takes in a record this client made and the server accepted. */
  adopt(bytes: Uint8Array<ArrayBuffer>, key: Uint8Array<ArrayBuffer>): Promise<VerifiedEpoch>;
}

export function createEpochBook(deps: EpochBookDeps): EpochBook {
  const epochs = new Map<number, VerifiedEpoch>();
  const entries = new Map<number, Page>();
  const keys = new Map<number, Promise<EpochKey>>();
  let top: VerifiedEpoch | undefined;
  const params = { room: deps.room };

  /** One answer after the other, so that whoever checks them stops at the first lie and holds no more than that. */
  async function* fetchEach(from: number, until: number): AsyncGenerator<Page> {
    for (let next: number | undefined = from; next !== undefined && next <= until;) {
      const answer: { epochs: Epoch[]; next?: number | undefined } = await deps.api.call("rooms.epochs", {
        params,
        query: { from: next, limit: 50 },
      });
      for (const entry of answer.epochs) {
        const decoded = decodeEpoch(fromBase64url(entry.record));
        if (decoded.record.epoch !== entry.epoch) throw forged(deps.room, entry.epoch, "it is served under another number");
        if (entry.epoch <= until) yield { decoded, entry };
      }
      const last = answer.epochs.at(-1)?.epoch;
      next = last === undefined || answer.next === undefined || answer.next <= last ? undefined : answer.next;
    }
  }

  async function fetchFrom(from: number, until: number): Promise<Page[]> {
    const pages: Page[] = [];
    for await (const page of fetchEach(from, until)) pages.push(page);
    return pages;
  }

  async function remember(page: Page): Promise<VerifiedEpoch> {
    const verified = toVerified(page.decoded);
    epochs.set(verified.record.epoch, verified);
    entries.set(verified.record.epoch, page);
    return verified;
  }

  /** Signature by a maker whom the previous record names, the pure rules, identities that are what they claim. */
  async function checkStep(previous: VerifiedEpoch | undefined, page: Page): Promise<void> {
    const { record } = page.decoded;
    if (record.room !== deps.room) throw forged(deps.room, record.epoch, "it is of another room");
    checkTransition(previous?.record ?? null, record, previous?.hash ?? null);
    const maker = (previous?.members ?? toVerified(page.decoded).members).get(record.maker);
    if (maker === undefined) throw forged(deps.room, record.epoch, "its maker was no member");
    if (!(await verifyEpochSignature(page.decoded, maker.signPub))) throw forged(deps.room, record.epoch, "its signature does not verify");
    await checkMembers(deps, previous, record);
  }

  async function advance(room: Room, anchor: VerifiedEpoch, left = anchor): Promise<VerifiedEpoch> {
    let current = anchor;
    const changes: EpochChange[] = left === anchor ? [] : [changeBetween(left, anchor)];
    for await (const page of fetchEach(current.record.epoch + 1, room.epoch)) {
      if (page.entry.epoch !== current.record.epoch + 1)
        throw forged(deps.room, page.entry.epoch, `the record of epoch ${current.record.epoch + 1} is missing`);
      await checkStep(current, page);
      const next = await remember(page);
      changes.push(changeBetween(current, next));
      current = next;
    }
    if (current.record.epoch < room.epoch)
      throw new AppError("epoch.rolled_back", { room: deps.room, pinned: room.epoch, observed: current.record.epoch });
    if (room.epochHash !== undefined && room.epochHash !== current.hash)
      throw new AppError("epoch.forked", { room: deps.room, epoch: room.epoch });
    top = current;
    if (changes.length > 0 || deps.pinned().epoch < current.record.epoch) await deps.onAdvance(current, changes);
    return current;
  }

  /** The first record this run believes. */
  async function findAnchor(room: Room): Promise<VerifiedEpoch> {
    const pinned = deps.pinned();
    if (pinned.hash !== null) {
      if (room.epoch < pinned.epoch)
        throw new AppError("epoch.rolled_back", { room: deps.room, pinned: pinned.epoch, observed: room.epoch });
      const again = await anchorOfReturn(room, pinned.epoch, pinned.inviters ?? []);
      if (again !== undefined) return again;
      const page = await onePage(pinned.epoch);
      if (page.decoded.hash !== pinned.hash) throw new AppError("epoch.forked", { room: deps.room, epoch: pinned.epoch });
      return remember(page);
    }
    const invited = await invitedAt(deps, room);
    if (invited !== undefined) return anchorAt(invited);
    const first = await onePage(1);
    await checkStep(undefined, first);
    const founder = toVerified(first.decoded).members.get(first.decoded.record.maker);
    if (founder?.signPub !== deps.identity.signPub) deps.onFirstSight();
    return remember(first);
  }

  /**
   * The record an invitation names, if its signer may invite.
   * @param vouchers who could invite when the room was last seen; of them alone one vouches for it. Absent: whoever is known from before.
   */
  async function anchorAt(invited: Invited, vouchers?: readonly string[]): Promise<VerifiedEpoch> {
    const page = await onePage(invited.epoch);
    if (page.decoded.hash !== invited.recordHash) throw new AppError("epoch.forked", { room: deps.room, epoch: invited.epoch });
    const inviter = toVerified(page.decoded).members.get(invited.inviter);
    if (inviter === undefined || inviter.role === "member") throw forged(deps.room, invited.epoch, "the inviter may not invite");
    const known = await deps.pins.pinned(inviter.handle);
    await checkMembers(deps, undefined, page.decoded.record);
    // A server can make up a whole room with people of its own in it: only somebody known from before can vouch.
    if (vouchers === undefined ? known === undefined : !vouchers.includes(inviter.endpoint)) deps.onFirstSight();
    return remember(page);
  }

  /**
   * Who was out of the room and invited back is not served what happened meanwhile, so the chain from `known` on cannot be followed: the newer
   * signed invitation vouches in its place. Only where the chain is really not served; a server that has it must show it. A server that holds the
   * chain back and has some acquaintance, or somebody thrown out, sign an invitation looks the same: that is first sight, and said.
   */
  async function anchorOfReturn(room: Room, known: number, vouchers: readonly string[]): Promise<VerifiedEpoch | undefined> {
    const invited = await invitedAt(deps, room);
    if (invited === undefined || invited.epoch <= known) return undefined;
    const [following] = await fetchFrom(known + 1, known + 1);
    return following === undefined ? anchorAt(invited, vouchers) : undefined;
  }

  async function onePage(epoch: number): Promise<Page> {
    const [page] = await fetchFrom(epoch, epoch);
    if (page === undefined) throw new AppError("epoch.rolled_back", { room: deps.room, pinned: epoch, observed: "none" });
    return page;
  }

  /** Older records hang on the oldest one in the book by the hashes in it. */
  async function extendDownTo(epoch: number): Promise<void> {
    const oldest = Math.min(...epochs.keys());
    const pages = await fetchFrom(epoch, oldest - 1);
    for (let at = oldest; at > epoch; at -= 1) {
      const page = pages.find((one) => one.entry.epoch === at - 1);
      if (page === undefined) throw new AppError("epoch.no_key", { room: deps.room, epoch });
      if (epochs.get(at)?.record.previous !== page.decoded.hash) throw new AppError("epoch.forked", { room: deps.room, epoch: at - 1 });
      await remember(page);
    }
  }

  async function at(epoch: number): Promise<VerifiedEpoch> {
    if (top === undefined || epoch > top.record.epoch || epoch < 1) throw new AppError("epoch.no_key", { room: deps.room, epoch });
    if (!epochs.has(epoch)) await extendDownTo(epoch);
    const found = epochs.get(epoch);
    if (found === undefined) throw new AppError("epoch.no_key", { room: deps.room, epoch });
    return found;
  }

  async function openKey(epoch: number): Promise<EpochKey> {
    const { record, hash } = await at(epoch);
    const page = entries.get(epoch);
    if (page?.entry.sealed !== undefined && record.members.some((member) => member.endpoint === deps.identity.endpoint)) {
      return { epoch, key: await openEpochKey(deps.identity, page.decoded, page.entry.sealed), recordHash: hash };
    }
    const next = top !== undefined && epoch < top.record.epoch && record.policy.history === "shared" ? await key(epoch + 1) : undefined;
    const following = entries.get(epoch + 1);
    if (next === undefined || following?.entry.link === undefined) throw new AppError("epoch.no_key", { room: deps.room, epoch });
    return {
      epoch,
      key: await openLink(fromBase64url(following.entry.link), next.key, following.decoded, page?.decoded),
      recordHash: hash,
    };
  }

  function key(epoch: number): Promise<EpochKey> {
    let opened = keys.get(epoch);
    if (opened === undefined) {
      opened = openKey(epoch);
      keys.set(epoch, opened);
      opened.catch(() => keys.delete(epoch));
    }
    return opened;
  }

  return {
    get top() {
      return top;
    },
    async sync(room, least = 0) {
      const before = top;
      const anchor =
        before === undefined ? await findAnchor(room) : ((await anchorOfReturn(room, before.record.epoch, invitersOf(before))) ?? before);
      if (room.epoch < anchor.record.epoch)
        throw new AppError("epoch.rolled_back", { room: deps.room, pinned: anchor.record.epoch, observed: room.epoch });
      if (room.epoch < least) throw new AppError("epoch.rolled_back", { room: deps.room, pinned: least, observed: room.epoch });
      return advance(room, anchor, before);
    },
    at,
    async changeAt(epoch) {
      const after = await at(epoch);
      const before = epoch === 1 ? undefined : await at(epoch - 1);
      return before === undefined ? firstChange(after) : changeBetween(before, after);
    },
    key,
    async adopt(bytes, newKey) {
      const decoded = decodeEpoch(bytes);
      const before = top;
      const verified = await remember({ decoded, entry: { epoch: decoded.record.epoch, record: "" } });
      keys.set(verified.record.epoch, Promise.resolve({ epoch: verified.record.epoch, key: newKey, recordHash: verified.hash }));
      top = verified;
      await deps.onAdvance(verified, before === undefined ? [] : [changeBetween(before, verified)]);
      return verified;
    },
  };
}

/** Handles must be those that were pinned, and this identity's own entry its own (endpoint ids are computed from keys by `decodeEpoch`). */
async function checkMembers(deps: EpochBookDeps, previous: VerifiedEpoch | undefined, record: EpochRecord): Promise<void> {
  const fresh: EpochMember[] = [];
  for (const member of record.members) {
    const before = previous?.members.get(member.endpoint);
    if (before?.signPub === member.signPub && before.kexPub === member.kexPub && before.handle === member.handle) continue;
    if (member.endpoint === deps.identity.endpoint && member.kexPub !== deps.identity.kexPub) {
      throw forged(deps.room, record.epoch, "it names another key for this identity");
    }
    fresh.push(member);
  }
  await deps.pins.pinAll(fresh);
}

/** What a valid invitation anchors: signed, for this identity and room. Whether its signer was known before is another question. */
async function invitedAt(deps: EpochBookDeps, room: Room): Promise<Invited | undefined> {
  if (room.invite === undefined) return undefined;
  const invite = decodeInvite(room.invite);
  if (invite.room !== deps.room || invite.invitee !== deps.identity.endpoint || !(await verifyInvite(invite))) {
    throw forged(deps.room, invite.epoch, "the invitation is not valid");
  }
  if (invite.recordHash === null) return undefined;
  return { epoch: invite.epoch, recordHash: invite.recordHash, inviter: invite.inviter };
}

/** Owners and moderators. */
export function invitersOf({ record }: VerifiedEpoch): EndpointId[] {
  return record.members.filter((member) => member.role !== "member").map((member) => member.endpoint);
}

function toVerified(decoded: Decoded): VerifiedEpoch {
  return {
    record: decoded.record,
    hash: decoded.hash,
    members: new Map(decoded.record.members.map((member) => [member.endpoint, member])),
    atMs: Date.parse(decoded.record.at),
  };
}

function changeBetween(before: VerifiedEpoch, after: VerifiedEpoch): EpochChange {
  return {
    epoch: after.record.epoch,
    reason: after.record.reason,
    maker: after.record.maker,
    at: after.record.at,
    added: after.record.members.filter((member) => !before.members.has(member.endpoint)),
    removed: before.record.members.filter((member) => !after.members.has(member.endpoint)),
  };
}

/** Before the first record nobody was in. */
function firstChange({ record }: VerifiedEpoch): EpochChange {
  return { epoch: record.epoch, reason: record.reason, maker: record.maker, at: record.at, added: record.members, removed: [] };
}

function forged(room: RoomId, epoch: number, detail: string): AppError {
  return new AppError("epoch.forged", { room, epoch, detail });
}
