/** What people can and cannot do on a real nats-server with the access list that the bus writes. */
import { connect as connectSocket } from "node:net";
import { headers as newHeaders, type NatsConnection } from "@nats-io/nats-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectAs } from "../test/connect-as.ts";
import { codeOf, collect, foundRoom, founderOf, inviteTo, kickFrom, startBus, type Person, type World } from "../test/start-bus.ts";

let world: World;
let ann: Person;
let bob: Person;
let eve: Person;

beforeAll(async () => {
  world = await startBus();
  ann = await world.person("ann");
  bob = await world.person("bob");
  eve = await world.person("eve");
});
afterAll(() => world.stop());

const texts = (frames: readonly { frame: string }[]) => frames.map((frame) => Buffer.from(frame.frame, "base64url").toString());
const historyOf = async (person: Person, room: string) =>
  texts((await world.bus.rooms.history(person.caller, { room: room as never, after: 0, limit: 100 })).frames);

/** Everything that reaches anybody: the hub's connection sees all subjects of the account. */
function watchAll() {
  return collect(world.connection.account, ">");
}

/** Publishes and waits until the server has read it. */
async function say(nats: NatsConnection, subject: string, text: string, reply?: string): Promise<void> {
  nats.publish(subject, text, reply === undefined ? {} : { reply });
  await nats.flush();
}

async function refusedSubscription(nats: NatsConnection, subject: string): Promise<boolean> {
  const { subscription } = collect(nats, subject);
  return Promise.race([
    subscription.closed.then((reason) => reason instanceof Error && reason.message.includes("Permissions Violation")),
    nats
      .flush()
      .then(() => nats.flush())
      .then(() => false),
  ]);
}

describe("permissions", () => {
  it("are live without reconnecting: an invited member reads and writes, a kicked one neither, on the same connection", async () => {
    const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
    const { held, room } = await foundRoom(world, ann, "garden");
    await inviteTo(world, held, ann, bob);
    const got = collect(sb.nats, room.subjects.subscribe);
    await sb.nats.flush();
    await say(sa.nats, room.subjects.publish, "hello");
    await got.count(1);
    expect(got.got[0]).toMatchObject({ text: "hello", previous: "0" });
    await say(sb.nats, room.subjects.publish, "hello ann");
    await got.count(2);
    await kickFrom(world, held, ann, bob);
    await say(sa.nats, room.subjects.publish, "without bob");
    await say(sb.nats, room.subjects.publish, "still here?");
    expect(await historyOf(ann, held.id)).toEqual(["hello", "hello ann", "without bob"]);
    expect(got.got).toHaveLength(2);
  });

  it("let nobody outside read a room, by its subject, a wildcard or a queue", async () => {
    const { room } = await foundRoom(world, ann, "closed");
    const { nats } = await world.session(eve);
    for (const subject of [
      room.subjects.subscribe,
      room.subjects.publish,
      "s.>",
      "s.*.*",
      "r.>",
      ">",
      "*.>",
      "$JS.>",
      "$SYS.>",
      "_INBOX.>",
      "h.beat",
    ]) {
      expect(await refusedSubscription(nats, subject), subject).toBe(true);
    }
  });

  it("allow a member of a persisted room its input alone: not the output, no JetStream, no inbox of others, no wildcard", async () => {
    const { held, room } = await foundRoom(world, ann, "narrow");
    const [sa, se] = await Promise.all([world.session(ann), world.session(eve)]);
    const all = watchAll();
    await world.connection.account.flush();
    const forbidden = [
      room.subjects.subscribe,
      "$JS.API.STREAM.PURGE.R0",
      "$JS.API.STREAM.DELETE.R0",
      "$JS.API.DIRECT.GET.R0",
      `_INBOX.${se.inbox}.notice`,
      `_INBOX.${sa.inbox}.notice`,
      "$SYS.REQ.SERVER.PING",
      "h.beat",
      "r.0.x",
      "anything",
    ];
    for (const subject of forbidden) await say(sa.nats, subject, '{"by":"ann"}');
    await say(sa.nats, room.subjects.publish, "allowed");
    // What the hub itself says meanwhile is not hers; her own comes in her order, so what is forbidden would be there before.
    const hers = () => all.got.filter((message) => ['{"by":"ann"}', "allowed"].includes(message.text));
    await expect.poll(() => hers().length).toBeGreaterThanOrEqual(2);
    expect(new Set(hers().map((message) => message.subject))).toEqual(new Set([room.subjects.publish, room.subjects.subscribe]));
    all.subscription.unsubscribe();
    expect(await historyOf(ann, held.id)).toEqual(["allowed"]);
  });

  it("let members of a room that keeps nothing publish on the output itself, and history is refused", async () => {
    const { held, room } = await foundRoom(world, ann, "fleeting", { persist: false });
    expect(room.subjects.publish).toBe(room.subjects.subscribe);
    await inviteTo(world, held, ann, bob);
    const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
    const got = collect(sb.nats, room.subjects.subscribe);
    await sb.nats.flush();
    await say(sa.nats, room.subjects.publish, "now or never");
    await got.count(1);
    expect(await codeOf(world.bus.rooms.history(ann.caller, { room: held.id, after: 0, limit: 1 }))).toBe("room.not_persisted");
  });

  it("reach an invited person before it accepts, for it is in the record already", async () => {
    const { held, room } = await foundRoom(world, ann, "waiting");
    const { nats } = await world.session(bob);
    await inviteTo(world, held, ann, bob, { accept: false });
    expect(await refusedSubscription(nats, room.subjects.subscribe)).toBe(false);
  });
});

