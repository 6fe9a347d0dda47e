/**
 * Lies about who is in a room, under which policy and key.
 */
import type { Epoch, EpochProposal, Room, RoomId, RoomMember } from "@althing/contract";
import {
  decodeEpoch,
  encodeEpoch,
  fromBase64url,
  identityFromSeeds,
  proposeEpoch,
  randomBytes,
  sortMembers,
  toBase64url,
  type EpochRecord,
  type Identity,
} from "@althing/crypto";
import { expect } from "vitest";
import { lieAbout, type FoundRoom, type HostileWorld } from "./hostile-world.ts";
import { expectHeard, expectRefused, expectWarned, messagesHeard, must, type Scenario } from "./scenario.ts";

interface EpochsAnswer {
  epochs: Epoch[];
  next?: number;
}

const ghostOf = () => identityFromSeeds({ signSeed: randomBytes(32), kexSeed: randomBytes(32) });

function memberOf(identity: Identity, handle: string): EpochRecord["members"][number] {
  return { endpoint: identity.endpoint, signPub: identity.signPub, kexPub: identity.kexPub, handle: handle as never, role: "member" };
}

/** The newest record as the server keeps it. */
async function newest(world: HostileWorld, room: FoundRoom): Promise<{ entry: Epoch; record: EpochRecord; hash: string }> {
  const { epochs } = await world.alice.client.call("rooms.epochs", { params: { room: room.alice.id }, query: { limit: 50 } });
  const entry = epochs.at(-1);
  if (entry === undefined) throw new Error("no epoch");
  return { entry, ...decodeEpoch(fromBase64url(entry.record)) };
}

/** Alice's second word under a number that is given already: what an owner who lies along with the server could sign. */
async function secondRecord(world: HostileWorld, room: FoundRoom): Promise<{ proposal: EpochProposal; hash: string; epoch: number }> {
  const before = await newest(world, room);
  const made = await proposeEpoch({
    previous: before,
    room: room.alice.id,
    name: before.record.name,
    policy: before.record.policy,
    members: before.record.members,
    reason: "rekey",
    identity: world.alice.identity,
    now: Date.now(),
    link: false,
  });
  return { proposal: made.proposal, hash: made.hash, epoch: made.record.epoch };
}

/** The page of records as `endpoint` would get it, with another one under this number. */
function withProposal(answer: EpochsAnswer, epoch: number, proposal: EpochProposal, endpoint: string): EpochsAnswer {
  const sealed = proposal.sealed.find((one) => one.endpoint === endpoint);
  return {
    ...answer,
    epochs: answer.epochs.map((entry) =>
      entry.epoch === epoch ? { epoch, record: proposal.record, ...(sealed === undefined ? {} : { sealed }) } : entry,
    ),
  };
}

/** Nothing that reached the server holds these words. */
async function expectNoPlaintext(world: HostileWorld, room: FoundRoom, words: string): Promise<void> {
  const { frames } = await world.alice.client.call("rooms.history", { params: { room: room.alice.id as RoomId }, query: { limit: 1_000 } });
  for (const { frame } of frames) expect(Buffer.from(frame, "base64url").includes(words)).toBe(false);
}

