/** What a hostile server may do with a room's records, and that each is noticed. */
import {
  AppError,
  type EndpointId,
  type Epoch,
  type Handle,
  type Room,
  type RoomId,
  type RoomName,
  type RoomPolicy,
  type RoomRole,
  type RouteName,
} from "@althing/contract";
import {
  encodeEpoch,
  encodeInvite,
  identityFromPhrase,
  newRecoveryPhrase,
  proposeEpoch,
  toBase64url,
  type EpochMember,
  type Identity,
  type ProposedEpoch,
} from "@althing/crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { Api } from "./api.ts";
import { createEpochBook, type EpochChange, type VerifiedEpoch } from "./epoch-book.ts";
import { createPins } from "./pins.ts";
import { openMemoryState } from "./state.ts";

const id = "01J00000000000000000000000" as RoomId;
const name = "garden" as RoomName;
const shared: RoomPolicy = { encrypt: true, persist: true, sign: true, history: "shared" };
const fromJoin: RoomPolicy = { ...shared, history: "from-join" };
let ada: Identity;
let bob: Identity;
let mallory: Identity;
beforeAll(async () => {
  [ada, bob, mallory] = (await Promise.all([1, 2, 3].map(() => identityFromPhrase(newRecoveryPhrase())))) as [Identity, Identity, Identity];
});

const member = (who: Identity, handle: string, role: RoomRole): EpochMember => ({
  endpoint: who.endpoint,
  signPub: who.signPub,
  kexPub: who.kexPub,
  handle: handle as Handle,
  role,
});

async function propose(
  maker: Identity,
  previous: ProposedEpoch | undefined,
  reason: ProposedEpoch["record"]["reason"],
  members: readonly EpochMember[],
  policy = shared,
): Promise<ProposedEpoch> {
  return proposeEpoch({
    ...(previous === undefined ? {} : { previous }),
    room: id,
    name,
    policy,
    members,
    reason,
    identity: maker,
    now: 1_700_000_000_000,
    link: true,
  });
}

/** Ada founds, invites Bob, renews the key. */
async function threeEpochs(policy = shared): Promise<ProposedEpoch[]> {
  const one = await propose(ada, undefined, "create", [member(ada, "ada", "owner")], policy);
  const two = await propose(ada, one, "invite", [member(ada, "ada", "owner"), member(bob, "bob", "member")], policy);
  const three = await propose(ada, two, "rekey", two.record.members, policy);
  return [one, two, three];
}

/** A server that serves these records, to this member. */
function serve(records: readonly ProposedEpoch[], me: Identity): Api {
  return {
    url: "http://localhost",
    raw: () => Promise.reject(new Error("unused")),
    call: async (route: RouteName, input: { query?: { from?: number } } = {}) => {
      if (route !== "rooms.epochs") throw new Error(`unexpected ${route}`);
      const epochs = records
        .filter((one) => one.record.epoch >= (input.query?.from ?? 1))
        .map((one): Epoch => {
          const sealed = one.proposal.sealed.find((key) => key.endpoint === me.endpoint);
          return {
            epoch: one.record.epoch,
            record: one.proposal.record,
            ...(sealed === undefined ? {} : { sealed }),
            ...(one.proposal.link === undefined ? {} : { link: one.proposal.link }),
          };
        });
      return { epochs } as never;
    },
  } as Api;
}

const roomAt = (last: ProposedEpoch | undefined, invite?: string): Room =>
  ({
    id,
    name,
    policy: last?.record.policy ?? shared,
    epoch: last?.record.epoch ?? 0,
    epochHash: last?.hash,
    gone: [],
    ...(invite === undefined ? {} : { invite }),
  }) as unknown as Room;

function book(
  records: readonly ProposedEpoch[],
  me: Identity,
  pinned: { epoch: number; hash: string | null; inviters?: readonly string[] } = { epoch: 0, hash: null },
) {
  const seen = { firstSight: 0, changes: [] as EpochChange[], top: undefined as VerifiedEpoch | undefined };
  const pins = createPins(openMemoryState());
  const made = createEpochBook({
    api: serve(records, me),
    identity: me,
    pins,
    room: id,
    pinned: () => pinned,
    onFirstSight: () => void (seen.firstSight += 1),
    async onAdvance(top, changes) {
      seen.top = top;
      seen.changes.push(...changes);
    },
  });
  return { book: made, seen, pins };
}

