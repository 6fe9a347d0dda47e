/** What a room takes once one is founded, opened or counted: keys, frames, history. Loaded then, because it is large and many pages show no room. */
export { foundRoom } from "./found-room.ts";
export { openRoomCore } from "./room-core.ts";
export { openRoom } from "./room-handle.ts";
export { countUnread } from "./room-unread.ts";
