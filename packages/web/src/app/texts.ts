/** Texts of the frame around every screen. */
import { defineTexts } from "./i18n.ts";

export const useAppTexts = defineTexts("app", {
  skip: "Skip to content",
  home: "Home",
  yourRooms: "Rooms",
  instance: "Instance",
  identity: "Identity",
  menu: "Menu",
  closeMenu: "Close menu",
  mainNav: "Althing",
  communityNav: "Community",
  extensions: "Extensions",
  someOf: "{{names}} and others",
  theseCan: "These can: {{who}}.",
  adminsCan: "An admin of the community can.",
  connection: {
    lost: "Not connected. What is on the screen may be old; trying again by itself.",
    back: "Connected again.",
  },
  nav: {
    overview: "Overview",
    rooms: "Rooms",
    proposals: "Proposals",
    delegation: "Delegation",
    announcements: "Announcements",
    members: "Members",
    moderation: "Moderation",
    events: "Events",
    plugins: "Plugins",
    settings: "Settings",
  },
  notFound: {
    title: "There is no such page",
    text: "The address leads nowhere. Perhaps it was cut when it was copied.",
    home: "To the start",
  },
  broken: {
    title: "This part of the page broke",
    again: "Load it again",
  },
  communityRefused: "This community cannot be shown",
  doorHere: "Would you like to join, or did you ask already?",
  doorLook: "Look at its door",
  removedHere: "Were you removed by a moderator?",
  removedWhy: "Read why, and appeal",
});
