/** Lies told to the command line as a person runs it: what it prints, what it does not, and the exit code. */
import type { Epoch, HistoryFrame, PublicIdentity, Room, RoomMember } from "@althing/contract";
import { decodeEpoch, fromBase64url, identityFromSeeds, proposeEpoch, randomBytes } from "@althing/crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openWorkplace, type Ran, type Workplace } from "../e2e/althing-process.ts";
import { lieAbout, startHostileWorld, type FoundRoom, type HostileWorld } from "./hostile-world.ts";

let world: HostileWorld;
let place: Workplace;
let device = 0;

beforeAll(async () => {
  [world, place] = await Promise.all([startHostileWorld(), openWorkplace()]);
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});
afterEach(() => world.honest());

/** `althing …` as vera, through the liars. */
const run = (...args: string[]): Promise<Ran> =>
  place.run([...args, "--as", `vera-${device}.id`, "--url", world.proxy.url, "--nats", world.natsProxy.url, "--json"]);

/** Vera on a new device: the key file from her words, nothing remembered. */
async function newDevice(): Promise<void> {
  device += 1;
  const restored = await place.run(["identity", "restore", `vera-${device}.id`, "--phrase-file", "-"], {
    input: `${world.victimPhrase}\n`,
  });
  expect(restored.code, restored.stderr).toBe(0);
}

function expectRefused(ran: Ran, code: string, exit = 1): void {
  expect([ran.code, ran.stdout, ran.stderr]).toEqual([exit, expect.stringContaining(`"${code}"`), expect.anything()]);
  expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code } });
}

function parsed<T>(ran: Ran): T {
  expect(ran.code, ran.stderr + ran.stdout).toBe(0);
  return JSON.parse(ran.stdout) as T;
}

const texts = (ran: Ran) =>
  parsed<{ kind: string; text?: string }[]>(ran).flatMap((event) => (event.kind === "message" ? [event.text ?? ""] : []));

/** A room that vera has joined on this new device. */
async function joinedRoom(): Promise<FoundRoom> {
  await newDevice();
  const room = await world.foundRoom();
  parsed(await run("room", "join", room.name));
  return room;
}

interface HistoryAnswer {
  frames: HistoryFrame[];
}

