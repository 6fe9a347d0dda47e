/** The list of a room's members must tell who is in it from who went and from who was only asked. */
import type { Member } from "@althing/client";
import { endpointIdSchema, handleSchema, signPubSchema } from "@althing/contract";
import { expect, it } from "vitest";
import { memberRows } from "./room-text.ts";

const member = (handle: string, digit: string, more: Partial<Member> = {}): Member => ({
  endpoint: endpointIdSchema.parse("A".repeat(41) + digit + "A"),
  signPub: signPubSchema.parse(digit.repeat(64)),
  handle: handleSchema.parse(handle),
  ...{ kind: "person", role: "member", joined: true, ...more },
});

it("who is out is marked as out and not as somebody who has yet to accept, whether they left before or after accepting", () => {
  const members = [
    member("ann", "1", { role: "owner" }),
    member("ben", "2", { joined: false }),
    member("cleo", "3", { joined: false }),
    member("dora", "4"),
  ];
  const rows = memberRows(members, { gone: members.slice(2).map(({ endpoint }) => endpoint) });
  expect(rows.map((row) => row.slice(0, 3))).toEqual([
    ["ann", "owner", ""],
    ["ben", "member", "has not accepted yet"],
    ["cleo", "member", "is out: new keys are due"],
    ["dora", "member", "is out: new keys are due"],
  ]);
});

it("an extension accepts no invitation, and says instead that the server reads along", () => {
  const bot = member("poll", "5", { kind: "extension", joined: false });
  expect(memberRows([bot], { gone: [] })).toEqual([["poll", "extension: the server reads along", "", bot.endpoint]]);
});
