/**
 * Hearing that something came in rooms that are not open, against a real instance: through refusals, renewals, lost connections and ends.
 */
import { readdir, readFile } from "node:fs/promises";
import type { Room, RoomId } from "@althing/contract";
import { startInstance, type TestInstance } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type ActivityWatch,
  type AlthingClient,
  type ClientState,
  type Identity,
  type RoomActivity,
  type RoomEvent,
  type RoomHandle,
} from "./index.ts";

let instance: TestInstance;
let ada: Identity;
let bob: Identity;
let adas: AlthingClient;
const open: AlthingClient[] = [];
let names = 0;
const patience = { timeout: 20_000 };

function clientOf(identity: Identity, state: ClientState = openMemoryState()): AlthingClient {
  const client = createClient({ identity, urls: [instance.url], state });
  open.push(client);
  return client;
}

async function newcomer(handle: string): Promise<Identity> {
  const identity = await identityFromPhrase(newRecoveryPhrase());
  const { token } = await adas.call("invitations.create", { body: {} });
  await joinInstance({ url: instance.url, token, handle, identity });
  await clientOf(identity).publishKeys();
  return identity;
}

beforeAll(async () => {
  instance = await startInstance();
  ada = await identityFromPhrase(newRecoveryPhrase());
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  adas = createClient({ identity: ada, urls: [instance.url], state: openMemoryState() });
  bob = await newcomer("bob");
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await adas?.close();
  await instance?.stop();
});

/** A room of Ada's that `handle` has joined, by a client that is closed by then. */
async function roomWith(identity: Identity, handle: string): Promise<{ readonly mine: RoomHandle; readonly row: Room }> {
  const name = `room-${(names += 1)}`;
  const mine = await adas.rooms.create({ name });
  await mine.invite(handle);
  const joining = createClient({ identity, urls: [instance.url], state: openMemoryState() });
  await joining.rooms.join(name);
  const row = (await joining.rooms.list()).find(({ id }) => id === mine.id);
  await joining.close();
  if (row === undefined) throw new Error("the room is not in the list");
  return { mine, row };
}

/** A watch, and everything it told. */
function ear(client: AlthingClient) {
  const heard: RoomActivity[] = [];
  const listening: RoomId[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const one of waiting) one();
  };
  const watch: ActivityWatch = client.rooms.watchActivity({
    onActivity(activity) {
      heard.push(activity);
      wake();
    },
    onListening(rooms) {
      listening.push(...rooms);
      wake();
    },
  });
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        const one = () => {
          waiting.delete(one);
          resolve();
        };
        waiting.add(one);
      });
    }
  }
  return {
    ...{ watch, heard, listening, until },
    heardIn: (room: RoomId) => heard.filter((one) => one.room === room),
    listensIn: (room: RoomId, times = 1) => until(() => listening.filter((one) => one === room).length >= times),
    hears: (room: RoomId, seq: number) => until(() => heard.some((one) => one.room === room && one.seq === seq)),
  };
}

/** Sends, and says under which sequence the server has it. */
async function send(room: RoomHandle, text: string): Promise<number> {
  const { seq } = await room.send(text);
  if (seq === undefined) throw new Error("the room keeps what is sent");
  return seq;
}

async function natsServers(): Promise<number[]> {
  const parents = new Map<number, { readonly parent: number; readonly command: string }>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    parents.set(Number(entry), { parent: Number(/\) \w (\d+)/.exec(stat)?.[1] ?? 0), command });
  }
  const isOurs = (pid: number) => {
    for (let at = parents.get(pid)?.parent ?? 0; at > 1; at = parents.get(at)?.parent ?? 0) if (at === instance.pid) return true;
    return false;
  };
  return [...parents].flatMap(([pid, { command }]) => (command.includes("nats-server") && isOurs(pid) ? [pid] : []));
}

