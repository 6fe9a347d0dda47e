/**
 * The store that a world of a test gets when it names none: in memory, or on a real nats-server where a suite asks for that.
 *
 * Invariant: each store is empty and of one test alone, so that a suite means the same over either.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { openJetStreamStore, openMemoryStore, type Store } from "@althing/store";
import { startNats, type TestNats } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

let next: () => Store = openMemoryStore;

export const freshStore = (): Store => next();

/**
 * From here on the tests of this file have their stores in JetStream: suites that are imported after it run over it as they run over memory.
 * @param perTest stores that one test takes at most
 */
export function overJetStream(perTest = 1): void {
  let nats: TestNats;
  let connection: NatsConnection;
  let opened: Store[] = [];
  let made = 0;
  let taken = 0;
  beforeAll(async () => {
    nats = await startNats();
    connection = await connect({ servers: nats.url });
  });
  beforeEach(async () => {
    taken = 0;
    opened = await Promise.all(
      Array.from({ length: perTest }, () => openJetStreamStore({ connection, stream: `STATE${(made += 1)}`, replicas: 1, migrations: [] })),
    );
  });
  afterEach(() => Promise.all(opened.map((store) => store.close())));
  afterAll(async () => {
    await connection?.close();
    await nats?.stop();
  });
  next = () => {
    const store = opened[taken];
    taken += 1;
    if (store === undefined) throw new TypeError(`a test takes more than ${perTest} stores`);
    return store;
  };
}