const invitation = (record: ProposedEpoch, inviter: Identity, invitee: EndpointId) =>
  encodeInvite(inviter, { room: id, name, epoch: record.record.epoch, recordHash: record.hash, invitee, at: "2026-01-01T00:00:00Z" });
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("the chain of epochs", () => {
  it("follows an honest chain, shows exactly the members of its last record, and says nothing to its founder", async () => {
    const records = await threeEpochs();
    const { book: mine, seen } = book(records, ada);
    const top = await mine.sync(roomAt(records[2]));
    expect(top.record.members.map((one) => one.handle).toSorted()).toEqual(["ada", "bob"]);
    expect(seen.firstSight).toBe(0);
    expect(seen.changes.map((one) => [one.epoch, one.reason, one.added.length])).toEqual([
      [2, "invite", 1],
      [3, "rekey", 0],
    ]);
  });

  it("opens every key of a shared history through the links, the member's own and those before it came", async () => {
    const records = await threeEpochs();
    const { book: mine } = book(records, bob);
    await mine.sync(roomAt(records[2]));
    for (const one of records) expect(toBase64url((await mine.key(one.record.epoch)).key)).toBe(toBase64url(one.key));
  });

  it("has no key of what was said before joining where history is from join on", async () => {
    const records = await threeEpochs(fromJoin);
    const { book: mine } = book(records, bob);
    await mine.sync(roomAt(records[2]));
    await expect(mine.key(1)).rejects.toEqual(code("epoch.no_key"));
    expect((await mine.key(2)).epoch).toBe(2);
  });

  it("says first sight when nothing vouches for the room, and does not when an invitation of somebody known does", async () => {
    const records = await threeEpochs();
    const blind = book(records, bob);
    await blind.book.sync(roomAt(records[2]));
    expect(blind.seen.firstSight).toBe(1);
    const invited = book(records, bob);
    await invited.pins.pin("ada" as Handle, ada.endpoint);
    await invited.book.sync(roomAt(records[2], await invitation(records[1] as ProposedEpoch, ada, bob.endpoint)));
    expect(invited.seen.firstSight).toBe(0);
    const byStranger = book(records, bob);
    await byStranger.book.sync(roomAt(records[2], await invitation(records[1] as ProposedEpoch, ada, bob.endpoint)));
    expect(byStranger.seen.firstSight).toBe(1);
  });

  it("refuses a silent member: a record that its maker did not sign", async () => {
    const [one] = await threeEpochs();
    const silent = await propose(mallory, one, "invite", [member(ada, "ada", "owner"), member(mallory, "mallory", "member")]).catch(
      (error: unknown) => error,
    );
    expect(silent).toBeInstanceOf(AppError);
    const claimed = await threeEpochs();
    const own = await propose(mallory, undefined, "create", [member(mallory, "mallory", "owner")]);
    const second = await propose(mallory, own, "invite", [member(mallory, "mallory", "owner"), member(ada, "ada", "owner")]);
    const { book: mine } = book([claimed[0] as ProposedEpoch, second], ada);
    await expect(mine.sync(roomAt(second))).rejects.toEqual(code("epoch.forged"));
  });

  it("refuses another first record under a pinned one", async () => {
    const records = await threeEpochs();
    const others = await threeEpochs();
    const { book: mine } = book(others, bob, { epoch: 2, hash: (records[1] as ProposedEpoch).hash });
    await expect(mine.sync(roomAt(others[2]))).rejects.toEqual(code("epoch.forked"));
  });

  it("notices a fork while it runs: two members' records for one epoch", async () => {
    const [one, two] = (await threeEpochs()) as [ProposedEpoch, ProposedEpoch];
    const left = await propose(ada, two, "rekey", two.record.members);
    const right = await propose(ada, two, "rekey", two.record.members);
    const { book: mine } = book([one, two, left], bob);
    await mine.sync(roomAt(left));
    await expect(mine.sync(roomAt(right))).rejects.toEqual(code("epoch.forked"));
  });

  it("notices a rollback, below the pin and below what this run saw", async () => {
    const records = await threeEpochs();
    const { book: later } = book(records.slice(0, 2), bob, { epoch: 3, hash: (records[2] as ProposedEpoch).hash });
    await expect(later.sync(roomAt(records[1]))).rejects.toEqual(code("epoch.rolled_back"));
    const { book: mine } = book(records, bob);
    await mine.sync(roomAt(records[2]));
    await expect(mine.sync(roomAt(records[1]))).rejects.toEqual(code("epoch.rolled_back"));
  });

  it("notices a record left out, and one that the server only claims to have", async () => {
    const records = (await threeEpochs()) as [ProposedEpoch, ProposedEpoch, ProposedEpoch];
    const { book: gap } = book([records[0], records[2]], ada);
    await expect(gap.sync(roomAt(records[2]))).rejects.toEqual(code("epoch.forged"));
    const { book: short } = book(records.slice(0, 2), ada);
    await expect(short.sync(roomAt(records[2]))).rejects.toEqual(code("epoch.rolled_back"));
  });

  it("refuses an invitation passed to somebody else, or by somebody who may not invite", async () => {
    const records = await threeEpochs();
    const forBob = await invitation(records[1] as ProposedEpoch, ada, bob.endpoint);
    const { book: thief } = book(records, mallory);
    await expect(thief.sync(roomAt(records[2], forBob))).rejects.toEqual(code("epoch.forged"));
    const byMallory = await invitation(records[1] as ProposedEpoch, mallory, bob.endpoint);
    const { book: misled } = book(records, bob);
    await expect(misled.sync(roomAt(records[2], byMallory))).rejects.toEqual(code("epoch.forged"));
  });

  it("refuses a record that gives a known handle to another key", async () => {
    const records = await threeEpochs();
    const { book: mine, pins } = book(records, bob);
    await pins.pin("ada" as Handle, mallory.endpoint);
    await expect(mine.sync(roomAt(records[2]))).rejects.toEqual(code("pin.changed"));
  });

  it("refuses a record made by somebody whom the record before removed", async () => {
    const [one, two] = (await threeEpochs()) as [ProposedEpoch, ProposedEpoch];
    const kicked = await propose(ada, two, "kick", [member(ada, "ada", "owner")]);
    const record = { ...two.record, epoch: 4, previous: kicked.hash, maker: bob.endpoint, reason: "rekey" as const };
    const { bytes, hash } = await encodeEpoch(record, bob);
    const comeback: ProposedEpoch = { ...two, record, hash, proposal: { ...two.proposal, record: toBase64url(bytes) } };
    const { book: mine } = book([one, two, kicked, comeback], ada);
    await expect(mine.sync(roomAt(comeback))).rejects.toEqual(code("epoch.forged"));
  });

  it("takes a return into the room in silence only from somebody who could invite when it was last seen", async () => {
    const [one, two] = (await threeEpochs(fromJoin)) as [ProposedEpoch, ProposedEpoch];
    // Mallory, an acquaintance who never was in the room, makes a record of her own; the server keeps epoch 3 back.
    const record = { ...two.record, epoch: 9, previous: "A".repeat(43), maker: mallory.endpoint };
    const withMallory = [...two.record.members, member(mallory, "mallory", "owner")].sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    const made = async (by: Identity, members: readonly EpochMember[]): Promise<ProposedEpoch> => {
      const { bytes, hash } = await encodeEpoch({ ...record, maker: by.endpoint, members }, by);
      return {
        ...two,
        record: { ...record, maker: by.endpoint, members },
        hash,
        proposal: { ...two.proposal, record: toBase64url(bytes) },
      };
    };
    const foisted = await made(mallory, withMallory);
    const honest = await made(ada, two.record.members);
    const back = async (last: ProposedEpoch, inviter: Identity, inviters?: readonly string[]) => {
      const { book: bobs, seen, pins } = book([last], bob, { epoch: 2, hash: two.hash, ...(inviters === undefined ? {} : { inviters }) });
      await pins.pin("mallory" as Handle, mallory.endpoint);
      await pins.pin("ada" as Handle, ada.endpoint);
      await bobs.sync(roomAt(last, await invitation(last, inviter, bob.endpoint)));
      return seen.firstSight;
    };
    expect(await back(foisted, mallory, [ada.endpoint])).toBe(1);
    expect(await back(foisted, mallory)).toBe(1);
    expect(await back(honest, ada, [ada.endpoint])).toBe(0);
    expect(one.record.epoch).toBe(1);
  });

  it("says in one run who came and went between leaving a room and being back in it", async () => {
    const [one, two] = (await threeEpochs(fromJoin)) as [ProposedEpoch, ProposedEpoch];
    const served = [one, two];
    const { book: bobs, seen, pins } = book(served, bob, { epoch: 2, hash: two.hash });
    await bobs.sync(roomAt(two));
    const members = [...two.record.members, member(mallory, "mallory", "owner")].sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
    const record = { ...two.record, epoch: 9, previous: "A".repeat(43), maker: mallory.endpoint, members };
    const { bytes, hash } = await encodeEpoch(record, mallory);
    const foisted: ProposedEpoch = { ...two, record, hash, proposal: { ...two.proposal, record: toBase64url(bytes) } };
    served.splice(0, 2, foisted);
    await pins.pin("mallory" as Handle, mallory.endpoint);
    await bobs.sync(roomAt(foisted, await invitation(foisted, mallory, bob.endpoint)));
    expect(seen.firstSight).toBe(1);
    expect(seen.changes.at(-1)?.added.map(({ handle }) => handle)).toEqual(["mallory"]);
  });

  it("stops at the first forged record of a server that has no end of them", async () => {
    const [one, two] = (await threeEpochs()) as [ProposedEpoch, ProposedEpoch];
    let asked = 0;
    const pins = createPins(openMemoryState());
    const endless = createEpochBook({
      api: {
        call: async (_route: RouteName, { query }: { query: { from: number } }) => {
          asked += 1;
          if (query.from === 1) return { epochs: [{ epoch: 1, record: one.proposal.record }] };
          const record = { ...two.record, epoch: query.from, previous: "A".repeat(43) };
          const { bytes } = await encodeEpoch(record, ada);
          return { epochs: [{ epoch: query.from, record: toBase64url(bytes) }], next: query.from + 1 };
        },
      } as unknown as Api,
      identity: ada,
      pins,
      room: id,
      pinned: () => ({ epoch: 0, hash: null }),
      onFirstSight: () => undefined,
      onAdvance: async () => undefined,
    });
    await expect(endless.sync({ ...roomAt(two), epoch: Number.MAX_SAFE_INTEGER, epochHash: undefined } as unknown as Room)).rejects.toEqual(
      code("epoch.forged"),
    );
    expect(asked).toBeLessThan(5);
  });
});
