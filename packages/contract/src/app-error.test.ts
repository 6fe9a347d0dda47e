import { expect, it } from "vitest";
import { AppError, communityPermissions, instancePermissions, permissionWords, roomPermissions } from "./index.ts";

it.each([
  ["rooms.use", "You lack the permission to use the rooms one is in (rooms.use)."],
  ["room.kick", "You lack the permission to remove members of a lower role (room.kick)."],
  ["proposals.create", "You lack the permission to make proposals (proposals.create)."],
  ["ext.org.example.park.edit", "You lack ext.org.example.park.edit."],
  ["ownership of this community", "You lack ownership of this community."],
  ["constructor", "You lack constructor."],
])("what is lacking is said in words, and by the name that whoever grants it knows: %s", (permission, message) => {
  expect(new AppError("auth.forbidden", { permission, who: "An owner" }).message).toBe(message);
});

it("has words for every permission", () => {
  for (const name of [instancePermissions, communityPermissions, roomPermissions].flatMap(Object.keys))
    expect(permissionWords(name), name).toMatch(/^[a-z].*[a-z]$/);
});
