/**
 * Random lives of a room: what the rules allow passes step by step, every single deviation is refused.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { limits, type EndpointId, type Handle, type RoomName, type RoomRole } from "@althing/contract";
import { fc } from "../test/property.ts";
import { encrypted, now, otherRoom, person, room, roomName, type Person } from "../test/people.ts";
import { toBase64url } from "./bytes.ts";
import { sortMembers, type EpochMember, type EpochReason, type EpochRecord } from "./epoch.ts";
import { checkTransition } from "./epoch-transition.ts";

const forged = expect.objectContaining({ code: "epoch.forged" });
const hashOf = (epoch: number) => toBase64url(new Uint8Array(32).fill(epoch % 256));
let people: Person[];
let founder: Person;

beforeAll(async () => {
  people = await Promise.all(Array.from({ length: 12 }, (_, index) => person(`p${index}`)));
  founder = people[0] as Person;
});

function first(members: EpochMember[] = [founder.as("owner")]): EpochRecord {
  const maker = members[0]?.endpoint ?? founder.identity.endpoint;
  const at = new Date(now).toISOString();
  return {
    version: 1,
    suite: "hpke-v1",
    room,
    name: roomName,
    policy: encrypted,
    epoch: 1,
    previous: null,
    reason: "create",
    members: sortMembers(members),
    maker,
    at,
    keyCheck: hashOf(1),
  };
}

function follow(previous: EpochRecord, maker: EndpointId, reason: EpochReason, members: EpochMember[]): EpochRecord {
  return {
    ...previous,
    epoch: previous.epoch + 1,
    previous: hashOf(previous.epoch),
    reason,
    maker,
    members: sortMembers(members),
    keyCheck: hashOf(previous.epoch + 1),
  };
}

function outcome(previous: EpochRecord, next: EpochRecord, gone?: ReadonlySet<EndpointId>): "accepted" | "refused" {
  try {
    checkTransition(previous, next, hashOf(previous.epoch), gone);
    return "accepted";
  } catch (error) {
    expect(error).toMatchObject({ code: "epoch.forged" });
    return "refused";
  }
}

const [o, m, p] = ["owner", "moderator", "member"] as const satisfies RoomRole[];

describe("the first record", () => {
  it("is made by an owner who is in it", () => {
    expect(() => checkTransition(null, first(), null)).not.toThrow();
  });

  it.each<[string, (record: EpochRecord) => EpochRecord]>([
    ["epoch 2", (record) => ({ ...record, epoch: 2 })],
    ["a previous hash", (record) => ({ ...record, previous: hashOf(0) })],
    ["another reason", (record) => ({ ...record, reason: "invite" })],
    ["a maker outside", (record) => ({ ...record, maker: (people[5] as Person).identity.endpoint })],
    ["no owner", (record) => ({ ...record, members: [founder.as("moderator")] })],
    [
      "a maker who is no owner",
      (record) => ({ ...record, members: sortMembers([founder.as("member"), (people[1] as Person).as("owner")]) }),
    ],
    ["nobody", (record) => ({ ...record, members: [] })],
  ])("is refused with %s", (_what, change) => {
    expect(() => checkTransition(null, change(first()), null)).toThrow(forged);
  });
});

describe("who may do what", () => {
  /** Maker's role, reason, role of the person it is about, verdict. */
  const cells: [RoomRole, EpochReason, RoomRole, "accepted" | "refused"][] = [];
  for (const reason of ["invite", "join", "kick"] as const) {
    cells.push([o, reason, o, "accepted"], [o, reason, m, "accepted"], [o, reason, p, "accepted"]);
    cells.push([m, reason, o, "refused"], [m, reason, m, "refused"], [m, reason, p, "accepted"]);
    cells.push([p, reason, o, "refused"], [p, reason, m, "refused"], [p, reason, p, "refused"]);
  }
  for (const reason of ["leave", "rekey"] as const)
    for (const maker of [o, m, p]) for (const about of [o, m, p]) cells.push([maker, reason, about, "accepted"]);
  for (const about of [o, m, p])
    cells.push(
      [o, "role", about, "accepted"],
      [m, "role", about, "refused"],
      [p, "role", about, "refused"],
      [o, "create", about, "refused"],
    );

  it.each(cells)("a %s makes a record for %s about a %s: %s", (makerRole, reason, aboutRole, verdict) => {
    const maker = people[1] as Person;
    const about = people[2] as Person;
    const before = [founder.as("owner"), maker.as(makerRole)];
    const adds = reason === "invite" || reason === "join" || reason === "create";
    const previous = first(adds ? before : [...before, about.as(reason === "role" && aboutRole === "owner" ? "member" : aboutRole)]);
    const changed = reason === "role" ? (aboutRole === "owner" ? "owner" : aboutRole === "member" ? "moderator" : "member") : aboutRole;
    const after = adds ? [...before, about.as(aboutRole)] : reason === "role" ? [...before, about.as(changed)] : before;
    expect(outcome(previous, follow(previous, maker.identity.endpoint, reason, after))).toBe(verdict);
  });

  it("anybody renews the key; removing is for those who are gone, where that is known", () => {
    const [, bob, carol] = people as [Person, Person, Person];
    const previous = first([founder.as("owner"), bob.as("member"), carol.as("member")]);
    const bobs = (members: EpochMember[], reason: EpochReason = "rekey") => follow(previous, bob.identity.endpoint, reason, members);
    expect(outcome(previous, bobs([...previous.members]), new Set())).toBe("accepted");
    const withoutCarol = [founder.as("owner"), bob.as("member")];
    expect(outcome(previous, bobs(withoutCarol), new Set([carol.identity.endpoint]))).toBe("accepted");
    expect(outcome(previous, bobs(withoutCarol), new Set())).toBe("refused");
    expect(outcome(previous, bobs(withoutCarol, "leave"), new Set([founder.identity.endpoint]))).toBe("refused");
    expect(outcome(previous, bobs([...previous.members], "leave"), new Set())).toBe("refused");
  });

  it("the last owner cannot step down, and is dropped only as somebody who is gone", () => {
    const bob = people[1] as Person;
    const gone = new Set([founder.identity.endpoint]);
    const previous = first([founder.as("owner"), bob.as("moderator")]);
    for (const reason of ["leave", "rekey"] as const) {
      const alone = follow(previous, bob.identity.endpoint, reason, [bob.as("moderator")]);
      expect(outcome(previous, alone, gone)).toBe("accepted");
      expect(outcome(previous, alone)).toBe("accepted");
      expect(outcome(previous, alone, new Set())).toBe("refused");
    }
    expect(outcome(previous, follow(previous, bob.identity.endpoint, "kick", [bob.as("moderator")]), gone)).toBe("refused");
    expect(outcome(previous, follow(previous, founder.identity.endpoint, "role", [founder.as("member"), bob.as("moderator")]))).toBe(
      "refused",
    );
    expect(outcome(previous, follow(previous, founder.identity.endpoint, "role", [founder.as("member"), bob.as("owner")]))).toBe(
      "accepted",
    );
  });

  it("nobody takes a seat on the way: a record that drops the owner makes no other one", () => {
    const bob = people[1] as Person;
    const previous = first([founder.as("owner"), bob.as("moderator")]);
    for (const reason of ["leave", "rekey", "kick", "role"] as const)
      for (const gone of [undefined, new Set([founder.identity.endpoint])])
        expect(outcome(previous, follow(previous, bob.identity.endpoint, reason, [bob.as("owner")]), gone)).toBe("refused");
  });

  it("in a room without an owner moderators go on with plain members, everybody renews the key, and nobody becomes owner", () => {
    const [, bob, carol, dan] = people as [Person, Person, Person, Person];
    const [bobIs, carolIs] = [bob.as("moderator"), carol.as("member")];
    const previous = first([bobIs, carolIs]);
    const by = (maker: Person, reason: EpochReason, members: EpochMember[]) =>
      outcome(previous, follow(previous, maker.identity.endpoint, reason, members));
    expect(by(bob, "invite", [bobIs, carolIs, dan.as("member")])).toBe("accepted");
    expect(by(bob, "kick", [bobIs])).toBe("accepted");
    expect(by(carol, "rekey", [bobIs, carolIs])).toBe("accepted");
    expect(by(carol, "leave", [carolIs])).toBe("accepted");
    for (const role of [o, m]) {
      expect(by(bob, "invite", [bobIs, carolIs, dan.as(role)])).toBe("refused");
      expect(by(bob, "join", [bobIs, carolIs, dan.as(role)])).toBe("refused");
      expect(by(bob, "role", [bobIs, carol.as(role)])).toBe("refused");
      expect(by(carol, "role", [bobIs, carol.as(role)])).toBe("refused");
    }
    expect(by(bob, "role", [bob.as("owner"), carolIs])).toBe("refused");
    expect(by(carol, "invite", [bobIs, carolIs, dan.as("member")])).toBe("refused");
    expect(by(carol, "kick", [carolIs])).toBe("refused");
  });

  it("a maker that the record removes is refused, one that was never in is refused", () => {
    const [, bob, carol] = people as [Person, Person, Person];
    const previous = first([founder.as("owner"), bob.as("owner")]);
    expect(outcome(previous, follow(previous, bob.identity.endpoint, "leave", [founder.as("owner")]))).toBe("refused");
    expect(outcome(previous, follow(previous, carol.identity.endpoint, "rekey", [...previous.members]))).toBe("refused");
    expect(outcome(previous, follow(previous, carol.identity.endpoint, "join", [...previous.members, carol.as("owner")]))).toBe("refused");
  });

  it("a room takes its limit of members and not one more", () => {
    const sized = (count: number): EpochMember[] =>
      sortMembers([
        founder.as("owner"),
        ...Array.from({ length: count - 1 }, (_, index) => ({
          ...founder.as("member"),
          endpoint: `Z${String(index).padStart(42, "0")}` as EndpointId,
        })),
      ]);
    const previous = { ...first(), members: sized(limits.roomMembersMax - 1) };
    expect(outcome(previous, { ...follow(previous, founder.identity.endpoint, "invite", []), members: sized(limits.roomMembersMax) })).toBe(
      "accepted",
    );
    const full = { ...first(), members: sized(limits.roomMembersMax) };
    expect(outcome(full, { ...follow(full, founder.identity.endpoint, "invite", []), members: sized(limits.roomMembersMax + 1) })).toBe(
      "refused",
    );
  });
});

