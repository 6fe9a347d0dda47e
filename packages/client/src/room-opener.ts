/**
 * From bytes to a verified message: who sent it, under which epoch, and whether it may be shown.
 *
 * Invariant: nothing of a frame is used before its sender was found in the record of the frame's own epoch, its place checked, its signature
 * verified and its content opened. What does not pass is an error to count, never an event (docs/architecture/client.md, "Receiving").
 */
import { AppError, hasCode, type EndpointId, type Handle, type PublicIdentity, type RoomRole, type SignPub } from "@althing/contract";
import {
  chain,
  openFrame,
  verify,
  verifyFrameApart,
  type EpochKey,
  type FrameVerdict,
  type MaybePromise,
  type OpenFrame,
  type ParsedFrame,
} from "@althing/crypto";
import type { VerifiedEpoch } from "./epoch-book.ts";
import { decodePayload, type Payload } from "./payload.ts";
import type { RoomCore } from "./room-core.ts";
import type { Place } from "./sequencer.ts";

export interface Opened {
  readonly frame: OpenFrame;
  readonly payload: Payload;
  readonly handle: Handle | undefined;
  /** In the epoch of the frame; `undefined`: no member now, in a room without records. */
  readonly role: RoomRole | undefined;
}

/** `live`: it came just now; `stored`: it came from history. */
export type Origin = "live" | "stored";

export interface RoomOpener {
  /**
   * @param verdict of {@link begin}, for this frame
   * @throws {epoch.no_key} {frame.forged} {frame.misplaced} {frame.malformed} {epoch.forked} {epoch.rolled_back}
   */
  open(parsed: ParsedFrame, origin: Origin, verdict?: FrameVerdict): MaybePromise<Opened>;
  /** Has the signature verified on another thread, if the sender's key is at hand; all other checks wait for the frame's turn. */
  begin(parsed: ParsedFrame): FrameVerdict | undefined;
}

interface Sender {
  readonly signPub: SignPub;
  readonly handle: Handle | undefined;
  readonly role: RoomRole | undefined;
}

interface Context {
  readonly verified: VerifiedEpoch;
  readonly key: EpochKey;
}

export function placeOf(parsed: ParsedFrame, seq: number | undefined): Place {
  return { key: parsed.streamName, epoch: parsed.epoch, counter: parsed.counter, seq };
}

export function createRoomOpener(core: RoomCore, identityOf: (who: EndpointId) => Promise<PublicIdentity>): RoomOpener {
  const contexts = new Map<number, Context>();

  async function contextOf(parsed: ParsedFrame): Promise<Context> {
    const known = contexts.get(parsed.epoch);
    if (known !== undefined) return known;
    if (parsed.epoch > core.memory.epoch) await core.refresh();
    if (parsed.epoch > core.memory.epoch) await missingEpoch(core, parsed);
    const verified = await core.book.at(parsed.epoch);
    const context = { verified, key: await keyOf(core, verified) };
    contexts.set(parsed.epoch, context);
    return context;
  }

  /** Without a promise where the epoch is known, the newest, and the platform's cryptography synchronous: the way of nearly every frame. */
  function openEncrypted(parsed: ParsedFrame, origin: Origin, verdict?: FrameVerdict): MaybePromise<Opened> {
    if (parsed.epoch < 1) throw new AppError("frame.forged", { detail: "it is not encrypted, the room is" });
    return chain(contexts.get(parsed.epoch) ?? contextOf(parsed), (context) => {
      const sender = context.verified.members.get(parsed.sender);
      if (sender === undefined) throw new AppError("frame.forged", { detail: `its sender is no member in epoch ${parsed.epoch}` });
      return chain(checkRemoval(core, parsed, origin), () => openIn(context, parsed, sender, verdict));
    });
  }

  function openIn({ verified, key }: Context, parsed: ParsedFrame, sender: Sender, verdict?: FrameVerdict): MaybePromise<Opened> {
    if (parsed.epochHash !== verified.hash) {
      return divergence(core, parsed, sender.signPub).then((error) => {
        throw error;
      });
    }
    const opened = openFrame(parsed, {
      room: core.id,
      subject: core.info.subjects.subscribe,
      policy: verified.record.policy,
      senderSignPub: sender.signPub,
      epochKey: key,
      verdict,
    });
    return chain(opened, (frame) => finish(frame, sender));
  }

  async function openPlain(parsed: ParsedFrame, origin: Origin): Promise<Opened> {
    if (parsed.epoch !== 0) throw new AppError("frame.forged", { detail: "it names an epoch, the room has none" });
    const sender = await senderOfPlain(parsed.sender, origin);
    return finish(
      await openFrame(parsed, {
        room: core.id,
        subject: core.info.subjects.subscribe,
        policy: core.policy,
        senderSignPub: sender.signPub,
        epochKey: null,
      }),
      sender,
    );
  }

  /** A former member's key is asked for by endpoint id, which proves it; live, only members speak. */
  async function senderOfPlain(endpoint: EndpointId, origin: Origin): Promise<Sender> {
    const member = await core.directory.find(endpoint);
    if (member !== undefined) return member;
    if (origin === "live") throw new AppError("frame.forged", { detail: "its sender is no member" });
    try {
      const identity = await identityOf(endpoint);
      return { signPub: identity.signPub, handle: identity.handle, role: undefined };
    } catch (error) {
      if (hasCode(error, "user.not_found")) throw new AppError("frame.forged", { detail: "its sender is nobody known" });
      throw error;
    }
  }

  return {
    open(parsed, origin, verdict) {
      checkPlace(core, parsed);
      const encrypted = core.info.policy.encrypt || core.book.top !== undefined;
      return encrypted ? openEncrypted(parsed, origin, verdict) : openPlain(parsed, origin);
    },
    begin(parsed) {
      const context = contexts.get(parsed.epoch);
      const sender = context?.verified.members.get(parsed.sender);
      const fits = parsed.room === core.id && parsed.epochHash === context?.verified.hash;
      return sender !== undefined && fits ? verifyFrameApart(parsed, sender.signPub) : undefined;
    },
  };
}

