/**
 * The library against a real instance: hub, nats-server and store as a person starts them.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { echoHeaders, isAppError, limits, type RoomPolicy } from "@althing/contract";
import { headers } from "@nats-io/nats-core";
import { platform } from "#platform";
import { startInstance, tempDir, type TestInstance } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  claimInstance,
  createClient,
  fetchHealth,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openFileState,
  openMemoryState,
  type AlthingClient,
  type ClientOptions,
  type ClientState,
  type ClientWarning,
  type Identity,
  type RoomEvent,
} from "./index.ts";

let instance: TestInstance;
let ada: Identity;
let bob: Identity;
let carol: Identity;
const open: AlthingClient[] = [];
let names = 0;
const freshName = () => `room-${(names += 1)}`;

function clientOf(
  identity: Identity,
  state: ClientState = openMemoryState(),
  warnings: ClientWarning[] = [],
  more: Partial<ClientOptions> = {},
): AlthingClient {
  const client = createClient({ identity, urls: [instance.url], state, ...more });
  client.on("warning", (warning) => warnings.push(warning));
  open.push(client);
  return client;
}

beforeAll(async () => {
  instance = await startInstance();
  [ada, bob, carol] = (await Promise.all([1, 2, 3].map(() => identityFromPhrase(newRecoveryPhrase())))) as [Identity, Identity, Identity];
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  const admin = clientOf(ada);
  for (const [identity, handle] of [
    [bob, "bob"],
    [carol, "carol"],
  ] as const) {
    const { token: invitation } = await admin.call("invitations.create", { body: {} });
    await joinInstance({ url: instance.url, token: invitation, handle, identity });
  }
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});
afterAll(() => instance.stop());

/** Ada's room with Bob in it, and both clients. */
async function roomForTwo(policy: Partial<RoomPolicy> = {}, bobState?: ClientState, more: Partial<ClientOptions> = {}) {
  const name = freshName();
  const warnings: ClientWarning[] = [];
  const [adas, bobs] = [clientOf(ada, undefined, warnings, more), clientOf(bob, bobState, warnings, more)];
  const mine = await adas.rooms.create({ name, policy });
  await mine.invite("bob");
  await bobs.identityOf("ada");
  const { room } = await bobs.rooms.join(name);
  if (room === undefined) throw new Error("bob was not let in");
  return { name, adas, bobs, mine, his: room, warnings };
}

