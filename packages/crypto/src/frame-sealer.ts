/**
 * Makes the frames of one stream.
 *
 * Invariant: a counter is used once, whatever fails after it was taken, and it never starts again: a new epoch goes on counting under a new
 * content key, a new run of the client draws a new stream. So no nonce repeats under a key, and receivers can tell replays by
 * (sender, stream, counter) over all epochs.
 */
import { AppError, limits, type RoomId, type RoomPolicy } from "@althing/contract";
import { randomBytes, toBase64url, type Bytes } from "./bytes.ts";
import { cborHead } from "./canonical.ts";
import {
  contentKeyOf,
  encodeFrameHeader,
  encodeFrameStart,
  mustBeSigned,
  nonceOf,
  streamMaxFrames,
  type BlobReference,
  type FrameType,
} from "./frame.ts";
import type { Identity } from "./identity.ts";
import { chain, type MaybePromise } from "./maybe-promise.ts";
import type { EpochKey } from "./room-keys.ts";

export interface FrameSealerOptions {
  readonly identity: Identity;
  readonly room: RoomId;
  /** The room's output subject. */
  readonly subject: string;
  readonly policy: RoomPolicy;
  /** null in a room without encryption. */
  readonly epoch: EpochKey | null;
  /** 16 bytes; drawn when absent. Give one only if no frame was ever sealed with it. */
  readonly stream?: Uint8Array;
  /** Frames before the stream is exhausted; at most 2^32. */
  readonly maxFrames?: number;
}

export interface FrameToSeal {
  readonly type: FrameType;
  /** ULID. */
  readonly id: string;
  readonly payload: Uint8Array;
  readonly blob?: BlobReference;
}

export interface FrameSealer {
  /** @throws {frame.too_large} {frame.exhausted} {epoch.no_key} */
  seal(frame: FrameToSeal): MaybePromise<Bytes>;
  /** Goes on under the next epoch's key, with the same stream and counter. */
  useEpoch(epoch: EpochKey): void;
  readonly stream: Uint8Array;
  /** Counter of the next frame. */
  readonly counter: number;
}

const nullItem = Uint8Array.of(0xf6);
const sigBytes = 64;
const sigHead = cborHead(2, sigBytes);

export function createFrameSealer(options: FrameSealerOptions): FrameSealer {
  const { identity, room, subject, policy } = options;
  const stream = options.stream === undefined ? randomBytes(16) : new Uint8Array(options.stream);
  if (stream.length !== 16) throw new TypeError("a stream id has 16 bytes");
  const maxFrames = Math.min(options.maxFrames ?? streamMaxFrames, streamMaxFrames);
  const place = { sender: identity.endpoint, stream, streamName: `${identity.endpoint}/${toBase64url(stream)}` };
  const starts = new Map<FrameType, Bytes>();
  let epoch = options.epoch;
  let counter = 0;

  /** What frames of a type begin with in this epoch. */
  function startOf(type: FrameType): Bytes {
    let start = starts.get(type);
    if (start === undefined) {
      const place = policy.encrypt && epoch !== null ? { epoch: epoch.epoch, epochHash: epoch.recordHash } : { epoch: 0, epochHash: null };
      start = encodeFrameStart({ type, room, subject, ...place, sender: identity.endpoint, stream });
      starts.set(type, start);
    }
    return start;
  }

  function takeCounter(): number {
    if (policy.encrypt && epoch === null) throw new AppError("epoch.no_key", { epoch: 0, room });
    if (counter >= maxFrames) throw new AppError("frame.exhausted", { limit: maxFrames });
    return counter++;
  }

  /** The whole frame in one piece of memory: what is signed is a view of it. */
  function finish(type: FrameType, aad: Bytes, sealed: Uint8Array): MaybePromise<Bytes> {
    const head = cborHead(2, sealed.length);
    const isSigned = mustBeSigned(type, policy);
    const signedEnd = aad.length + head.length + sealed.length;
    const bytes = new Uint8Array(signedEnd + (isSigned ? sigHead.length + sigBytes : nullItem.length));
    bytes.set(aad);
    bytes.set(head, aad.length);
    bytes.set(sealed, aad.length + head.length);
    bytes.set(isSigned ? sigHead : nullItem, signedEnd);
    if (!isSigned) return bytes;
    return chain(identity.sign("frame", bytes.subarray(0, signedEnd)), (sig) => {
      bytes.set(sig, signedEnd + sigHead.length);
      return bytes;
    });
  }

  return {
    seal(frame) {
      if (frame.payload.length > limits.frameMaxBytes) throw new AppError("frame.too_large", { limit: limits.frameMaxBytes });
      const { type, id, blob } = frame;
      const key = epoch;
      const taken = takeCounter();
      const aad = encodeFrameHeader(startOf(type), { counter: taken, id, ...(blob === undefined ? {} : { blob }) });
      const content =
        key === null || !policy.encrypt
          ? frame.payload
          : chain(contentKeyOf(key, place), (aead) => aead.seal(nonceOf(taken), aad, frame.payload));
      const bytes = chain(content, (sealed) => finish(type, aad, sealed));
      return chain(bytes, (whole) => {
        if (whole.length > limits.frameMaxBytes) throw new AppError("frame.too_large", { limit: limits.frameMaxBytes });
        return whole;
      });
    },
    useEpoch(next) {
      epoch = next;
      starts.clear();
    },
    stream,
    get counter() {
      return counter;
    },
  };
}