const silentMembers: readonly Scenario[] = [
  {
    name: "a silent member in the list of members is not shown, and is said",
    async run(world, victim) {
      const { name } = await world.foundRoom();
      must(await victim.join(name));
      const ghost = await ghostOf();
      const row = {
        endpoint: ghost.endpoint,
        signPub: ghost.signPub,
        handle: "ghost",
        role: "member",
        joined: true,
        since: new Date().toISOString(),
      };
      world.lie(lieAbout("rooms.members", (answer: { members: RoomMember[] }) => ({ ...answer, members: [...answer.members, row] })));
      expect(must(await victim.members(name))).toEqual(expect.not.arrayContaining(["ghost"]));
      await expectWarned(victim, "epoch.forged");
    },
  },
  {
    name: "a silent member in the epoch record, signed by the ghost itself, is refused, and nothing is sent",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      await room.alice.rekey();
      const ghost = await ghostOf();
      const { record } = await newest(world, room);
      const forged = await encodeEpoch(
        { ...record, reason: "invite", maker: ghost.endpoint, members: sortMembers([...record.members, memberOf(ghost, "ghost")]) },
        ghost,
      );
      world.lie({
        onResponse(route, json) {
          if (route === "rooms.epochs")
            return {
              ...(json as EpochsAnswer),
              epochs: (json as EpochsAnswer).epochs.map((entry) =>
                entry.epoch === record.epoch ? { ...entry, record: toBase64url(forged.bytes) } : entry,
              ),
            };
          return route === "rooms.get" ? { ...(json as Room), epochHash: forged.hash } : json;
        },
      });
      expectRefused(await victim.info(room.name), "epoch.forged");
      await expectWarned(victim, "epoch.forged");
      expectRefused(await victim.send(room.name, "to the ghost"), "epoch.forged");
      expect(must(await victim.members(room.name))).toEqual(expect.not.arrayContaining(["ghost"]));
    },
  },
  {
    name: "a record with a member written in under the owner's signature is refused at first sight as well",
    async run(world, victim) {
      const { name } = await world.foundRoom();
      const ghost = await ghostOf();
      world.lie(
        lieAbout("rooms.epochs", (answer: EpochsAnswer) => ({
          ...answer,
          epochs: answer.epochs.map((entry) => {
            const { record } = decodeEpoch(fromBase64url(entry.record));
            return {
              ...entry,
              record: tampered(entry.record, { ...record, members: sortMembers([...record.members, memberOf(ghost, "ghost")]) }),
            };
          }),
        })),
      );
      const outcome = await victim.join(name);
      expect(outcome.ok === false && /^epoch\.(?:forged|forked)$/.test(outcome.code), JSON.stringify(outcome)).toBe(true);
    },
  },
];

/** Another body under the old signature. */
function tampered(record: string, changed: EpochRecord): string {
  const old = decodeEpoch(fromBase64url(record));
  const handle = old.record.members[0]?.handle ?? "";
  const bytes = Buffer.from(record, "base64url");
  const at = bytes.indexOf(handle);
  // One letter of a name is enough: the form stays canonical, the signature no longer fits.
  bytes[at] = (bytes[at] ?? 0) === 0x7a ? 0x79 : 0x7a;
  expect(changed.members.length).toBeGreaterThan(old.record.members.length);
  return toBase64url(new Uint8Array(bytes));
}

const forksAndRollbacks: readonly Scenario[] = [
  {
    name: "a forked epoch, signed by a real owner, is noticed by the first frame of the other side, and by the pin after a restart",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      const other = await secondRecord(world, room);
      world.lie({
        onResponse(route, json) {
          if (route === "rooms.epochs")
            return withProposal(json as EpochsAnswer, other.epoch, other.proposal, world.victimIdentity.endpoint);
          return route === "rooms.get" && (json as Room).epoch === other.epoch ? { ...(json as Room), epochHash: other.hash } : json;
        },
      });
      await room.alice.rekey();
      expect(must(await victim.info(room.name))).toMatchObject({ epoch: other.epoch });
      await room.bob.send("which side are you on");
      await expectWarned(victim, "epoch.forked");
      expectRefused(await victim.send(room.name, "on no side"), "epoch.forked");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
      world.honest();
      must(await victim.restart());
      expectRefused(await victim.open(room.name), "epoch.forked");
    },
  },
  {
    name: "a room served at an older epoch than was seen is refused, in the same run and after a restart",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      const old = must(await victim.info(room.name)) as Room;
      await room.alice.rekey();
      must(await victim.info(room.name));
      world.lie(lieAbout("rooms.get", () => old));
      expectRefused(await victim.info(room.name), "epoch.rolled_back");
      await expectWarned(victim, "epoch.rolled_back");
      expectRefused(await victim.send(room.name, "under an old key"), "epoch.rolled_back");
      must(await victim.restart());
      expectRefused(await victim.open(room.name), "epoch.rolled_back");
    },
  },
  {
    name: "an epoch that the server hides is noticed by the first frame of it, which is not shown",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      const old = must(await victim.info(room.name)) as Room;
      world.lie({
        onResponse: (route, json) =>
          route === "rooms.get"
            ? old
            : route === "rooms.epochs"
              ? { epochs: (json as EpochsAnswer).epochs.filter((entry) => entry.epoch <= old.epoch) }
              : json,
        onMessage: (subject) => (subject.endsWith(".notice") ? "drop" : "pass"),
      });
      await room.alice.rekey();
      await room.alice.send("in the hidden epoch");
      await expectWarned(victim, "epoch.rolled_back");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
      expectRefused(await victim.send(room.name, "into the past"), "epoch.rolled_back");
    },
  },
];

