/**
 * A real instance, honest members beside it, and two lying proxies before it through which the victim comes.
 *
 * Invariant: the liars stand between the victim and the truth, never in the instance: honest members talk to the real hub directly, so a test can
 * always compare what was said with what was shown. Each scenario has rooms of its own; `honest` ends a lie.
 */
import {
  createClient,
  identityFromPhrase,
  joinInstance,
  claimInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type Identity,
  type RoomHandle,
} from "@althing/client";
import type { RoomPolicy, RouteName } from "@althing/contract";
import {
  freePorts,
  startHostileNatsProxy,
  startHostileProxy,
  startInstance,
  type HostileHandlers,
  type HostileNatsProxy,
  type HostileProxy,
  type OnNatsMessage,
  type TestInstance,
} from "@althing/testkit";

export interface Person {
  readonly phrase: string;
  readonly identity: Identity;
  readonly client: AlthingClient;
}

/** What is altered on the way; absent parts are honest. */
export interface Lies extends Omit<HostileHandlers, "onNatsMessage"> {
  /** Frames of rooms and notices, over TCP and in the WebSocket alike. */
  readonly onMessage?: OnNatsMessage;
}

export interface HostileWorld {
  readonly instance: TestInstance;
  readonly proxy: HostileProxy;
  readonly natsProxy: HostileNatsProxy;
  /** Admin and owner of every room; not lied to. */
  readonly alice: Person;
  readonly bob: Person;
  /** The victim's phrase; its handle is `vera`. */
  readonly victimPhrase: string;
  readonly victimIdentity: Identity;
  /** From now on. */
  lie(lies: Lies): void;
  honest(): void;
  /** A new room of alice with bob and vera invited; bob has joined. */
  foundRoom(policy?: Partial<RoomPolicy>): Promise<FoundRoom>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FoundRoom {
  readonly name: string;
  readonly alice: RoomHandle;
  readonly bob: RoomHandle;
}

/** Changes the answer of one route and leaves the others. */
export function lieAbout(route: RouteName, change: (json: never) => unknown): Lies {
  return { onResponse: (name, json, { status }) => (name === route && status < 300 ? change(structuredClone(json) as never) : json) };
}

export async function startHostileWorld(): Promise<HostileWorld> {
  const [port = 0, hub = 0, runner = 0, nats = 0, natsWs = 0, routes = 0, internal = 0] = await freePorts(7);
  const ports = { hub, runner, nats, natsWs, routes, internal };
  const origins = ["localhost", "127.0.0.1"].map((host) => `http://${host}:${hub}`);
  const instance = await startInstance({ ports, args: ["--origins", [...origins, `http://127.0.0.1:${port}`].join(",")] });
  const proxy = await startHostileProxy({ target: `http://127.0.0.1:${hub}`, port });
  const natsProxy = await startHostileNatsProxy({ target: `nats://127.0.0.1:${nats}` });
  const url = `http://127.0.0.1:${hub}`;
  const people: Person[] = [];
  async function enter(handle: string, token: string, way: typeof claimInstance): Promise<Person> {
    const phrase = newRecoveryPhrase();
    const identity = await identityFromPhrase(phrase);
    await way({ url, token, handle, identity });
    const person = { phrase, identity, client: createClient({ identity, urls: [url], state: openMemoryState() }) };
    people.push(person);
    return person;
  }
  const alice = await enter("alice", new URL(instance.adminLink ?? "").hash.replace(/^#\w+=/, ""), claimInstance);
  const invitation = async () => (await alice.client.call("invitations.create", { body: {} })).token;
  const bob = await enter("bob", await invitation(), joinInstance);
  const vera = await enter("vera", await invitation(), joinInstance);
  let rooms = 0;

  return {
    instance,
    proxy,
    natsProxy,
    alice,
    bob,
    victimPhrase: vera.phrase,
    victimIdentity: vera.identity,
    lie({ onMessage, ...http }) {
      proxy.setHandlers({ ...http, ...(onMessage === undefined ? {} : { onNatsMessage: onMessage }) });
      natsProxy.setOnMessage(onMessage ?? (() => "pass"));
    },
    honest() {
      proxy.setHandlers({});
      natsProxy.setOnMessage(() => "pass");
    },
    async foundRoom(policy = {}) {
      rooms += 1;
      const name = `room-${rooms}`;
      const founded = await alice.client.rooms.create({ name, policy });
      await founded.invite("bob");
      const joined = await bob.client.rooms.join(name);
      await founded.invite("vera");
      if (joined.room === undefined) throw new Error("bob was invited");
      return { name, alice: founded, bob: joined.room };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(people.map((person) => person.client.close()));
      await Promise.all([proxy.close(), natsProxy.close()]);
      await instance.stop();
    },
  };
}
