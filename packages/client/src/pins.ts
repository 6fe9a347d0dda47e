/**
 * Who is who, for ever: handle → endpoint, kept in the client's state.
 *
 * Invariant: an identity is used only after its endpoint id was computed from its key and its key card verified; a handle that once meant one key
 * never means another. Pins are merged by union, and a contradiction is an error, never a choice.
 */
import {
  AppError,
  isExtensionHandle,
  type EndpointId,
  type Handle,
  type KeyCard,
  type KexPub,
  type PublicIdentity,
  type SignPub,
} from "@althing/contract";
import { endpointOf, verifyKeyCard } from "@althing/crypto";
import type { ClientState } from "./state.ts";

export interface Pins {
  /** @throws {pin.changed} the handle is pinned to another endpoint */
  pin(handle: Handle, endpoint: EndpointId): Promise<void>;
  /** Many at once, written once. @throws {pin.changed} the first contradiction; then none is added */
  pinAll(all: readonly { readonly handle: Handle; readonly endpoint: EndpointId }[]): Promise<void>;
  pinned(handle: Handle): Promise<EndpointId | undefined>;
  /** Is any handle pinned to it? */
  knows(endpoint: EndpointId): Promise<boolean>;
  /** Verifies what a server says about somebody. @throws {pin.forged} {pin.changed} */
  check(identity: PublicIdentity): Promise<PublicIdentity>;
  /** Room names are pinned likewise, to the room's id. @throws {pin.changed} */
  pinRoom(name: string, room: string): Promise<void>;
  unpinRoom(name: string): Promise<void>;
}

interface Table {
  readonly handles: Readonly<Record<string, string>>;
  readonly rooms: Readonly<Record<string, string>>;
}

export function createPins(state: ClientState): Pins {
  let known: Promise<Table> | undefined;
  const table = () => (known ??= state.load("pins").then(readTable));

  async function add(kind: keyof Table, wanted: readonly (readonly [name: string, value: string])[]): Promise<void> {
    const fresh = unknownOf((await table())[kind], wanted);
    if (fresh.length === 0) return;
    let merged: Table | undefined;
    await state.update("pins", (stored) => {
      const current = readTable(stored);
      merged = { ...current, [kind]: { ...current[kind], ...Object.fromEntries(unknownOf(current[kind], fresh)) } };
      return merged;
    });
    if (merged !== undefined) known = Promise.resolve(merged);
  }

  const pin = (handle: Handle, endpoint: EndpointId) => pinAll([{ handle, endpoint }]);
  /** Extensions are not pinned: each community has its own of the same name, and whose keys they are, the server's, their name says. */
  const pinAll = (all: readonly { readonly handle: Handle; readonly endpoint: EndpointId }[]) =>
    add(
      "handles",
      all.filter(({ handle }) => !isExtensionHandle(handle)).map((one) => [one.handle, one.endpoint] as const),
    );
  return {
    pin,
    pinAll,
    async pinned(handle) {
      const { handles } = await table();
      // A handle may be called like something every object has ("constructor").
      return Object.hasOwn(handles, handle) ? (handles[handle] as EndpointId) : undefined;
    },
    knows: async (endpoint) => Object.values((await table()).handles).includes(endpoint),
    async check(identity) {
      await checkKeys(identity.handle, identity.signPub, identity.endpoint, identity.keys);
      await pin(identity.handle, identity.endpoint);
      return identity;
    },
    pinRoom: (name, room) => add("rooms", [[name, room]]),
    async unpinRoom(name) {
      await state.update("pins", (stored) => {
        const { [name]: _removed, ...rooms } = readTable(stored).rooms;
        return { ...readTable(stored), rooms };
      });
      known = undefined;
    },
  };
}

/** @throws {pin.forged} the endpoint is not the key's, or the card is not signed by it */
export async function checkKeys(who: string, signPub: SignPub, endpoint: EndpointId, card: KeyCard | undefined): Promise<void> {
  if ((await endpointOf(signPub)) !== endpoint) throw new AppError("pin.forged", { handle: who });
  if (card !== undefined && !(await verifyKeyCard(signPub, card))) throw new AppError("pin.forged", { handle: who });
}

/** The keys of somebody to whom a room key is going to be sealed. @throws {room.no_keys} none published */
export function kexPubOf(identity: PublicIdentity): KexPub {
  if (identity.keys === undefined) throw new AppError("room.no_keys", { handle: identity.handle });
  return identity.keys.kexPub;
}

function unknownOf(known: Readonly<Record<string, string>>, wanted: readonly (readonly [name: string, value: string])[]) {
  return wanted.filter(([name, value]) => {
    const before = Object.hasOwn(known, name) ? known[name] : undefined;
    if (before !== undefined && before !== value) throw changed(name, before, value);
    return before === undefined;
  });
}

function readTable(stored: unknown): Table {
  if (stored === undefined) return { handles: {}, rooms: {} };
  if (
    typeof stored === "object" &&
    stored !== null &&
    "handles" in stored &&
    "rooms" in stored &&
    isNames(stored.handles) &&
    isNames(stored.rooms)
  ) {
    return { handles: stored.handles, rooms: stored.rooms };
  }
  throw new AppError("state.corrupt", { path: "pins", detail: "it has another form" });
}

function isNames(value: unknown): value is Record<string, string> {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string");
}

function changed(handle: string, pinned: string, observed: string): AppError {
  return new AppError("pin.changed", { handle, pinned, observed });
}