interface Draw {
  readonly reason: EpochReason;
  readonly maker: number;
  readonly target: number;
  readonly role: RoomRole;
}

const life = fc.array(
  fc.record<Draw>({
    reason: fc.constantFrom<EpochReason>("invite", "join", "kick", "leave", "rekey", "role"),
    maker: fc.nat({ max: 5 }),
    target: fc.nat({ max: 7 }),
    role: fc.constantFrom<RoomRole>("owner", "moderator", "member"),
  }),
  { minLength: 20, maxLength: 60, size: "max" },
);

/** The rules once more, said in another way: what an act needs. Undefined: it is not allowed, or changes nothing. */
function lawful(previous: EpochRecord, { reason, maker, target, role }: Draw): EpochRecord | undefined {
  const actor = previous.members.find(({ endpoint }) => endpoint === (people[maker] as Person).identity.endpoint);
  const subject = people[target] as Person;
  const present = previous.members.find(({ endpoint }) => endpoint === subject.identity.endpoint);
  if (actor === undefined || maker === target) return undefined;
  const rest = previous.members.filter(({ endpoint }) => endpoint !== subject.identity.endpoint);
  const over = (other: RoomRole) => actor.role === "owner" || (actor.role === "moderator" && other === "member");
  if (reason === "invite" || reason === "join")
    return present === undefined && over(role) ? follow(previous, actor.endpoint, reason, [...rest, subject.as(role)]) : undefined;
  if (reason === "rekey") return follow(previous, actor.endpoint, reason, [...previous.members]);
  if (present === undefined) return undefined;
  if (reason === "role") {
    const next = [...rest, subject.as(role)];
    return actor.role === "owner" && present.role !== role && next.some((member) => member.role === "owner")
      ? follow(previous, actor.endpoint, reason, next)
      : undefined;
  }
  return reason === "leave" || over(present.role) ? follow(previous, actor.endpoint, reason, [...rest]) : undefined;
}

