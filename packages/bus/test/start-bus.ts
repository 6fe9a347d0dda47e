/**
 * A bus on a real nats-server, with people and their NATS connections, for tests and the bench.
 *
 * Invariant: the configuration is the product's own (`natsConfig`, `aclConfig`), so what a test sees refused is refused in production; server
 * and folder end with the handle.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommunityId, EndpointId, EpochProposal, Handle, Room, RoomId, RoomName, RoomPolicy, RoomRole } from "@althing/contract";
import {
  decodeEpoch,
  encodeInvite,
  fromBase64url,
  identityFromSeeds,
  proposeEpoch,
  type EpochMember,
  type EpochReason,
  type EpochRecord,
  type Identity,
} from "@althing/crypto";
import { openMemoryObjects, type ClaimStore, type ObjectStore, type Store } from "@althing/store";
import { createFakeClock, findNatsServer, freePorts, tempDir, type FakeClock } from "@althing/testkit";
import type { NatsConnection } from "@nats-io/nats-core";
import { ulid } from "ulid";
import { connectAdmitted } from "./connect-as.ts";
import { maxPayloadOf, openStores, type StoreKind } from "./open-stores.ts";
import {
  connectBus,
  createBus,
  fenceConfig,
  natsConfig,
  newNkey,
  type Bus,
  type BusConfig,
  type BusConnection,
  type BusConnectionOptions,
  type BusLimits,
  type Caller,
} from "../src/index.ts";

export interface Person {
  readonly identity: Identity;
  readonly caller: Caller;
}

export interface SessionConnection {
  readonly nats: NatsConnection;
  readonly nkey: string;
  readonly seed: string;
  readonly inbox: string;
}

export interface World {
  bus: Bus;
  readonly clock: FakeClock;
  store: Store;
  readonly objects: ObjectStore;
  claims: ClaimStore;
  connection: BusConnection;
  readonly config: BusConfig;
  /** How a hub connects to the server. */
  readonly hub: BusConnectionOptions;
  readonly url: string;
  readonly dir: string;
  person(handle: string, options?: { role?: "admin" | "member"; keys?: boolean }): Promise<Person>;
  session(person: Person): Promise<SessionConnection>;
  /** Closes bus and stores; the server stays. */
  stopHub(): Promise<void>;
  /** Opens stores and bus anew, as after a restart of the hub. */
  reopen(): Promise<void>;
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  serverPid(): number;
  stop(): Promise<void>;
}

const seedOf = (text: string) => new Uint8Array(createHash("sha256").update(text).digest());

/** The same identity for the same handle, in every process. */
export function identityOf(handle: string): Promise<Identity> {
  return identityFromSeeds({ signSeed: seedOf(`sign ${handle}`), kexSeed: seedOf(`kex ${handle}`) });
}

async function spawnServer(binary: string, config: string): Promise<ChildProcess> {
  const child = spawn(binary, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      if (log.includes("Server is ready")) resolve();
    });
    child.once("exit", () => reject(new Error(`nats-server ended: ${log}`)));
  });
  return child;
}

async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

