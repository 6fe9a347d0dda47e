/** How screens reach the rooms that are open: the stores of this page, and one room's snapshot. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import type { Room, RoomId } from "@althing/contract";
import { readAgain } from "../app/calls.ts";
import { useSession, useSessionStore } from "../app/session.tsx";
import type { RoomSnapshot, RoomStore } from "./room-store.ts";
import { roomStoresOf, type RoomStores } from "./room-stores.ts";

export function useRoomStores(): RoomStores {
  const { client } = useSession();
  const session = useSessionStore();
  const queries = useQueryClient();
  return roomStoresOf({ client, judge: (error) => session.judge(error), onNotice: () => void readAgain(queries, ["rooms."]) });
}

export function useRoomSnapshot(store: RoomStore): RoomSnapshot {
  return useSyncExternalStore(store.subscribe, () => store.snapshot);
}

/** Unread messages by room; those of `rooms` are counted where they are not open. */
export function useUnread(rooms: readonly Room[] | undefined): ReadonlyMap<RoomId, number> {
  const stores = useRoomStores();
  const told = rooms?.map(({ id, lastSeq, joined }) => `${id} ${lastSeq} ${joined}`).join();
  useEffect(() => {
    if (rooms !== undefined) stores.note(rooms);
    // `rooms` is a new list at every drawing; what counts is how far they are.
  }, [stores, told]);
  return useSyncExternalStore(stores.subscribe, () => stores.unread);
}

/** Is the screen wide enough for two columns? */
const wide = matchMedia("(min-width: 64rem)");
const onWide = (listener: () => void) => {
  wide.addEventListener("change", listener);
  return () => wide.removeEventListener("change", listener);
};

export function useIsWide(): boolean {
  return useSyncExternalStore(onWide, () => wide.matches);
}