const isOwned = (record: EpochRecord) => record.members.some((member) => member.role === "owner");

/** Single deviations; each must be refused whatever the record. */
function deviations(previous: EpochRecord, next: EpochRecord): [string, EpochRecord][] {
  const stranger = people.find(
    ({ identity }) =>
      !previous.members.some(({ endpoint }) => endpoint === identity.endpoint) &&
      !next.members.some(({ endpoint }) => endpoint === identity.endpoint),
  );
  const [head, ...tail] = next.members as [EpochMember, ...EpochMember[]];
  const changed: [string, EpochRecord][] = [
    ["another room", { ...next, room: otherRoom }],
    ["another name", { ...next, name: "meadow" as RoomName }],
    ["encryption off", { ...next, policy: { ...next.policy, encrypt: false } }],
    ["signatures off", { ...next, policy: { ...next.policy, sign: false } }],
    ["persistence off", { ...next, policy: { ...next.policy, persist: false } }],
    ["shared history", { ...next, policy: { ...next.policy, history: "shared" } }],
    ["an epoch skipped", { ...next, epoch: next.epoch + 1 }],
    ["the same epoch again", { ...next, epoch: previous.epoch }],
    ["another record before", { ...next, previous: hashOf(previous.epoch + 7) }],
    ["no record before", { ...next, previous: null }],
    ["a second creation", { ...next, reason: "create" }],
    ["another version", { ...next, version: 2 as 1 }],
    ["another suite", { ...next, suite: "mls-v1" as "hpke-v1" }],
    ["a member twice", { ...next, members: [head, head, ...tail] }],
    ["nobody left", { ...next, members: [] }],
    [
      "another handle",
      {
        ...next,
        members: next.members.map((member) => (member.endpoint === next.maker ? { ...member, handle: "other" as Handle } : member)),
      },
    ],
    [
      "another kex key",
      {
        ...next,
        members: next.members.map((member) =>
          member.endpoint === next.maker
            ? {
                ...member,
                kexPub:
                  (people[11] as Person).identity.kexPub === member.kexPub
                    ? founder.identity.kexPub
                    : (people[11] as Person).identity.kexPub,
              }
            : member,
        ),
      },
    ],
  ];
  if (tail.length > 0) changed.push(["unsorted members", { ...next, members: next.members.toReversed() }]);
  if (stranger !== undefined) {
    changed.push(["a stranger as maker", { ...next, maker: stranger.identity.endpoint }]);
    const adds = next.reason === "invite" || next.reason === "join";
    if (!adds) changed.push(["a silent member", { ...next, members: sortMembers([...next.members, stranger.as("member")]) }]);
  }
  return changed;
}

