/**
 * A hub that never rests, to be killed: `node churn.ts '<ChurnSettings as JSON>'`.
 *
 * Invariant: every act is one a client could ask for, several run at once, and whatever the bus refuses with a code is right; anything else ends
 * the process with exit code 1. Prints `opening`, then `ready`, then a line an act; what it knows of people and rooms it reads from the
 * store, so the next one goes on where this one was killed.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isAppError, type EndpointId, type Handle, type RoomId, type RoomRole } from "@althing/contract";
import { decodeEpoch, fromBase64url, type EpochMember, type EpochReason } from "@althing/crypto";
import { openMemoryObjects } from "@althing/store";
import { createFakeClock } from "@althing/testkit";
import type { RoomRow } from "../src/collections.ts";
import { connectBus, createBus, newNkey, openCollections, type BusConfig, type BusConnectionOptions } from "../src/index.ts";
import { everyRecord } from "../src/paging.ts";
import { readRecord } from "../src/rooms/epoch-rows.ts";
import { openStores } from "./open-stores.ts";
import { createRandom } from "./random.ts";
import { foundRoom, identityOf, memberOf, propose, statementOf, type HeldRoom, type Person } from "./start-bus.ts";

export interface ChurnSettings {
  readonly dir: string;
  readonly hub: BusConnectionOptions;
  readonly config: Omit<BusConfig, "nameKey">;
  readonly nameKeyHex: string;
  readonly seed: number;
  readonly nowMs: number;
}

const lanes = 4;
const settings = JSON.parse(process.argv[2] ?? "{}") as ChurnSettings;
const random = createRandom(settings.seed);
const clock = createFakeClock(settings.nowMs);
process.stdout.write("opening\n");
const connection = await connectBus(settings.hub);
const { store, claims } = await openStores("sqlite", { dir: settings.dir, clock }).open(connection.account);
const config = { ...settings.config, nameKey: Buffer.from(settings.nameKeyHex, "hex") };
const bus = await createBus({ store, claims, objects: openMemoryObjects(), nats: connection, clock, config });
const collections = openCollections(store);
const world = { bus, clock };
let serial = settings.seed * 10_000;
process.stdout.write("ready\n");

async function everybody(): Promise<Person[]> {
  const people: Person[] = [];
  for await (const { value } of everyRecord(collections.users)) {
    if (value.status !== "active") continue;
    const { endpoint, signPub, handle, role } = value;
    people.push({ identity: await identityOf(handle), caller: { endpoint, signPub, handle, role } });
  }
  return people;
}

interface Scene {
  readonly people: readonly Person[];
  readonly row: RoomRow;
  readonly held: HeldRoom;
  readonly inside: readonly Person[];
  readonly outside: readonly Person[];
}

/** Some room, as a client of a member would know it. */
async function scene(): Promise<Scene | undefined> {
  const [people, { records }] = await Promise.all([everybody(), collections.rooms.list({ limit: 1_000 })]);
  if (records.length === 0) return undefined;
  const row = random.pick(records).value;
  const text = row.policy.encrypt ? await readRecord(collections, row.id, row.epoch) : undefined;
  const decoded = text === undefined ? undefined : decodeEpoch(fromBase64url(text));
  const held = { id: row.id, name: row.name, policy: row.policy, record: decoded?.record, hash: decoded?.hash ?? null, key: undefined };
  const inside = new Set<EndpointId>();
  for await (const member of everyRecord(collections.members, [row.id])) inside.add(member.key[1] as EndpointId);
  const isIn = (person: Person) => inside.has(person.identity.endpoint);
  return { people, row, held, inside: people.filter(isIn), outside: people.filter((person) => !isIn(person)) };
}

async function epochOf(at: Scene, by: Person, reason: EpochReason, change: (members: readonly EpochMember[]) => readonly EpochMember[]) {
  if (!at.row.policy.encrypt) return {};
  return { epoch: (await propose(world, at.held, by, change(at.held.record?.members ?? []), reason)).proposal };
}

