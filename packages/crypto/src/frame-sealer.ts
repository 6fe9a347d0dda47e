/**
 * Makes the frames of one stream.
 *
 * Invariant: a counter is used once, whatever fails after it was taken, and it never starts again: a new epoch goes on counting under a new
 * content key, a new run of the client draws a new stream. So no nonce repeats under a key, and receivers can tell replays by
 * (sender, stream, counter) over all epochs.
 */
import { AppError, limits, type RoomId, type RoomPolicy } from "@althing/contract";
import { concat, randomBytes, type Bytes } from "./bytes.ts";
import { encodeCbor } from "./canonical.ts";
import {
  contentKeyOf,
  encodeFrameHeader,
  mustBeSigned,
  nonceOf,
  streamMaxFrames,
  type BlobReference,
  type FrameHeader,
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

export function createFrameSealer(options: FrameSealerOptions): FrameSealer {
  const { identity, room, subject, policy } = options;
  const stream = options.stream === undefined ? randomBytes(16) : new Uint8Array(options.stream);
  if (stream.length !== 16) throw new TypeError("a stream id has 16 bytes");
  const maxFrames = Math.min(options.maxFrames ?? streamMaxFrames, streamMaxFrames);
  let epoch = options.epoch;
  let counter = 0;

  function takeHeader(frame: FrameToSeal): FrameHeader {
    if (policy.encrypt && epoch === null) throw new AppError("epoch.no_key", { epoch: 0, room });
    if (counter >= maxFrames) throw new AppError("frame.exhausted", { limit: maxFrames });
    const place = policy.encrypt && epoch !== null ? { epoch: epoch.epoch, epochHash: epoch.recordHash } : { epoch: 0, epochHash: null };
    const { type, id, blob } = frame;
    return {
      type,
      room,
      subject,
      ...place,
      sender: identity.endpoint,
      stream,
      counter: counter++,
      id,
      ...(blob === undefined ? {} : { blob }),
    };
  }

  function finish(header: FrameHeader, signed: Bytes): MaybePromise<Bytes> {
    if (!mustBeSigned(header.type, policy)) return concat(signed, nullItem);
    return chain(identity.sign("frame", signed), (sig) => concat(signed, Uint8Array.of(0x58, 64), sig));
  }

  return {
    seal(frame) {
      if (frame.payload.length > limits.frameMaxBytes) throw new AppError("frame.too_large", { limit: limits.frameMaxBytes });
      const header = takeHeader(frame);
      const aad = encodeFrameHeader(header);
      const key = epoch;
      const content =
        key === null || !policy.encrypt
          ? frame.payload
          : chain(contentKeyOf(key, identity.endpoint, stream), (aead) => aead.seal(nonceOf(header.counter), aad, frame.payload));
      const bytes = chain(content, (sealed) => finish(header, concat(aad, encodeCbor(sealed))));
      return chain(bytes, (whole) => {
        if (whole.length > limits.frameMaxBytes) throw new AppError("frame.too_large", { limit: limits.frameMaxBytes });
        return whole;
      });
    },
    useEpoch(next) {
      epoch = next;
    },
    stream,
    get counter() {
      return counter;
    },
  };
}