describe("the command line, lied to", () => {
  test("answers that are none: HTML, a redirect, an endless body, a cut connection", async () => {
    await newDevice();
    world.lie({ onRequest: () => ({ answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" } }) });
    expectRefused(await run("room", "list"), "client.bad_answer");
    world.lie({ onRequest: () => ({ answer: { status: 307, headers: { location: "http://127.0.0.1:9/" }, body: "" } }) });
    expectRefused(await run("room", "list"), "client.bad_answer");
    world.lie({
      onRequest: () => ({ answer: { status: 200, headers: { "content-type": "application/json" }, body: "[".repeat(40 * 1024 * 1024) } }),
    });
    expectRefused(await run("room", "list"), "client.bad_answer");
    world.lie({ onRequest: () => "drop" });
    expectRefused(await run("room", "list"), "client.unreachable", 3);
  });

  test("a silent member is not among the members shown, and the warning is", async () => {
    const room = await joinedRoom();
    const ghost = await identityFromSeeds({ signSeed: randomBytes(32), kexSeed: randomBytes(32) });
    const row = {
      endpoint: ghost.endpoint,
      signPub: ghost.signPub,
      handle: "ghost",
      role: "member",
      joined: true,
      since: new Date().toISOString(),
    };
    world.lie(lieAbout("rooms.members", (answer: { members: RoomMember[] }) => ({ ...answer, members: [...answer.members, row] })));
    const shown = await run("room", "show", room.name);
    expect(
      parsed<{ members: { handle: string }[] }>(shown)
        .members.map((member) => member.handle)
        .toSorted(),
    ).toEqual(["alice", "bob", "vera"]);
    expect(shown.stderr).toContain("[epoch.forged]");
  });

  test("between two commands: a room at an older epoch, another record for the same epoch", async () => {
    const room = await joinedRoom();
    const old = parsed<{ room: Room }>(await run("room", "show", room.name)).room;
    await room.alice.rekey();
    parsed(await run("room", "show", room.name));
    world.lie(lieAbout("rooms.get", () => old));
    expectRefused(await run("room", "send", room.name, "under an old key"), "epoch.rolled_back");

    const { epochs } = await world.alice.client.call("rooms.epochs", { params: { room: room.alice.id }, query: { limit: 50 } });
    const [before, now] = epochs.slice(-2).map((entry) => decodeEpoch(fromBase64url(entry.record)));
    if (before === undefined || now === undefined) throw new Error("two epochs");
    const { record } = now;
    const other = await proposeEpoch({
      previous: before,
      room: record.room,
      name: record.name,
      policy: record.policy,
      members: record.members,
      reason: "rekey",
      identity: world.alice.identity,
      now: Date.now(),
      link: false,
    });
    world.lie({
      onResponse(route, json) {
        if (route === "rooms.get") return { ...(json as Room), epochHash: other.hash };
        return route === "rooms.epochs"
          ? {
              epochs: (json as { epochs: Epoch[] }).epochs.map((entry) =>
                entry.epoch === record.epoch ? { epoch: entry.epoch, record: other.proposal.record } : entry,
              ),
            }
          : json;
      },
    });
    expectRefused(await run("room", "send", room.name, "on the other side"), "epoch.forked");
  });

  test("a room that was encrypted: no plaintext leaves when the server says that it is not", async () => {
    const room = await joinedRoom();
    const bare = (info: Room) => ({ ...info, epoch: 0, epochHash: undefined, policy: { ...info.policy, encrypt: false } });
    world.lie({ onResponse: (route, json) => (route === "rooms.get" ? bare(json as Room) : json) });
    expectRefused(await run("room", "send", room.name, "bare words"), "epoch.forged");
    await newDevice();
    expectRefused(await run("room", "send", room.name, "bare words"), "epoch.forged");
    const { frames } = await world.alice.client.call("rooms.history", { params: { room: room.alice.id }, query: { limit: 10 } });
    expect(frames).toEqual([]);
  });

  test("other keys behind a handle: another endpoint, and a key that the endpoint did not sign", async () => {
    const room = await joinedRoom();
    parsed(await run("room", "safety", room.name, "alice"));
    const other = await identityFromSeeds({ signSeed: randomBytes(32), kexSeed: randomBytes(32) });
    world.lie(
      lieAbout("identities.get", (row: PublicIdentity) => ({ ...row, signPub: other.signPub, endpoint: other.endpoint, keys: other.card })),
    );
    expectRefused(await run("room", "safety", room.name, "alice"), "pin.changed");
    world.lie(lieAbout("identities.get", (row: PublicIdentity) => ({ ...row, keys: other.card })));
    expectRefused(await run("room", "safety", room.name, "alice"), "pin.forged");
  });

  test("a wrong key for the epoch: nothing is shown, nothing is sent", async () => {
    await newDevice();
    const room = await world.foundRoom();
    await room.alice.send("sealed");
    world.lie(
      lieAbout("rooms.epochs", (answer: { epochs: Epoch[] }) => ({
        ...answer,
        epochs: answer.epochs.map(({ sealed, ...entry }) => ({
          ...entry,
          ...(sealed === undefined ? {} : { sealed: { ...sealed, ct: sealed.ct.replace(/^./, (first) => (first === "A" ? "B" : "A")) } }),
        })),
      })),
    );
    expectRefused(await run("room", "history", room.name), "epoch.forged");
    expectRefused(await run("room", "send", room.name, "what key"), "epoch.forged");
  });

  test("messages again, from elsewhere, in a hole: each is shown once or not at all, and the warning is printed", async () => {
    const room = await joinedRoom();
    const yard = await world.foundRoom();
    for (const text of ["one", "two", "three"]) await room.alice.send(text);
    await yard.alice.send("of the yard");
    const foreign = (await world.alice.client.call("rooms.history", { params: { room: yard.alice.id }, query: { limit: 10 } })).frames[0];
    world.lie(
      lieAbout("rooms.history", (page: HistoryAnswer) => {
        const [first, , third] = page.frames;
        if (first === undefined || third === undefined || foreign === undefined) return page;
        return { ...page, frames: [first, { ...foreign, seq: first.seq + 1 }, third] };
      }),
    );
    const history = await run("room", "history", room.name);
    expect(texts(history)).toEqual(["one", "three"]);
    expect(history.stderr).toContain("[frame.misplaced]");
    expect(history.stderr).toContain("[frame.gap]");
    world.lie({ onMessage: (subject, _headers, _payload, message) => (subject.startsWith("s.") ? [message, message] : "pass") });
    expect(texts(await run("room", "tail", room.name, "--count", "3"))).toEqual(["one", "two", "three"]);
  });
});
