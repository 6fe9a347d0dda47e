/** Screens of this area. */
export { CommunityRoomPage, InstanceRoomPage } from "./room-page.tsx";
export { CommunityRoomsPage, InstanceRoomsPage } from "./rooms-page.tsx";