describe("a forged reply subject", () => {
  it("makes nobody write or deliver anything anywhere", async () => {
    const { held: mine, room: own } = await foundRoom(world, eve, "eves");
    const { room: fleeting } = await foundRoom(world, eve, "eves-fleeting", { persist: false });
    const { held: theirs, room: target } = await foundRoom(world, ann, "target");
    const [se, sa] = await Promise.all([world.session(eve), world.session(ann)]);
    const inbox = collect(sa.nats, `_INBOX.${sa.inbox}.>`);
    const heard = collect(sa.nats, target.subjects.subscribe);
    await sa.nats.flush();
    const all = watchAll();
    await world.connection.account.flush();
    const replies = [
      target.subjects.publish,
      target.subjects.subscribe,
      "$JS.API.STREAM.PURGE.R0",
      "$JS.API.CONSUMER.CREATE.R0",
      `_INBOX.${sa.inbox}.notice`,
      "$SYS.REQ.SERVER.PING",
      "_INBOX.hub.1",
    ];
    for (const reply of replies) {
      await say(se.nats, own.subjects.publish, `to ${reply}`, reply);
      await say(se.nats, fleeting.subjects.publish, `to ${reply}`, reply);
    }
    await all.count(replies.length * 3);
    await sa.nats.flush();
    all.subscription.unsubscribe();
    // The hub counts what rooms hold: its consumer asks for more whenever it has taken some.
    const isCounting = ({ subject, text }: { readonly subject: string; readonly text: string }) =>
      subject.startsWith("$JS.API.CONSUMER.MSG.NEXT.R0.") && text.startsWith('{"batch":');
    const touched = new Set(all.got.filter((message) => !isCounting(message)).map((message) => message.subject));
    expect(touched).toEqual(new Set([own.subjects.publish, own.subjects.subscribe, fleeting.subjects.publish]));
    expect(inbox.got).toEqual([]);
    expect(heard.got).toEqual([]);
    expect(await historyOf(ann, theirs.id)).toEqual([]);
    expect(await historyOf(eve, mine.id)).toHaveLength(replies.length);
  });
});

