/** Reloading by signal, on a real nats-server whose system account does not know the hub. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startNats, tempDir, type TestNats } from "@althing/testkit";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { createAcl, type Acl } from "./acl.ts";
import { aclConfig, aclEntry, aclPermissions, fenceConfig } from "./nats-config.ts";
import { connectBus, proveExternalAcl, type BusConnection, type BusConnectionOptions } from "./nats-connection.ts";
import { nativeNkeyAuthenticator } from "./nkey-authenticator.ts";
import { newNkey, type NkeyPair } from "./nkey.ts";

const hub = newNkey();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Ground {
  readonly nats: TestNats;
  readonly aclFile: string;
  readonly options: BusConnectionOptions & { readonly signalReload: () => void };
  signals(): number;
}

async function openGround(more = ""): Promise<Ground> {
  const dir = await tempDir();
  const aclFile = join(dir.path, "acl.conf");
  await writeFile(aclFile, fenceConfig(hub.publicKey));
  const nats = await startNats({
    dir: dir.path,
    config: `accounts {\n A: { jetstream: enabled, include "./acl.conf" }\n O: { users: [ { user: o, password: o } ] }\n}\n${more}`,
  });
  ends.push(dir.remove, nats.stop);
  let signals = 0;
  const signalReload = () => {
    signals++;
    void nats.kill("SIGHUP");
  };
  const options = { url: nats.url, hubSeed: hub.seed, systemSeed: newNkey().seed, timeoutMs: 2_000, reloadTimeoutMs: 1_000, signalReload };
  return { nats, aclFile, options, signals: () => signals };
}

async function openAcl(ground: Ground): Promise<{ acl: Acl; admit: (...keys: NkeyPair[]) => void; connection: BusConnection }> {
  const connection = await connectBus(ground.options);
  let entries: string[] = [];
  let revision = 1;
  const acl = createAcl({
    index: { entries: () => entries, revision: () => revision, version: () => revision },
    nats: connection,
    aclFile: ground.aclFile,
    hubNkey: hub.publicKey,
    clock: { now: () => 0 },
    log: () => undefined,
  });
  ends.push(
    () => connection.close(),
    () => acl.close(),
  );
  return {
    acl,
    connection,
    admit: (...keys) => {
      revision++;
      entries = keys.map(({ publicKey }) => aclEntry(publicKey, `_INBOX.${"b".repeat(32)}.>`, aclPermissions([], [])));
    },
  };
}

async function connectAs(ground: Ground, { seed }: NkeyPair): Promise<NatsConnection> {
  const connection = await connect({ servers: ground.nats.url, authenticator: nativeNkeyAuthenticator(seed), reconnect: false });
  ends.push(() => connection.close());
  return connection;
}

describe("an access list reloaded by signal", () => {
  it("is in force when the request resolves: the new are admitted, all of the removed are closed", async () => {
    const ground = await openGround();
    const { acl, admit, connection } = await openAcl(ground);
    expect(connection.system).toBe(undefined);
    const people = Array.from({ length: 60 }, () => newNkey());
    const [stays = newNkey(), ...leave] = people;
    admit(...people);
    await acl.request();
    expect(acl.state).toBe("live");
    const kept = await connectAs(ground, stays);
    const gone = await Promise.all(leave.map((key) => connectAs(ground, key)));
    admit(stays);
    await acl.request();
    const closings = await Promise.all(
      gone.map((one) =>
        one.flush().then(
          () => "open",
          () => "closed",
        ),
      ),
    );
    expect(new Set(closings)).toEqual(new Set(["closed"]));
    await kept.flush();
    await expect(connectAs(ground, leave[0] ?? stays)).rejects.toThrow(/Authorization/);
  });

  it("is one for a storm of changes", async () => {
    const ground = await openGround();
    const { acl, admit } = await openAcl(ground);
    await acl.request();
    const before = ground.signals();
    const waiting = Array.from({ length: 50 }, () => {
      admit(newNkey());
      return acl.request();
    });
    await Promise.all(waiting);
    expect(ground.signals() - before).toBeLessThanOrEqual(4);
  });

  it("counts as unknown while the server refuses its own configuration, and is put in force once it does not", async () => {
    const ground = await openGround();
    const { acl, admit } = await openAcl(ground);
    await acl.request();
    const file = join(ground.nats.dir, "test-nats.conf");
    const good = await readFile(file, "utf8");
    await appendFile(file, "no_such_option_at_all: {");
    admit(newNkey());
    await expect(acl.request()).rejects.toMatchObject({ code: "nats.unavailable" });
    expect(acl.state).toBe("fenced");
    await writeFile(file, good);
    await expect.poll(() => acl.state, { timeout: 5_000 }).toBe("live");
  });
});

describe("control of a server that somebody else runs", () => {
  const prove = ({ aclFile, options }: Ground) => proveExternalAcl(options, (added) => writeFile(aclFile, aclConfig(hub.publicKey, added)));

  it("is proved by keys that only the list can have let in", async () => {
    const ground = await openGround();
    await prove(ground);
    expect(ground.signals()).toBeGreaterThan(0);
  });

  it("is denied when the list is not read, or the signal goes elsewhere", async () => {
    const ground = await openGround();
    const elsewhere = { ...ground, aclFile: `${ground.aclFile}.other` };
    await expect(prove(elsewhere)).rejects.toMatchObject({ code: "nats.acl_unmanaged", faults: [{ path: "--nats-acl-file" }] });
    const unheard = { ...ground, options: { ...ground.options, signalReload: () => undefined } };
    await expect(prove(unheard)).rejects.toMatchObject({ code: "nats.acl_unmanaged" });
  });

  it("is denied when anybody is admitted without a key", async () => {
    const ground = await openGround("no_auth_user: o");
    await expect(prove(ground)).rejects.toMatchObject({ code: "nats.acl_unmanaged", faults: [{ path: "--nats-url" }] });
  });
});