const keys: readonly Scenario[] = [
  {
    name: "a sealed key that does not open is said, nothing is shown and nothing is sent",
    async run(world, victim) {
      const room = await world.foundRoom();
      world.lie(
        lieAbout("rooms.epochs", (answer: EpochsAnswer) => ({
          ...answer,
          epochs: answer.epochs.map(({ sealed, ...entry }) => ({
            ...entry,
            ...(sealed === undefined ? {} : { sealed: { ...sealed, ct: flipped(sealed.ct) } }),
          })),
        })),
      );
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      await room.alice.send("sealed");
      await expectWarned(victim, "epoch.forged");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
      expectRefused(await victim.send(room.name, "under what key"), "epoch.forged");
    },
  },
  {
    name: "a well sealed but wrong key is said, nothing is shown and nothing is sent",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      const wrong = await secondRecord(world, room);
      const copy = wrong.proposal.sealed.find((one) => one.endpoint === world.victimIdentity.endpoint);
      world.lie(
        lieAbout("rooms.epochs", (answer: EpochsAnswer) => ({
          ...answer,
          epochs: answer.epochs.map((entry) => (entry.epoch === wrong.epoch ? { ...entry, sealed: copy } : entry)),
        })),
      );
      await room.alice.rekey();
      await room.alice.send("under the right key");
      await expectWarned(victim, "epoch.forged");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
      expectRefused(await victim.send(room.name, "under the server's key"), "epoch.forged");
    },
  },
  {
    name: "a key that the server keeps back from a member is said, and nothing is sent",
    async run(world, victim) {
      const room = await world.foundRoom();
      world.lie(
        lieAbout("rooms.epochs", (answer: EpochsAnswer) => ({
          ...answer,
          epochs: answer.epochs.map(({ sealed: _sealed, ...entry }) => entry),
        })),
      );
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      await room.alice.send("not for you, says the server");
      await expectWarned(victim, "epoch.no_key");
      expect(await messagesHeard(victim, room.name)).toEqual([]);
      expectRefused(await victim.send(room.name, "without a key"), "epoch.no_key");
    },
  },
];

function flipped(text: string): string {
  const bytes = Buffer.from(text, "base64url");
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString("base64url");
}

const plain = { encrypt: false, epoch: 0 } as const;
const downgrade = (room: Room): Room => {
  const { epochHash: _hash, epochAt: _at, ...rest } = room;
  return { ...rest, epoch: plain.epoch, policy: { ...room.policy, encrypt: plain.encrypt } };
};

const policies: readonly Scenario[] = [
  {
    name: "a room that was encrypted never gets plaintext, when the server says in the middle of a run that it is not encrypted",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.send(room.name, "sealed words"));
      world.lie({
        onResponse: (route, json) =>
          route === "rooms.get"
            ? downgrade(json as Room)
            : route === "rooms.join"
              ? { status: "joined", room: downgrade((json as { room: Room }).room) }
              : json,
      });
      expectRefused(await victim.join(room.name), "epoch.forged");
      expectRefused(await victim.info(room.name), "epoch.forged");
      expectRefused(await victim.send(room.name, "bare words"), "epoch.forged");
      await expectNoPlaintext(world, room, "words");
    },
  },
  {
    name: "a room that was encrypted never gets plaintext after a restart",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      world.lie(lieAbout("rooms.get", downgrade));
      must(await victim.restart());
      expectRefused(await victim.open(room.name), "epoch.forged");
      expectRefused(await victim.send(room.name, "bare words"), "epoch.forged");
      await expectNoPlaintext(world, room, "words");
    },
  },
  {
    name: "an invitation to an encrypted room cannot be served as one to a room in the clear, even at first sight",
    async run(world, victim) {
      const room = await world.foundRoom();
      world.lie({
        onResponse: (route, json) =>
          route === "rooms.get"
            ? downgrade(json as Room)
            : route === "rooms.join"
              ? { status: "joined", room: downgrade((json as { room: Room }).room) }
              : json,
      });
      expectRefused(await victim.join(room.name), "epoch.forged");
      expectRefused(await victim.send(room.name, "bare words"), "epoch.forged");
      await expectNoPlaintext(world, room, "words");
    },
  },
  {
    name: "a policy other than the signed one (signatures off, history shared) is refused",
    async run(world, victim) {
      const room = await world.foundRoom();
      world.lie({
        onResponse: (route, json) =>
          route === "rooms.get" ? { ...(json as Room), policy: { ...(json as Room).policy, sign: false } } : json,
      });
      expectRefused(await victim.open(room.name), "epoch.forged");
      world.lie({
        onResponse: (route, json) =>
          route === "rooms.get" ? { ...(json as Room), policy: { ...(json as Room).policy, history: "shared" } } : json,
      });
      must(await victim.forget());
      expectRefused(await victim.open(room.name), "epoch.forged");
    },
  },
  {
    name: "one room served under the name of another is refused",
    async run(world, victim) {
      const [garden, yard] = [await world.foundRoom(), await world.foundRoom()];
      must(await victim.join(garden.name));
      must(await victim.join(yard.name));
      const other = must(await victim.info(yard.name)) as Room;
      world.lie(lieAbout("rooms.get", () => ({ ...other, name: garden.name })));
      must(await victim.restart());
      expectRefused(await victim.open(garden.name), "pin.changed");
      must(await victim.forget());
      expectRefused(await victim.open(garden.name), "epoch.forged");
    },
  },
];