describe("headers of a writer's choice", () => {
  it("cannot roll up, schedule into another room, expire, count or batch", async () => {
    const { held: theirs, room: target } = await foundRoom(world, ann, "quiet");
    const { held: mine, room: own } = await foundRoom(world, eve, "loud");
    const { nats } = await world.session(eve);
    const send = async (pairs: Record<string, string>) => {
      const headers = newHeaders();
      for (const [name, value] of Object.entries(pairs)) headers.set(name, value);
      nats.publish(own.subjects.publish, "x", { headers });
      await nats.flush();
    };
    const { nats: annsNats } = await world.session(ann);
    await say(annsNats, target.subjects.publish, "first");
    await send({ "Nats-Rollup": "all" });
    await send({ "Nats-Rollup": "sub" });
    await send({ "Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": target.subjects.publish });
    await send({ "Nats-TTL": "1" });
    await send({ "Nats-Incr": "+1" });
    await send({ "Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1" });
    expect(await historyOf(ann, theirs.id)).toEqual(["first"]);
    expect(await historyOf(eve, mine.id)).toEqual([]);
  });

  it("do not let one room's member swallow another's message by its deduplication id", async () => {
    const { held, room } = await foundRoom(world, ann, "twice");
    const { nats } = await world.session(ann);
    const headers = newHeaders();
    headers.set("Nats-Msg-Id", "same");
    const got = collect(nats, room.subjects.subscribe);
    nats.publish(room.subjects.publish, "one", { headers });
    await got.count(1);
    await new Promise((resolve) => setTimeout(resolve, 250));
    nats.publish(room.subjects.publish, "two", { headers });
    await got.count(2);
    expect(await historyOf(ann, held.id)).toEqual(["one", "two"]);
  });

  it("forging the server's own, or a status line, change neither cursor nor gap check nor the end of history", async () => {
    const { held, room } = await foundRoom(world, eve, "liar");
    const { nats, seed } = await world.session(eve);
    const headers = newHeaders();
    headers.append("Nats-Sequence", "999999");
    headers.append("Nats-Last-Sequence", "999998");
    headers.append("Nats-Num-Pending", "7");
    headers.append("Nats-Time-Stamp", "not a time");
    headers.append("Nats-Msg-Size", "1");
    const got = collect(nats, room.subjects.subscribe);
    nats.publish(room.subjects.publish, "forged", { headers });
    await got.count(1);
    await rawPublish(world.url, seed, room.subjects.publish, "NATS/1.0 204 EOB\r\n\r\n", "status");
    await got.count(2);
    await say(nats, room.subjects.publish, "plain");
    await got.count(3);
    const history = await world.bus.rooms.history(eve.caller, { room: held.id, after: 0, limit: 10 });
    expect(texts(history.frames)).toEqual(["forged", "status", "plain"]);
    expect(history.frames.map((frame) => String(frame.seq))).toEqual(got.got.map((message) => message.seq));
    expect(history.frames.map((frame) => frame.previous)).toEqual([0, history.frames[0]?.seq, history.frames[1]?.seq]);
    expect(history.next).toBeUndefined();
    const one = await world.bus.rooms.history(eve.caller, { room: held.id, after: 0, last: 1, limit: 1 });
    expect(texts(one.frames)).toEqual(["plain"]);
  });
});

/** Speaks the protocol itself: client libraries do not send such header blocks. */
async function rawPublish(url: string, seed: string, subject: string, headerBlock: string, payload: string): Promise<void> {
  const { nativeNkeyAuthenticator } = await import("./nkey-authenticator.ts");
  const { hostname, port } = new URL(url);
  const socket = connectSocket(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    let text = "";
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const nonce = /"nonce":"([^"]+)"/.exec(text)?.[1];
      if (nonce) {
        text = "";
        const auth = nativeNkeyAuthenticator(seed)(nonce);
        socket.write(`CONNECT ${JSON.stringify({ ...auth, headers: true, protocol: 1, verbose: false, lang: "test", version: "1" })}\r\n`);
        socket.write(
          `HPUB ${subject} ${headerBlock.length} ${headerBlock.length + payload.length}\r\n${headerBlock}${payload}\r\nPING\r\n`,
        );
      } else if (text.includes("PONG")) resolve();
    });
  });
  socket.destroy();
}

