/**
 * The rooms of a chat: which is in front, what waits in the others.
 *
 * Invariant: each event is shown once, in the room it belongs to; a room in the back counts its unread messages and keeps its last lines for the
 * moment it comes to the front.
 */
import type { AlthingClient, RoomEvent, RoomHandle } from "@althing/client";
import { memberNames, openRoomOf } from "../open-room.ts";
import { eventText } from "../room-text.ts";

const keptLines = 200;
const firstHistory = 20;

export interface ChatRoom {
  readonly handle: RoomHandle;
  readonly lines: string[];
  readonly seen: Set<string>;
  unread: number;
  members: number;
  refreshMembers(): Promise<void>;
  close(): Promise<void>;
}

export interface ChatRoomsOptions {
  readonly client: AlthingClient;
  /** A line for a room; `front` says whether it is the one being looked at. */
  readonly onLine: (room: ChatRoom, line: string, front: boolean) => void;
  readonly onChange: () => void;
}

export interface ChatRooms {
  readonly all: ReadonlyMap<string, ChatRoom>;
  readonly front: ChatRoom | undefined;
  /** Opens the room unless it is open. @throws {room.not_found} */
  open(name: string): Promise<ChatRoom>;
  bringToFront(room: ChatRoom): void;
  forget(room: ChatRoom): Promise<void>;
  /** Own messages come back as events or not, depending on timing: shown once either way. */
  show(room: ChatRoom, event: RoomEvent): void;
  close(): Promise<void>;
}

export function createChatRooms({ client, onLine, onChange }: ChatRoomsOptions): ChatRooms {
  const all = new Map<string, ChatRoom>();
  let front: ChatRoom | undefined;
  let closing = false;

  const put = (room: ChatRoom, line: string): void => {
    room.lines.push(line);
    if (room.lines.length > keptLines) room.lines.shift();
    onLine(room, line, room === front);
  };

  const open = async (name: string): Promise<ChatRoom> => {
    const known = all.get(name) ?? [...all.values()].find((room) => room.handle.id === name);
    if (known !== undefined) return known;
    const handle = await openRoomOf(client, name);
    const { names, refresh } = memberNames(handle);
    const room: ChatRoom = {
      handle,
      lines: [],
      seen: new Set(),
      unread: 0,
      members: 0,
      async refreshMembers() {
        await refresh();
        this.members = (await handle.members()).length;
        onChange();
      },
      close: async () => undefined,
    };
    const take = (event: RoomEvent): void => {
      if (event.kind === "message") {
        if (room.seen.has(seenKey(event))) return;
        room.seen.add(seenKey(event));
        if (room !== front) room.unread += 1;
      } else if (event.kind === "epoch") {
        void room.refreshMembers().catch(() => undefined);
      }
      put(room, eventText(event, names));
      onChange();
    };
    shown.set(room, take);
    all.set(handle.name, room);
    await room.refreshMembers();
    const info = await handle.info();
    if (info.policy.persist)
      for (const event of await handle.history({ last: firstHistory })) remember(room, event, (line) => room.lines.push(line), names);
    const subscription = await handle.subscribe(take, { since: "cursor" });
    room.close = () => subscription.close();
    void subscription.done.catch(() => undefined).then(() => leave(room));
    return room;
  };

  /** The subscription ended by itself: this person was removed, or the room was deleted. */
  const leave = async (room: ChatRoom): Promise<void> => {
    if (closing || all.get(room.handle.name) !== room) return;
    put(room, `-- you are no longer in ${room.handle.name} --`);
    await forget(room);
  };

  const forget = async (room: ChatRoom): Promise<void> => {
    all.delete(room.handle.name);
    shown.delete(room);
    if (front === room) front = [...all.values()][0];
    await room.close();
    onChange();
  };

  const shown = new Map<ChatRoom, (event: RoomEvent) => void>();
  return {
    all,
    get front() {
      return front;
    },
    open,
    bringToFront(room) {
      front = room;
      room.unread = 0;
      onChange();
    },
    forget,
    show: (room, event) => shown.get(room)?.(event),
    async close() {
      closing = true;
      await Promise.allSettled([...all.values()].map((room) => room.close()));
    },
  };
}

/** Ids are the sender's choice: the same id from somebody else is another message, or one person could hide another's. */
function seenKey(event: { readonly id: string; readonly sender: string }): string {
  return `${event.sender}/${event.id}`;
}

/** History at the start: into the buffer, not counted as unread. */
function remember(room: ChatRoom, event: RoomEvent, keep: (line: string) => void, names: (endpoint: string) => string | undefined): void {
  if (event.kind === "message") room.seen.add(seenKey(event));
  keep(eventText(event, names));
}
