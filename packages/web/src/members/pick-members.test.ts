/** Searching members: whatever somebody types. */
import { handleSchema } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { pickMembers } from "./pick-members.ts";

const member = (handle: string, ...roles: string[]) => ({ handle: handleSchema.parse(handle), roles });
const people = [member("carol", "member"), member("bob", "owner", "member"), member("bo.b-2", "observer")];
const handles = (text: string, role = "") => pickMembers(people, { text, role }).map(({ handle }) => handle);

describe("pickMembers", () => {
  it("shows everybody by handle when nothing is asked", () => {
    expect(handles("")).toEqual(["bo.b-2", "bob", "carol"]);
  });

  it("finds parts of handles whatever the case, the space around and an @ before", () => {
    expect(handles(" @BO ")).toEqual(["bo.b-2", "bob"]);
    expect(handles("o.b")).toEqual(["bo.b-2"]);
    expect(handles("(.*")).toEqual([]);
  });

  it("keeps to a role, and finds nobody for a role that nobody has", () => {
    expect(handles("", "member")).toEqual(["bob", "carol"]);
    expect(handles("b", "member")).toEqual(["bob"]);
    expect(handles("", "gardener")).toEqual([]);
  });
});