/** First of all: what belongs to another room is misplaced, whatever else is wrong with it. `openFrame` checks it again under the signature. */
function checkPlace(core: RoomCore, parsed: ParsedFrame): void {
  const { subscribe } = core.info.subjects;
  if (parsed.room !== core.id) throw new AppError("frame.misplaced", { expected: parsed.room, observed: core.id });
  if (parsed.subject !== subscribe) throw new AppError("frame.misplaced", { expected: parsed.subject, observed: subscribe });
}

/** A member has a copy of the key: a server that does not give it is said, where it would be nothing remarkable for somebody else. */
async function keyOf(core: RoomCore, { record, members }: VerifiedEpoch): Promise<EpochKey> {
  try {
    return await core.book.key(record.epoch);
  } catch (error) {
    if (hasCode(error, "epoch.no_key") && members.has(core.identity.endpoint)) core.dropped(error);
    throw error;
  }
}

function finish(frame: OpenFrame, sender: Sender): Opened {
  return { frame, payload: decodePayload(frame.payload), handle: sender.handle, role: sender.role };
}

/**
 * Those who were removed are not heard under an old epoch: live, as soon as the newest record lacks them; from history, as soon as a frame of an
 * epoch without them was delivered, because up to there the order is the order in which members spoke.
 */
function checkRemoval(core: RoomCore, parsed: ParsedFrame, origin: Origin): MaybePromise<void> {
  const since = origin === "live" ? core.memory.epoch : core.memory.receiveEpoch;
  if (since <= parsed.epoch) return undefined;
  return chain(since === core.memory.epoch ? core.book.top : core.book.at(since), (newer) => {
    if (newer === undefined || newer.members.has(parsed.sender)) return;
    throw new AppError("frame.forged", { detail: `its sender was removed by epoch ${newer.record.epoch}` });
  });
}

/** A frame of an epoch that the server does not show: either junk, or proof that the server hides a record. */
async function missingEpoch(core: RoomCore, parsed: ParsedFrame): Promise<never> {
  const sender = core.book.top?.members.get(parsed.sender);
  if (sender === undefined || !(await isSignedBy(core, parsed, sender.signPub))) {
    throw new AppError("frame.forged", { detail: `it names epoch ${parsed.epoch}, which does not exist` });
  }
  await core.refresh(parsed.epoch);
  throw new AppError("frame.forged", { detail: `it names epoch ${parsed.epoch}, which just appeared` });
}

/** Another record under the same number: if a member signed the frame, the room is forked. */
async function divergence(core: RoomCore, parsed: ParsedFrame, signPub: SignPub): Promise<AppError> {
  if (!(await isSignedBy(core, parsed, signPub))) return new AppError("frame.forged", { detail: "it names another record for its epoch" });
  return core.stop(new AppError("epoch.forked", { room: core.id, epoch: parsed.epoch }));
}

async function isSignedBy(core: RoomCore, parsed: ParsedFrame, signPub: SignPub): Promise<boolean> {
  return parsed.room === core.id && parsed.sig !== null && (await verify("frame", signPub, parsed.signed, parsed.sig));
}