describe("random lives of a room", () => {
  it("every lawful step passes and every single deviation from it is refused", () => {
    let lawfulSteps = 0;
    let ownerlessSteps = 0;
    fc.assert(
      fc.property(life, fc.boolean(), (draws, owned) => {
        const roles = owned ? [o, o, m, p] : [m, m, p, p];
        let current = first(roles.map((role, index) => (people[index] as Person).as(role)));
        current = { ...current, maker: founder.identity.endpoint };
        for (const draw of draws) {
          const next = lawful(current, draw);
          if (next === undefined) continue;
          lawfulSteps += 1;
          if (!isOwned(current)) {
            ownerlessSteps += 1;
            expect([draw, isOwned(next)]).toEqual([draw, false]);
          }
          expect([draw, outcome(current, next)]).toEqual([draw, "accepted"]);
          for (const [what, changed] of deviations(current, next))
            expect([what, draw, outcome(current, changed)]).toEqual([what, draw, "refused"]);
          current = next;
        }
      }),
      { numRuns: 150 },
    );
    expect(lawfulSteps).toBeGreaterThan(500);
    expect(ownerlessSteps).toBeGreaterThan(200);
  });
});

describe("an extension, whose keys the server holds,", () => {
  const extension = (role: RoomRole): EpochMember => ({ ...(people[1] as Person).as(role), handle: "ext:org.example.bell" as Handle });
  const check = (previous: EpochRecord | null, next: EpochRecord) => () =>
    checkTransition(previous, next, previous === null ? null : hashOf(previous.epoch));

  it("comes in by an owner's or moderator's record, as a plain member and nothing more", () => {
    const start = first();
    const owner = founder.identity.endpoint;
    expect(check(start, follow(start, owner, "invite", [...start.members, extension("member")]))).not.toThrow();
    for (const role of ["moderator", "owner"] as const)
      expect(check(start, follow(start, owner, "invite", [...start.members, extension(role)]))).toThrow(forged);
    const inside = follow(start, owner, "invite", [...start.members, extension("member")]);
    expect(check(inside, follow(inside, owner, "role", [...start.members, extension("moderator")]))).toThrow(forged);
    expect(check(null, { ...first([extension("owner")]) })).toThrow(forged);
  });

  it("makes no record, not even one that only renews the key", () => {
    const start = first();
    const inside = follow(start, founder.identity.endpoint, "invite", [...start.members, extension("member")]);
    const { endpoint } = extension("member");
    expect(check(inside, follow(inside, endpoint, "rekey", [...inside.members]))).toThrow(forged);
    expect(check(inside, follow(inside, endpoint, "leave", [extension("member")]))).toThrow(forged);
    expect(check(inside, follow(inside, founder.identity.endpoint, "kick", [...start.members]))).not.toThrow();
  });
});