export interface StartBusOptions {
  /** Lower limits than the contract's. */
  readonly limits?: Partial<BusLimits>;
  readonly exposed?: boolean;
  /** What the state is kept in; a store of the caller's own outlives `reopen`. */
  readonly store?: Store | StoreKind;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

export async function startBus(options: StartBusOptions = {}): Promise<World> {
  const temp = await tempDir();
  const dir = temp.path;
  const [port = 0, websocketPort = 0] = await freePorts(2);
  const hub = newNkey();
  const system = newNkey();
  const { store: kind = "memory", tls } = options;
  const aclFile = join(dir, "acl.conf");
  const configFile = join(dir, "nats.conf");
  await mkdir(join(dir, "js"));
  await writeFile(aclFile, fenceConfig(hub.publicKey));
  const text = natsConfig({
    serverName: "n1",
    host: "127.0.0.1",
    port,
    websocketPort,
    storeDir: join(dir, "js"),
    pidFile: join(dir, "nats.pid"),
    aclInclude: "./acl.conf",
    systemNkey: system.publicKey,
    debug: false,
    ...maxPayloadOf(kind),
    ...(tls ? { tls } : {}),
  });
  await writeFile(configFile, text);
  const binary = await findNatsServer();
  let server = await spawnServer(binary, configFile);
  const url = `nats://127.0.0.1:${port}`;
  const clock = createFakeClock(Date.UTC(2026, 10, 20));
  const objects = openMemoryObjects();
  const stores = openStores(kind, { dir, clock });
  const config: BusConfig = {
    node: "n1",
    natsUrls: [url],
    aclFile,
    hubNkey: hub.publicKey,
    systemNkey: system.publicKey,
    nameKey: seedOf("name key"),
    exposed: options.exposed ?? false,
    ...(options.limits ? { limits: options.limits } : {}),
  };
  const asHub = { url, hubSeed: hub.seed, systemSeed: system.seed, ...(tls ? { certFile: tls.certFile } : {}) };
  let isOpen = false;
  const open = async () => {
    const connection = await connectBus(asHub);
    try {
      const { store, claims } = await stores.open(connection.account);
      const bus = await createBus({ store, claims, objects, nats: connection, clock, config });
      isOpen = true;
      return { connection, store, claims, bus };
    } catch (error) {
      await stores.close();
      await connection.close();
      throw error;
    }
  };
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    await world.bus.close();
    await stores.close();
    await world.connection.close();
  };
  const connections: NatsConnection[] = [];
  const world: World = {
    ...(await open()),
    clock,
    objects,
    config,
    hub: asHub,
    url,
    dir,
    async person(handle, { role = "member", keys = true } = {}) {
      const identity = await identityOf(handle);
      if (await world.bus.users.claimable()) {
        await world.bus.users.bootstrap({ signPub: identity.signPub, handle: handle as Handle, keys: identity.card });
      } else {
        const founder = await world.bus.users.authenticate(founderOf(world).identity.signPub);
        await world.bus.users.add(founder, { signPub: identity.signPub, handle: handle as Handle, role });
        if (keys) await world.bus.users.putKeys(await world.bus.users.authenticate(identity.signPub), identity.card);
      }
      const person = { identity, caller: await world.bus.users.authenticate(identity.signPub) };
      founders.set(world, founders.get(world) ?? person);
      return person;
    },
    async session(person) {
      const pair = newNkey();
      const session = await world.bus.sessions.open(person.caller, { nkey: pair.publicKey as never });
      const nats = await connectAdmitted(url, pair.seed, session.inbox);
      connections.push(nats);
      return { nats, nkey: pair.publicKey, seed: pair.seed, inbox: session.inbox };
    },
    stopHub: close,
    async reopen() {
      await close();
      Object.assign(world, await open());
    },
    stopServer: () => endServer(server),
    async startServer() {
      server = await spawnServer(binary, configFile);
    },
    serverPid: () => server.pid ?? 0,
    async stop() {
      await Promise.all(connections.map((nats) => nats.close()));
      await close();
      await endServer(server);
      await temp.remove();
    },
  };
  return world;
}

const founders = new WeakMap<World, Person>();

/** The first person of the world, an admin. */
export function founderOf(world: World): Person {
  const founder = founders.get(world);
  if (!founder) throw new Error("the world has nobody yet");
  return founder;
}

export const memberOf = (person: Person, role: RoomRole): EpochMember => ({
  endpoint: person.identity.endpoint,
  signPub: person.identity.signPub,
  kexPub: person.identity.kexPub,
  handle: person.caller.handle,
  role,
});

export const policyOf = (policy: Partial<RoomPolicy> = {}): RoomPolicy => ({
  encrypt: true,
  persist: true,
  sign: true,
  history: "from-join",
  ...policy,
});

/** A room with what a member's client knows of it: record, hash, key. */
export interface HeldRoom {
  readonly id: RoomId;
  readonly name: RoomName;
  readonly policy: RoomPolicy;
  record: EpochRecord | undefined;
  hash: string | null;
  key: Uint8Array | undefined;
}