describe("ends", () => {
  it("a revoked user's connections are closed before the answer, and its key is admitted no more", async () => {
    const max = await world.person("max");
    const session = await world.session(max);
    const closed = session.nats.closed();
    const started = performance.now();
    await world.bus.users.revoke(founderOf(world).caller, { signPub: max.identity.signPub });
    await closed;
    expect(performance.now() - started).toBeLessThan(2_000);
    await expect(connectAs(world.url, session.seed, session.inbox)).rejects.toThrow(/authorization/i);
    expect(await codeOf(world.bus.users.authenticate(max.identity.signPub))).toBe("auth.revoked");
    expect(await codeOf(world.session(max))).toBe("auth.revoked");
  });

  it("a closed session's connection ends, other sessions of the same user live on", async () => {
    const [one, two] = [await world.session(bob), await world.session(bob)];
    const ended = one.nats.closed();
    await world.bus.sessions.close(bob.caller, { nkey: one.nkey as never });
    await ended;
    await two.nats.flush();
    expect(await codeOf(world.bus.sessions.close(bob.caller, { nkey: one.nkey as never }))).toBe("session.not_found");
    expect(await codeOf(world.bus.sessions.close(eve.caller, { nkey: two.nkey as never }))).toBe("session.not_found");
  });

  it("an expired session leaves the access list with the next sweep", async () => {
    const zoe = await world.person("zoe");
    const session = await world.session(zoe);
    const ended = session.nats.closed();
    world.clock.advance(13 * 60 * 60 * 1_000);
    await world.bus.sweep();
    await ended;
  });

  it("a deleted room is silent at once, its history gone, its id never usable again", async () => {
    const { held, room } = await foundRoom(world, ann, "doomed");
    await inviteTo(world, held, ann, bob);
    const session = await world.session(bob);
    await say(session.nats, room.subjects.publish, "remember me");
    await world.bus.rooms.delete(ann.caller, { room: held.id });
    await say(session.nats, room.subjects.publish, "after the end");
    const state = await world.connection.account.request(
      "$JS.API.STREAM.INFO.R0",
      JSON.stringify({ subjects_filter: room.subjects.publish }),
    );
    expect(state.json<{ state: { subjects?: unknown } }>().state.subjects).toBeUndefined();
    expect(await codeOf(world.bus.rooms.get(ann.caller, { room: held.id }))).toBe("room.not_found");
    expect(
      await codeOf(
        world.bus.rooms.create(ann.caller, { id: held.id, name: held.name, policy: { ...held.policy, encrypt: false }, suite: "hpke-v1" }),
      ),
    ).toBe("request.conflict");
    await foundRoom(world, ann, "doomed");
  });
});

describe("notices", () => {
  it("tell every session of the members what changed, and the kicked one that it is out", async () => {
    const [sa, sb] = await Promise.all([world.session(ann), world.session(bob)]);
    const [na, nb] = [collect(sa.nats, `_INBOX.${sa.inbox}.notice`), collect(sb.nats, `_INBOX.${sb.inbox}.notice`)];
    await Promise.all([sa.nats.flush(), sb.nats.flush()]);
    const { held } = await foundRoom(world, ann, "news");
    await inviteTo(world, held, ann, bob);
    await kickFrom(world, held, ann, bob);
    await nb.count(3);
    await na.count(3);
    expect(nb.got.map((message) => (JSON.parse(message.text) as { type: string }).type)).toEqual([
      "room.added",
      "room.changed",
      "room.removed",
    ]);
    expect(na.got.map((message) => (JSON.parse(message.text) as { type: string }).type)).toEqual([
      "room.changed",
      "room.changed",
      "room.changed",
    ]);
  });
});