describe("rooms that are not open", { timeout: 60_000 }, () => {
  it("are heard with the sequence of what came, and nothing is read, asked or kept of them", async () => {
    const { mine, row } = await roomWith(bob, "bob");
    const state = openMemoryState();
    const bobs = clientOf(bob, state);
    const { watch, listensIn, hears, heard } = ear(bobs);
    watch.follow([row]);
    await listensIn(mine.id);
    for (const text of ["one", "two"]) await hears(mine.id, await send(mine, text));
    expect(heard.map(({ room }) => room)).toEqual([mine.id, mine.id]);
    expect(await state.load(`room/${mine.id}`)).toBeUndefined();
    expect(await state.entries(`room/${mine.id}`)).toEqual([]);
  });

  it("are counted by what others wrote, from a place on, up to a number", async () => {
    const { mine, row } = await roomWith(bob, "bob");
    const before = await send(mine, "read already");
    await send(mine, "one");
    await (await clientOf(bob).rooms.open(row.name)).send("from another device");
    const redacted = await mine.send("two");
    const last = (await mine.redact(redacted.id, "a slip")).seq;
    const bobs = clientOf(bob);
    expect(await bobs.rooms.countUnread(mine.id, { after: before, max: 100 })).toEqual({ count: 2, through: last });
    // Page by page, as far as it takes.
    expect(await bobs.rooms.countUnread(mine.id, { after: before, max: 2 })).toMatchObject({ count: 2 });
    expect(await bobs.rooms.countUnread(mine.id, { after: before, max: 1 })).toEqual({ count: 1, through: before + 1 });
    expect(await bobs.rooms.countUnread(mine.id, { after: last ?? 0, max: 100, least: last })).toEqual({ count: 0, through: last });
  });

  it("are heard beside an opened one, which misses nothing, while one after the other is opened and followed again", async () => {
    const [first, second] = [await roomWith(bob, "bob"), await roomWith(bob, "bob")];
    const bobs = clientOf(bob);
    const { watch, listensIn, hears } = ear(bobs);
    watch.follow([first.row, second.row]);
    await Promise.all([first, second].map(({ mine }) => listensIn(mine.id)));
    const written = new Map<RoomId, string[]>();
    const write = (room: RoomHandle, text: string) => {
      written.set(room.id, [...(written.get(room.id) ?? []), text]);
      return send(room, text);
    };
    for (const turn of [1, 2, 3, 4]) {
      for (const [one, other] of [
        [first, second],
        [second, first],
      ] as const) {
        watch.follow([other.row]);
        const texts: (string | undefined)[] = [];
        const opened = await bobs.rooms.open(one.row.name);
        const take = (event: RoomEvent) => (event.kind === "message" ? void texts.push(event.text) : undefined);
        const subscription = await opened.subscribe(take, { since: { last: 50 } });
        await hears(other.mine.id, await write(other.mine, `${turn} unopened`));
        await write(one.mine, `${turn} opened`);
        await expect.poll(() => texts, patience).toEqual(written.get(one.mine.id));
        await subscription.close();
        watch.follow([one.row, other.row]);
      }
    }
  });

  it("that refuse are no harm to those that do not, nor to the session, and are heard once they let one in", async () => {
    const good = await roomWith(bob, "bob");
    const opened = await roomWith(bob, "bob");
    const mine = await adas.rooms.create({ name: `room-${(names += 1)}` });
    const foreign = (await adas.rooms.list()).find(({ id }) => id === mine.id);
    if (foreign === undefined) throw new Error("the room is not in its founder's list");
    const bobs = clientOf(bob);
    const links: string[] = [];
    bobs.on("connection", ({ plane, state }) => (plane === "nats" ? links.push(state) : undefined));
    const texts: (string | undefined)[] = [];
    await (
      await bobs.rooms.open(opened.row.name)
    ).subscribe((event) => {
      if (event.kind === "message") texts.push(event.text);
    });
    const { watch, listensIn, hears, heardIn, listening } = ear(bobs);
    const nonsense = { id: `${foreign.id.slice(0, -1)}${foreign.id.endsWith("0") ? "1" : "0"}` as RoomId };
    const rows = [foreign, { ...nonsense, subjects: { publish: "", subscribe: "no subject\r\nPING" } }, good.row];
    watch.follow(rows);
    await listensIn(good.mine.id);
    await send(mine, "not for bob");
    await send(opened.mine, "for the opened one");
    await hears(good.mine.id, await send(good.mine, "for bob"));
    await expect.poll(() => texts, patience).toEqual(["for the opened one"]);
    expect([heardIn(foreign.id), listening]).toEqual([[], [good.mine.id]]);
    expect(links).toEqual(["connected"]);
    await mine.invite("bob");
    watch.follow(rows);
    await listensIn(foreign.id);
    await hears(foreign.id, await send(mine, "for bob now"));
  });

  it("fall silent for whoever is removed or when they are deleted, and the others are heard on", async () => {
    const [left, deleted, stays] = [await roomWith(bob, "bob"), await roomWith(bob, "bob"), await roomWith(bob, "bob")];
    const bobs = clientOf(bob);
    const links: string[] = [];
    bobs.on("connection", ({ plane, state }) => (plane === "nats" ? links.push(state) : undefined));
    const { watch, listensIn, hears, heardIn } = ear(bobs);
    const rows = [left.row, deleted.row, stays.row];
    watch.follow(rows);
    await Promise.all(rows.map(({ id }) => listensIn(id)));
    await left.mine.kick("bob");
    await deleted.mine.delete();
    const before = heardIn(left.row.id).length;
    await send(left.mine, "without bob");
    await hears(stays.row.id, await send(stays.mine, "with bob"));
    expect([heardIn(left.row.id).length, links]).toEqual([before, ["connected"]]);
  });

  it("are heard on over a renewed session, without a gap", async () => {
    const { mine, row } = await roomWith(bob, "bob");
    const bobs = clientOf(bob);
    const { watch, listensIn, hears } = ear(bobs);
    watch.follow([row]);
    await listensIn(mine.id);
    const seqs: number[] = [];
    let isRenewed = false;
    const renewal = bobs.refresh().finally(() => (isRenewed = true));
    do seqs.push(await send(mine, "meanwhile"));
    while (!isRenewed);
    await renewal;
    seqs.push(await send(mine, "afterwards"));
    for (const seq of seqs) await hears(mine.id, seq);
    await listensIn(mine.id, 2);
  });

  it("are heard again after the connection was lost, and it is said from when on", async () => {
    const { mine, row } = await roomWith(bob, "bob");
    const bobs = clientOf(bob);
    const { watch, listensIn, hears } = ear(bobs);
    watch.follow([row]);
    await listensIn(mine.id);
    const [server] = await natsServers();
    if (server === undefined) throw new Error("no nats-server below the supervisor");
    process.kill(server, "SIGKILL");
    await listensIn(mine.id, 2);
    await hears(mine.id, await send(mine, "after the loss"));
  });

  it("are followed no more: the subscription ends, other watches go on, and a closed one stays closed", async () => {
    const { mine, row } = await roomWith(bob, "bob");
    const bobs = clientOf(bob);
    const [closed, unfollowed, other] = [ear(bobs), ear(bobs), ear(bobs)];
    for (const { watch, listensIn } of [closed, unfollowed, other]) {
      watch.follow([row]);
      await listensIn(mine.id);
    }
    closed.watch.close();
    closed.watch.close();
    closed.watch.follow([row]);
    unfollowed.watch.follow([]);
    await other.hears(mine.id, await send(mine, "one"));
    await bobs.refresh();
    await other.hears(mine.id, await send(mine, "two"));
    expect([closed.heard, unfollowed.heard]).toEqual([[], []]);
    await bobs.close();
    await send(mine, "three");
    other.watch.follow([row]);
    expect(other.heard).toHaveLength(2);
  });

  it("are silent for whoever is revoked, and the session is not knocked for again", async () => {
    const carol = await newcomer("carol");
    const { mine, row } = await roomWith(carol, "carol");
    const carols = clientOf(carol);
    const states: string[] = [];
    let wake: () => void = () => undefined;
    carols.on("connection", ({ plane, state }) => {
      if (plane !== "nats") return;
      states.push(state);
      wake();
    });
    const { watch, listensIn, heard } = ear(carols);
    watch.follow([row]);
    await listensIn(mine.id);
    await adas.call("users.revoke", { params: { signPub: carol.signPub } });
    while (!states.includes("reconnecting")) await new Promise<void>((resolve) => (wake = resolve));
    await expect(carols.connect()).rejects.toMatchObject({ code: "auth.revoked" });
    const knocks = states.length;
    await mine.send("without carol");
    expect([heard, states.length, states.filter((state) => state === "connected").length]).toEqual([[], knocks, 1]);
  });
});