export async function foundRoom(
  world: Acting,
  owner: Person,
  name: string,
  policy: Partial<RoomPolicy> = {},
  community?: CommunityId,
): Promise<{ held: HeldRoom; room: Room }> {
  const held: HeldRoom = {
    id: ulid() as RoomId,
    name: name as RoomName,
    policy: policyOf(policy),
    record: undefined,
    hash: null,
    key: undefined,
  };
  const made = held.policy.encrypt ? await propose(world, held, owner, [memberOf(owner, "owner")], "create") : undefined;
  const room = await world.bus.rooms.create(owner.caller, {
    id: held.id,
    name: held.name,
    policy: held.policy,
    suite: "hpke-v1",
    ...(made ? { epoch: made.proposal } : {}),
    ...(community === undefined ? {} : { community }),
  });
  if (made) hold(held, made);
  return { held, room };
}

/** What acting as a client takes of a world. */
export type Acting = Pick<World, "bus" | "clock">;

export function propose(world: Acting, held: HeldRoom, maker: Person, members: readonly EpochMember[], reason: EpochReason) {
  return proposeEpoch({
    ...(held.record && held.hash ? { previous: { record: held.record, hash: held.hash, ...(held.key ? { key: held.key } : {}) } } : {}),
    room: held.id,
    name: held.name,
    policy: held.policy,
    members,
    reason,
    identity: maker.identity,
    now: world.clock.now(),
    link: true,
  });
}

export function hold(held: HeldRoom, made: { proposal: EpochProposal; hash: string; key: Uint8Array }): void {
  held.record = decodeEpoch(fromBase64url(made.proposal.record)).record;
  held.hash = made.hash;
  held.key = made.key;
}

/** Invites as a client does: record, statement, request; `accept` also joins. */
export async function inviteTo(
  world: Acting,
  held: HeldRoom,
  inviter: Person,
  invitee: Person,
  options: { role?: RoomRole; accept?: boolean } = {},
): Promise<void> {
  const role = options.role ?? "member";
  const made = held.policy.encrypt
    ? await propose(world, held, inviter, [...(held.record?.members ?? []), memberOf(invitee, role)], "invite")
    : undefined;
  const statement = await statementOf(world, held, inviter, invitee.identity.endpoint, made?.hash ?? null);
  await world.bus.rooms.invite(inviter.caller, {
    room: held.id,
    endpoint: invitee.identity.endpoint,
    role,
    statement,
    ...(made ? { epoch: made.proposal } : {}),
  });
  if (made) hold(held, made);
  if (options.accept ?? true) await world.bus.rooms.join(invitee.caller, { room: held.id });
}

export function statementOf(
  world: Acting,
  held: HeldRoom,
  inviter: Person,
  invitee: EndpointId,
  recordHash: string | null,
): Promise<string> {
  const epoch = recordHash === null ? 0 : (held.record?.epoch ?? 0) + 1;
  return encodeInvite(inviter.identity, {
    room: held.id,
    name: held.name,
    epoch,
    recordHash,
    invitee,
    at: new Date(world.clock.now()).toISOString(),
  });
}

/** Kicks as a client does. */
export async function kickFrom(world: Acting, held: HeldRoom, by: Person, who: Person): Promise<void> {
  const rest = (held.record?.members ?? []).filter((member) => member.endpoint !== who.identity.endpoint);
  const made = held.policy.encrypt ? await propose(world, held, by, rest, "kick") : undefined;
  await world.bus.rooms.kick(by.caller, { room: held.id, endpoint: who.identity.endpoint, ...(made ? { epoch: made.proposal } : {}) });
  if (made) hold(held, made);
}

/** The code of what a promise is refused with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  return "(no error)";
}

/** A subscription whose messages can be awaited one by one. */
export function collect(nats: NatsConnection, subject: string) {
  const got: { subject: string; text: string; seq: string | undefined; previous: string | undefined }[] = [];
  const waiting: (() => void)[] = [];
  const subscription = nats.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      got.push({
        subject: message.subject,
        text: message.string(),
        seq: message.headers?.values("Nats-Sequence").at(-1),
        previous: message.headers?.values("Nats-Last-Sequence").at(-1),
      });
      for (const wake of waiting.splice(0)) wake();
    },
  });
  return {
    got,
    subscription,
    async count(wanted: number): Promise<void> {
      while (got.length < wanted) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}