function collector() {
  const events: RoomEvent[] = [];
  const waiting = new Set<() => void>();
  return {
    events,
    texts: () => events.flatMap((event) => (event.kind === "message" ? [event.text ?? ""] : [])),
    handler: (event: RoomEvent) => {
      events.push(event);
      for (const wake of waiting) wake();
    },
    async until(done: (events: readonly RoomEvent[]) => boolean): Promise<void> {
      while (!done(events)) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
  };
}

const messages = (count: number) => (events: readonly RoomEvent[]) => events.filter((event) => event.kind === "message").length >= count;

describe("rooms of every policy", () => {
  const policies: Partial<RoomPolicy>[] = [true, false].flatMap((encrypt) =>
    [true, false].flatMap((persist) => [true, false].map((sign) => ({ encrypt, persist, sign }))),
  );
  it.each(policies)("carries messages both ways, in order, once, and authenticated exactly when signed: %o", async (policy) => {
    const { mine, his, warnings } = await roomForTwo(policy);
    const heard = collector();
    await his.subscribe(heard.handler);
    const sent = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    await Promise.all(sent.map((text) => mine.send(text)));
    await his.send("answer");
    await heard.until(messages(51));
    expect(heard.texts().filter((text) => text !== "answer")).toEqual(sent);
    expect(heard.events.every((event) => event.kind !== "message" || event.authenticated === policy.sign)).toBe(true);
    expect(warnings).toEqual([]);
  });
});

describe("membership", () => {
  it("shuts a removed member out of the next message, and says so in an epoch event", async () => {
    const { mine, his } = await roomForTwo();
    const heard = collector();
    const own = collector();
    await his.subscribe(heard.handler);
    await mine.subscribe(own.handler);
    await mine.send("before");
    await heard.until(messages(1));
    await mine.kick("bob");
    await mine.send("after");
    await own.until((events) => messages(2)(events) && events.some((event) => event.kind === "epoch" && event.reason === "kick"));
    expect(heard.texts()).toEqual(["before"]);
    await expect(his.history({ last: 5 })).rejects.toMatchObject({ code: "room.not_found" });
  });

  it("shows history from the join on, or all of it, as the policy says", async () => {
    for (const history of ["from-join", "shared"] as const) {
      const name = freshName();
      const mine = await clientOf(ada).rooms.create({ name, policy: { history } });
      await mine.send("early");
      await mine.invite("bob");
      await mine.send("late");
      const { room } = await clientOf(bob).rooms.join(name);
      const seen = (await room?.history({ last: 10 })) ?? [];
      expect(seen.map((event) => event.kind === "message" && event.text)).toEqual(history === "shared" ? ["early", "late"] : ["late"]);
    }
  });

  it("renews the key before the next message when somebody left", async () => {
    const { mine, his } = await roomForTwo();
    const before = (await mine.info()).epoch;
    await his.leave();
    await mine.info();
    await mine.send("without him");
    const after = await mine.info();
    expect(after.epoch).toBe(before + 1);
    expect(after.rekeyNeeded).toBe(false);
    expect((await mine.members()).map((member) => member.handle)).toEqual(["ada"]);
  });

  it("renews the key by itself after as many messages as one epoch carries, and the other reads on", async () => {
    const { mine, his } = await roomForTwo({ persist: false });
    const seen = collector();
    await his.subscribe(seen.handler);
    const before = (await mine.info()).epoch;
    for (let sent = 0; sent < limits.epochMaxMessages; sent += 500) await Promise.all(Array.from({ length: 500 }, () => mine.send("x")));
    expect((await mine.info()).epoch).toBe(before);
    await mine.send("under a new key");
    expect((await mine.info()).epoch).toBe(before + 1);
    await seen.until((events) => events.some((event) => event.kind === "message" && event.text === "under a new key"));
  }, 60_000);

  it("renews a key that is a week old before the next message, once, and the other reads on", async () => {
    let laterMs = 0;
    const { mine, his } = await roomForTwo({}, undefined, { roomNow: () => Date.now() + laterMs });
    const seen = collector();
    await his.subscribe(seen.handler);
    const before = (await mine.info()).epoch;
    laterMs = limits.epochMaxAgeSeconds * 1_000 - 60_000;
    await mine.send("a minute too early");
    expect((await mine.info()).epoch).toBe(before);
    laterMs += 120_000;
    await mine.send("under a new key");
    await his.send("and under the same");
    expect((await mine.info()).epoch).toBe(before + 1);
    await seen.until(messages(3));
    expect(seen.events).toContainEqual(expect.objectContaining({ kind: "epoch", reason: "rekey", epoch: before + 1, maker: ada.endpoint }));
    expect(seen.texts()).toEqual(["a minute too early", "under a new key", "and under the same"]);
  });

  it("renews at once, and once, a key whose record is dated so far ahead that it would never be a week old", async () => {
    let laterMs = limits.epochMaxAgeSeconds * 1_000_000;
    const { mine, his } = await roomForTwo({}, undefined, { roomNow: () => Date.now() + laterMs });
    const before = (await mine.info()).epoch;
    laterMs = 0;
    await his.send("first");
    await mine.send("second");
    await his.send("third");
    expect((await mine.info()).epoch).toBe(before + 1);
  });

  it("lets somebody in who asked, and changes roles", async () => {
    const { mine, name } = await roomForTwo();
    const carols = clientOf(carol);
    expect((await carols.rooms.join(name)).status).toBe("requested");
    const [request] = await mine.requests();
    expect(request?.handle).toBe("carol");
    await mine.admit(carol.endpoint);
    await mine.setRole("carol", "moderator");
    expect((await carols.rooms.join(name)).status).toBe("joined");
    const theirs = await carols.rooms.open(name);
    expect((await theirs.members()).find((member) => member.handle === "carol")?.role).toBe("moderator");
  });

  it("loses no change when several members change the room at once", async () => {
    const { mine, his } = await roomForTwo();
    await mine.setRole("bob", "owner");
    await his.info();
    await Promise.all([mine.invite("carol"), his.rekey(), mine.rekey(), his.rekey()]);
    expect((await mine.members()).map((member) => member.handle).toSorted()).toEqual(["ada", "bob", "carol"]);
    await mine.send("still one room");
    expect((await mine.info()).epochHash).toBe((await his.info()).epochHash);
  });
});

describe("delivery", () => {
  it("is once for a client state, over restarts of the client", async () => {
    await using folder = await tempDir();
    const { name, mine, his, bobs } = await roomForTwo({}, await openFileState(join(folder.path, "first.state")));
    const heard = collector();
    const subscription = await his.subscribe(heard.handler);
    await mine.send("one");
    await heard.until(messages(1));
    await subscription.close();
    await bobs.close();
    await mine.send("two");
    const again = clientOf(bob, await openFileState(join(folder.path, "first.state")));
    const room = await again.rooms.open(name);
    const later = collector();
    await room.subscribe(later.handler);
    await mine.send("three");
    await later.until(messages(2));
    expect(later.texts()).toEqual(["two", "three"]);
    await again.close();
    const files = await readdir(join(folder.path, "first.state"));
    for (const file of files) expect(await readFile(join(folder.path, "first.state", file), "utf8")).not.toContain("three");
  });

  it("repeats the message whose handler failed, to the next subscription, and rejects `done` of the one that failed", async () => {
    const { mine, his } = await roomForTwo();
    const first = await his.subscribe((event) => {
      if (event.kind === "message" && event.text === "two") throw new Error("handler failed");
    });
    const failed = expect(first.done).rejects.toThrow("handler failed");
    for (const text of ["one", "two", "three"]) await mine.send(text);
    await failed;
    const later = collector();
    await his.subscribe(later.handler);
    await later.until(messages(2));
    expect(later.texts()).toEqual(["two", "three"]);
  });

  it("goes on over a fresh session without losing or doubling anything", async () => {
    const { mine, his, adas, bobs, warnings } = await roomForTwo();
    const heard = collector();
    await his.subscribe(heard.handler);
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < 60; index += 1) {
      sent.push(mine.send(`message ${index}`));
      if (index === 20) sent.push(adas.refresh());
      if (index === 40) sent.push(bobs.refresh());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(sent);
    await heard.until(messages(60));
    expect(heard.texts()).toEqual(Array.from({ length: 60 }, (_, index) => `message ${index}`));
    expect(warnings).toEqual([]);
  });

  it("starts where it is told: now, the beginning, the last few", async () => {
    const { mine, his } = await roomForTwo();
    for (const text of ["one", "two", "three"]) await mine.send(text);
    const from = async (since: "now" | "start" | { last: number }) => {
      const heard = collector();
      const subscription = await his.subscribe(heard.handler, { since });
      const texts = heard.texts();
      await subscription.close();
      return texts;
    };
    expect(await from({ last: 2 })).toEqual(["two", "three"]);
    expect(await from("start")).toEqual(["one", "two", "three"]);
    expect(await from("now")).toEqual([]);
  });

  it("keeps a redaction from the author or a moderator, and drops anybody else's", async () => {
    const { mine, his, warnings } = await roomForTwo();
    const { id } = await mine.send("regretted");
    await his.redact(id, "not mine to take back");
    expect((await mine.history({ last: 5 })).map((event) => event.kind === "message" && event.text)).toEqual(["regretted"]);
    expect(warnings.map((warning) => warning.code)).toContain("frame.forged");
    await mine.redact(id, "a slip");
    const [event] = await his.history({ last: 5 });
    expect(event).toMatchObject({ kind: "message", redacted: { reason: "a slip" } });
    expect(event?.kind === "message" && event.text).toBeUndefined();
  });

  it("hands a redaction on whose target lies before what was read, for its sender's own messages alone", async () => {
    const { mine, his, warnings } = await roomForTwo();
    const { id } = await his.send("long ago");
    await his.redact(id, "a slip");
    await mine.redact(id, "once more");
    const { id: spared } = await mine.send("mine, and not his to redact");
    await his.redact(spared, "not his");
    const { events, handler } = collector();
    const subscription = await mine.subscribe(handler, { since: { last: 4 } });
    await subscription.close();
    expect(events.map((event) => event.kind === "control" && [event.target, event.reason, event.moderates])).toEqual([
      [id, "a slip", false],
      [id, "once more", true],
      false,
    ]);
    expect(warnings.map((warning) => warning.code)).toEqual(["frame.forged"]);
  });

  it("tells what each epoch changed, and nothing of epochs that a member is not served", async () => {
    const { mine, his } = await roomForTwo();
    const [made, invited] = [await mine.epochChange(1), await mine.epochChange(2)];
    expect(made).toMatchObject({ epoch: 1, reason: "create", removed: [] });
    expect(made?.added.map(({ role }) => role)).toEqual(["owner"]);
    expect(invited).toMatchObject({ epoch: 2, reason: "invite" });
    expect(invited?.added).toHaveLength(1);
    expect(await mine.epochChange(99)).toBeUndefined();
    expect(await his.epochChange(1)).toBeUndefined();
  });

  it("keeps a message whose id somebody else used first, when that person redacts the id", async () => {
    const { mine, his } = await roomForTwo();
    const { id } = await his.send("a decoy under an id that he heard of early");
    await mine.send("what mine says", { id });
    await his.redact(id, "gone?");
    const texts = (await mine.history({ last: 5 })).flatMap((event) => (event.kind === "message" ? [event.text] : []));
    expect(texts).toEqual([undefined, "what mine says"]);
  });

  it("tells a refusal from a node that is down, whichever of several was asked last", async () => {
    const { adas } = await roomForTwo();
    const session = await adas.call("session.open", { body: { nkey: (await platform.createSessionKey()).nkey } });
    const target = {
      ...{ apiUrl: instance.url, inboxPrefix: `_INBOX.${session.inbox}`, ca: undefined, timeoutMs: 5_000, pingMs: 10_000 },
      key: await platform.createSessionKey(),
    };
    const down = "nats://127.0.0.1:1";
    for (const nats of [
      [...session.nats, down],
      [down, ...session.nats],
    ])
      await expect(platform.connectBus({ ...target, nats })).rejects.toMatchObject({ name: "AuthorizationError" });
  });

  it("is not misled by a member who writes the server's headers", async () => {
    const state = openMemoryState();
    const { name, mine, his, bobs, adas, warnings } = await roomForTwo({}, state);
    const heard = collector();
    const subscription = await his.subscribe(heard.handler);
    await mine.send("one");
    const key = await platform.createSessionKey();
    const session = await adas.call("session.open", { body: { nkey: key.nkey } });
    const { connection } = await platform.connectBus({
      apiUrl: instance.url,
      nats: session.nats,
      inboxPrefix: `_INBOX.${session.inbox}`,
      key,
      ca: undefined,
      timeoutMs: 5_000,
      pingMs: 10_000,
    });
    const misleading = headers();
    misleading.set(echoHeaders.sequence, "900000000");
    misleading.set(echoHeaders.lastSequence, "899999999");
    connection.publish((await mine.info()).subjects.publish, "junk", { headers: misleading });
    await connection.flush();
    await mine.send("two");
    await heard.until(messages(2));
    await subscription.close();
    await connection.close();
    await mine.send("three");
    expect(warnings.map((warning) => warning.code).filter((one) => one !== "first-sight")).toEqual(["frame.malformed"]);
    expect(await state.entries(`room/${his.id}`)).not.toContainEqual(expect.objectContaining({ h: 900_000_000 }));
    await bobs.close();
    const later = collector();
    await (await clientOf(bob, state).rooms.open(name)).subscribe(later.handler);
    await later.until(messages(1));
    expect(later.texts()).toEqual(["three"]);
  });

  it("refuses a message that is too large before it takes a counter", async () => {
    const { mine, his, warnings } = await roomForTwo();
    const heard = collector();
    await his.subscribe(heard.handler);
    await expect(mine.send(new Uint8Array(limits.frameMaxBytes))).rejects.toMatchObject({ code: "frame.too_large" });
    await mine.send("small");
    await heard.until(messages(1));
    expect(warnings).toEqual([]);
  });
});

describe("blobs, identities, addresses", () => {
  it("carries a blob whose key travels in the message only", async () => {
    const { adas, bobs, mine, his } = await roomForTwo();
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const blob = await adas.putBlob(bytes, { room: mine.id });
    const heard = collector();
    await his.subscribe(heard.handler);
    await mine.send("see this", { blob });
    await heard.until(messages(1));
    const [event] = heard.events;
    if (event?.kind !== "message" || event.blob === undefined) throw new Error("no blob came");
    expect(await bobs.getBlob(event.blob.hash, event.blob.key)).toEqual(bytes);
  });

  it("gives both sides the same safety number", async () => {
    const { adas, bobs } = await roomForTwo();
    expect(await adas.safetyNumber("bob")).toBe(await bobs.safetyNumber("ada"));
  });

  it("stops at a handle that is not who it was", async () => {
    const state = openMemoryState();
    await state.save("pins", { handles: { bob: carol.endpoint }, rooms: {} });
    await expect(clientOf(ada, state).identityOf("bob")).rejects.toMatchObject({ code: "pin.changed" });
  });

  it("fails over to an address that answers, and refuses one in clear text", async () => {
    const client = createClient({ identity: ada, urls: ["http://127.0.0.1:1", instance.url], state: openMemoryState() });
    expect((await client.me()).handle).toBe("ada");
    expect(client.url).toBe(instance.url);
    await client.close();
    await expect(client.me()).rejects.toSatisfy(isAppError);
    for (const url of ["http://example.org", "ftp://localhost", "https://user:word@example.org"]) {
      expect(() => createClient({ identity: ada, urls: [url], state: openMemoryState() })).toThrow(
        expect.objectContaining({ code: "client.insecure_target" }),
      );
    }
    expect(() =>
      createClient({ identity: ada, urls: [instance.url], nats: ["nats://example.org:4222"], state: openMemoryState() }),
    ).toThrow(expect.objectContaining({ code: "client.insecure_target" }));
  });

  it("reads the posture without an identity", async () => {
    expect((await fetchHealth(instance.url)).status).toBe("ready");
  });
});
