/**
 * A room's subscription on NATS: raw messages in, raw bytes out, across reconnects.
 *
 * Invariant: a permission violation right after a change of membership is the node's access list catching up, so it is retried for at most
 * `limits.aclCatchUpMs`; afterwards it is an answer. Reply subjects are neither set nor answered.
 */
import { AppError, limits, type RoomId } from "@althing/contract";
import type { Msg, Subscription } from "@nats-io/nats-core";
import type { BusLink, Link } from "./bus-link.ts";
import { echoPlace } from "./echo-place.ts";
import { pause } from "./pause.ts";

/** A frame as it came. `seq` and `previous` are absent in rooms that keep nothing. */
export interface Arrival {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly seq: number | undefined;
  readonly previous: number | undefined;
  readonly at?: string;
}

export interface RoomWire {
  /** Starts or renews the subscription; resolves when the server has it. @throws {auth.forbidden} the access list refuses it */
  listen(link: Link): Promise<void>;
  readonly listening: boolean;
  /** Was the room ever listened to by this client? */
  readonly heard: boolean;
  /** @throws {nats.unavailable} not connected */
  publish(bytes: Uint8Array): void;
  /** Resolves when the server has read everything published so far. */
  flush(): Promise<void>;
  /** Grows with each publish of this room that the server refused. */
  refusals: number;
  stop(): void;
}

export interface RoomWireDeps {
  readonly bus: BusLink;
  readonly room: RoomId;
  /** Does the room keep its frames, so that the server says where each stands? */
  readonly persists: () => boolean;
  readonly subjects: () => { readonly publish: string; readonly subscribe: string };
  readonly onArrival: (arrival: Arrival) => void;
  /** The server ended the subscription and kept the connection: nothing is heard until `listen`. */
  readonly onEnded: () => void;
}

export function createRoomWire(deps: RoomWireDeps): RoomWire {
  let subscription: Subscription | undefined;
  let on: Link | undefined;

  async function subscribeOnce(link: Link): Promise<boolean> {
    const subject = deps.subjects().subscribe;
    let refused = false;
    const fresh = link.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) deps.onArrival(toArrival(message, deps.persists()));
        else if (subscription === fresh) {
          subscription = undefined;
          deps.onEnded();
        } else refused = true;
      },
    });
    await link.connection.flush();
    if (refused) return false;
    const old = subscription;
    subscription = fresh;
    on = link;
    if (old !== undefined && !old.isClosed()) old.unsubscribe();
    return true;
  }

  const connection = () => {
    const link = deps.bus.current;
    if (link === undefined) throw new AppError("nats.unavailable", { detail: "not connected" });
    return link.connection;
  };

  return {
    refusals: 0,
    get heard() {
      return on !== undefined;
    },
    get listening() {
      return subscription !== undefined && !subscription.isClosed() && on === deps.bus.current;
    },
    async listen(link) {
      const deadline = performance.now() + limits.aclCatchUpMs;
      for (let waitMs = 10; !(await subscribeOnce(link)); waitMs = Math.min(waitMs * 2, 200)) {
        if (performance.now() > deadline)
          throw new AppError("auth.forbidden", { permission: "room.read", who: `An owner of the room ${deps.room}` });
        await pause(waitMs);
      }
    },
    publish: (bytes) => connection().publish(deps.subjects().publish, bytes),
    flush: () => connection().flush(),
    stop() {
      if (subscription !== undefined && !subscription.isClosed()) subscription.unsubscribe();
      subscription = undefined;
    },
  };
}

function toArrival(message: Msg, persists: boolean): Arrival {
  // The library reuses nothing of its receive buffer for `data`, but it may be a view on a larger one.
  const bytes = message.data as Uint8Array<ArrayBuffer>;
  if (!persists) return { bytes, seq: undefined, previous: undefined };
  const { seq, previous } = echoPlace(message);
  return { bytes, seq, previous };
}
