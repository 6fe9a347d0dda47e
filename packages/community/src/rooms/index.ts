/** Face of the rooms of communities. */
export { createCommunityRooms, type CommunityRoomsDeps } from "./community-rooms.ts";