async function newcomer(): Promise<void> {
  const admin = random.pick((await everybody()).filter((person) => person.caller.role === "admin"));
  const handle = `c${serial++}` as Handle;
  const identity = await identityOf(handle);
  const { token } = await bus.users.createInvitation(admin.caller);
  const role = random.below(4) === 0 ? "admin" : "member";
  if (role === "member") await bus.users.join(identity.signPub, { token, handle, keys: identity.card });
  else {
    await bus.users.add(admin.caller, { signPub: identity.signPub, handle, role });
    await bus.users.putKeys(await bus.users.authenticate(identity.signPub), identity.card);
  }
}

async function revocation(): Promise<void> {
  const people = await everybody();
  if (people.length < 6) return newcomer();
  const admin = random.pick(people.filter((person) => person.caller.role === "admin"));
  await bus.users.revoke(admin.caller, { signPub: random.pick(people).identity.signPub });
}

async function founding(): Promise<void> {
  const encrypt = random.below(4) > 0;
  await foundRoom(world, random.pick(await everybody()), `room-${random.below(12)}`, { encrypt, persist: random.below(2) === 0 });
}

async function invitation(at: Scene): Promise<void> {
  if (at.inside.length === 0 || at.outside.length === 0) return;
  const [by, who] = [random.pick(at.inside), random.pick(at.outside)];
  const role: RoomRole = random.pick(["member", "member", "moderator", "owner"]);
  const { endpoint } = who.identity;
  const made = at.row.policy.encrypt
    ? await propose(world, at.held, by, [...(at.held.record?.members ?? []), memberOf(who, role)], "invite")
    : undefined;
  const statement = await statementOf(world, at.held, by, endpoint, made?.hash ?? null);
  await bus.rooms.invite(by.caller, { room: at.row.id, endpoint, role, statement, ...(made ? { epoch: made.proposal } : {}) });
  if (random.below(4) > 0) await bus.rooms.join(who.caller, { room: at.row.id });
}

async function removal(at: Scene): Promise<void> {
  if (at.inside.length === 0) return;
  const [by, who] = [random.pick(at.inside), random.pick(at.inside)];
  const { endpoint } = who.identity;
  if (random.below(3) === 0) return bus.rooms.leave(who.caller, { room: at.row.id });
  if (random.below(2) === 0) {
    const epoch = await epochOf(at, by, "kick", (members) => members.filter((member) => member.endpoint !== endpoint));
    await bus.rooms.kick(by.caller, { room: at.row.id, endpoint, ...epoch });
    return;
  }
  const role: RoomRole = random.pick(["owner", "moderator", "member"]);
  const epoch = await epochOf(at, by, "role", (members) => members.map((one) => (one.endpoint === endpoint ? { ...one, role } : one)));
  await bus.rooms.role(by.caller, { room: at.row.id, endpoint, role, ...epoch });
}

async function renewal(at: Scene): Promise<void> {
  if (at.inside.length === 0 || !at.row.policy.encrypt) return;
  const by = random.pick(at.inside);
  const epoch = await epochOf(at, by, "rekey", (members) => members.filter((member) => !at.row.gone.includes(member.endpoint)));
  if (epoch.epoch) await bus.rooms.rekey(by.caller, { room: at.row.id, epoch: epoch.epoch });
}

async function deletion(at: Scene): Promise<void> {
  if (at.inside.length > 0) await bus.rooms.delete(random.pick(at.inside).caller, { room: at.row.id as RoomId });
}

async function act(): Promise<void> {
  const dice = random.below(20);
  if (dice < 3) return newcomer();
  if (dice < 5) return revocation();
  if (dice < 7) return founding();
  if (dice < 8) return void (await bus.sessions.open(random.pick(await everybody()).caller, { nkey: newNkey().publicKey as never }));
  const at = await scene();
  if (!at) return founding();
  if (dice < 13) return invitation(at);
  if (dice < 16) return removal(at);
  if (dice < 19) return renewal(at);
  return deletion(at);
}

async function lane(): Promise<never> {
  for (;;) {
    try {
      await act();
      process.stdout.write("done\n");
    } catch (error) {
      if (!isAppError(error)) throw error;
      process.stdout.write(`${error.code}\n`);
    }
    await pause(0);
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
