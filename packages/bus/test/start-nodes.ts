/**
 * Two nodes of one instance: a nats-server each in one cluster, a bus each, one JetStream store between them.
 *
 * Invariant: each bus has its own connection to its own server and its own view of the store, as hubs of a cluster have; servers and folders end
 * with the handle.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { streams, type Handle } from "@althing/contract";
import { openJetStreamClaims, openJetStreamStore, openMemoryObjects, type ObjectStore, type Store } from "@althing/store";
import { createFakeClock, freePorts, startNats, tempDir, type FakeClock, type TestNats } from "@althing/testkit";
import type { NatsConnection } from "@nats-io/nats-core";
import { connectBus, createBus, fenceConfig, newNkey, type Bus, type BusConnection, type BusPeers } from "../src/index.ts";
import { connectAs } from "./connect-as.ts";
import { identityOf, type Person, type SessionConnection } from "./start-bus.ts";

export interface BusNode {
  readonly name: string;
  readonly url: string;
  readonly aclFile: string;
  readonly server: TestNats;
  readonly connection: BusConnection;
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: FakeClock;
  /** The access list on disk without the hub's own key. */
  accessList(): Promise<string>;
}

export interface Nodes {
  readonly a: BusNode;
  readonly b: BusNode;
  readonly objects: ObjectStore;
  person(handle: string): Promise<Person>;
  /** A session opened on one node and connected to any: its server admits it within two seconds. */
  session(person: Person, opened: BusNode, connected?: BusNode): Promise<SessionConnection>;
  stop(): Promise<void>;
}

const seedOf = (text: string) => new Uint8Array(createHash("sha256").update(text).digest());

export interface StartNodesOptions {
  /** Stands between a node's bus and the store. */
  readonly wrap?: (store: Store, node: string) => Store;
  /** Default: every node's is. */
  readonly isClockSure?: (node: string) => boolean;
}

export async function startNodes(options: StartNodesOptions = {}): Promise<Nodes> {
  const temp = await tempDir();
  const routes = await freePorts(2);
  const clock = createFakeClock(Date.now());
  const objects = openMemoryObjects();
  const ends: (() => Promise<unknown>)[] = [];
  const peersOf: BusPeers[] = [];
  const buses: Bus[] = [];

  async function startServer(index: number) {
    const name = `n${index + 1}`;
    const dir = join(temp.path, name);
    const hub = newNkey();
    const system = newNkey();
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "acl.conf"), fenceConfig(hub.publicKey));
    const config = [
      `server_name: ${name}`,
      `cluster { name: t, listen: "127.0.0.1:${routes[index]}", no_advertise: true, pool_size: -1, routes: [${routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ")}] }`,
      `accounts { SYS: { users: [ { nkey: ${system.publicKey} } ] }, A: { jetstream: enabled, include "./acl.conf" } }`,
      "system_account: SYS",
    ].join("\n");
    const server = await startNats({ dir, config });
    ends.push(() => server.stop());
    return { name, dir, hub, system, server };
  }

  async function startNode({ name, dir, hub, system, server }: Awaited<ReturnType<typeof startServer>>, index: number): Promise<BusNode> {
    const connection = await connectBus({ url: server.url, hubSeed: hub.seed, systemSeed: system.seed });
    const common = { connection: connection.account, replicas: 1, clock };
    // Two servers of a new cluster need a moment to find a leader.
    const opened = await again(() => openJetStreamStore({ ...common, stream: streams.state, migrations: [] }));
    const store = options.wrap?.(opened, name) ?? opened;
    const claims = openJetStreamClaims({ ...common, stream: streams.claims });
    const peers: BusPeers = {
      async haveInForce(revision) {
        while (buses.some((bus) => bus.acl.revision() < revision)) await sleep(10);
      },
      current: async () => ({ current: 1, of: 1 }),
      onProgress: () => undefined,
      isClockSure: () => options.isClockSure?.(name) ?? true,
    };
    peersOf[index] = peers;
    const aclFile = join(dir, "acl.conf");
    const bus = await createBus({
      ...{ store, claims, objects, nats: connection, clock, peers },
      config: {
        ...{ node: name, natsUrls: [server.url], aclFile, hubNkey: hub.publicKey, systemNkey: system.publicKey },
        ...{ nameKey: seedOf("name key"), exposed: false, shared: true },
      },
    });
    buses[index] = bus;
    ends.push(async () => {
      await bus.close();
      await claims.close();
      await opened.close();
      await connection.close();
    });
    return {
      ...{ name, url: server.url, aclFile, server, connection, store, bus, clock },
      accessList: async () =>
        (await readFile(aclFile, "utf8"))
          .split("\n")
          .filter((line) => !line.includes(hub.publicKey))
          .sort()
          .join("\n"),
    };
  }

  async function stop(): Promise<void> {
    for (const end of ends.reverse()) await end();
    await temp.remove();
  }

  try {
    const servers = [await startServer(0), await startServer(1)] as const;
    const a = await startNode(servers[0], 0);
    const b = await startNode(servers[1], 1);
    const connections: NatsConnection[] = [];
    ends.push(() => Promise.all(connections.map((nats) => nats.close())));
    let founder: Person | undefined;
    return {
      ...{ a, b, objects, stop },
      async person(handle) {
        const identity = await identityOf(handle);
        if (founder === undefined)
          await a.bus.users.bootstrap({ signPub: identity.signPub, handle: handle as Handle, keys: identity.card });
        else {
          const admin = await a.bus.users.authenticate(founder.identity.signPub);
          await a.bus.users.add(admin, { signPub: identity.signPub, handle: handle as Handle, role: "member" });
          await b.bus.users.putKeys(await b.bus.users.authenticate(identity.signPub), identity.card);
        }
        const person = { identity, caller: await b.bus.users.authenticate(identity.signPub) };
        founder ??= person;
        return person;
      },
      async session(person, opened, connected = opened) {
        const pair = newNkey();
        const session = await opened.bus.sessions.open(person.caller, { nkey: pair.publicKey as never });
        const nats = await again(() => connectAs(connected.url, pair.seed, session.inbox), 2_000);
        connections.push(nats);
        return { nats, nkey: pair.publicKey, seed: pair.seed, inbox: session.inbox };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Until it works, and at most so long. */
export async function again<T>(work: () => Promise<T>, maxMs = 30_000): Promise<T> {
  const startedMs = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() - startedMs > maxMs) throw error;
      await sleep(20);
    }
  }
}