const departures: readonly Scenario[] = [
  {
    name: "when a member has left, a server that denies it contradicts its own count, and nothing is sent under the old key",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      world.lie({
        onResponse: (route, json) => (route === "rooms.get" ? { ...(json as Room), rekeyNeeded: false, gone: [] } : json),
        onMessage: (subject) => (subject.endsWith(".notice") ? "drop" : "pass"),
      });
      await room.bob.leave();
      expectRefused(await victim.info(room.name), "epoch.forged");
      await expectWarned(victim, "epoch.forged");
      expectRefused(await victim.send(room.name, "is bob still here"), "epoch.forged");
    },
  },
  {
    name: "a member known to be gone is dropped from the record before the next message, whatever the server says about a need",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      const before = (must(await victim.info(room.name)) as Room).epoch;
      world.lie({ onResponse: (route, json) => (route === "rooms.get" ? { ...(json as Room), rekeyNeeded: false } : json) });
      await room.bob.leave();
      must(await victim.info(room.name));
      must(await victim.send(room.name, "without bob"));
      const { record } = await newest(world, room);
      expect(record.epoch).toBe(before + 1);
      expect(record.members.map((member) => member.handle)).not.toContain("bob");
    },
  },
  {
    name: "a server that asks for a new key after each new key is told off, and gets a bounded number of records",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      const before = (must(await victim.info(room.name)) as Room).epoch;
      world.lie({
        onResponse: (route, json) => {
          if (route === "rooms.get") return { ...(json as Room), rekeyNeeded: true };
          if (route !== "rooms.rekey" || !("room" in (json as object))) return json;
          return { ...(json as object), room: { ...(json as { room: Room }).room, rekeyNeeded: true } };
        },
      });
      expectRefused(await victim.send(room.name, "one more key"), "client.bad_answer");
      const { record } = await newest(world, room);
      expect(record.epoch - before).toBeLessThanOrEqual(16);
    },
  },
  {
    name: "when notices are dropped, a kicked member cannot read what is sent once the client's knowledge has aged",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.send(room.name, "bob is here"));
      world.lie({ onMessage: (subject) => (subject.endsWith(".notice") ? "drop" : "pass") });
      const got = Promise.withResolvers<number>();
      await room.alice.subscribe(
        (event) => (event.kind === "message" && event.text === "bob is gone" ? got.resolve(event.epoch ?? 0) : undefined),
        { since: "now" },
      );
      await room.alice.kick("bob");
      const { record } = await newest(world, room);
      await new Promise((done) => setTimeout(done, 250));
      must(await victim.send(room.name, "bob is gone"));
      expect(await got.promise).toBe(record.epoch);
    },
  },
  {
    name: "a notice of a room that does not exist, and one that is no JSON, do no harm",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      must(await victim.listen(room.name, "now"));
      world.lie({
        onMessage: (subject, _headers, _payload, message) =>
          subject.endsWith(".notice")
            ? [
                { ...message, payload: Buffer.from("{{{") },
                { ...message, payload: Buffer.from('{"type":"room.deleted","room":"01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C"}') },
              ]
            : "pass",
      });
      await room.alice.rekey();
      await room.alice.send("still here");
      await expectHeard(victim, room.name, "still here");
      expect(await victim.warned()).toEqual(
        expect.not.arrayContaining([expect.objectContaining({ code: expect.stringMatching(/^(?:epoch|pin)/) })]),
      );
    },
  },
];

export const membershipScenarios: readonly Scenario[] = [...silentMembers, ...forksAndRollbacks, ...keys, ...policies, ...departures];
