/**
 * What is unread in rooms that nobody has open, in the shipped page: heard over the connection, counted by the server, and no harm to rooms that are open.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RoomHandle } from "@althing/client";
import type { Page, WebSocket } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
import { desktop, keepIdentity, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let alice: WebPerson;
let bob: WebPerson;

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  bob = await world.person("bob");
}, 90_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

interface SharedRoom {
  readonly name: string;
  readonly mine: RoomHandle;
  /** Bob's, on another device. */
  readonly his: RoomHandle;
}

let names = 0;

/** A room of Alice's that Bob is in; of this attempt, so that another one does not find it. */
async function roomOf(word: string): Promise<SharedRoom> {
  const name = `${word}-${(names += 1)}`;
  const mine = await alice.client.rooms.create({ name });
  await mine.invite("bob");
  const { room: his } = await bob.client.rooms.join(name);
  if (his === undefined) throw new Error("bob was invited");
  return { name, mine, his };
}

const subjectOf = async (room: RoomHandle) => (await room.info()).subjects.subscribe;
const log = (page: Page) => page.getByRole("log");
const entry = (page: Page, name: string, unread: number) =>
  page.getByRole("link", { name: new RegExp(`^${name}\\b.*\\b${unread} new message`) });
const linkTo = (page: Page, { name }: SharedRoom) => page.getByRole("link", { name: new RegExp(`^${name}\\b`) });
const toList = (page: Page) => page.getByRole("navigation", { name: "Althing" }).getByRole("link", { name: "Rooms" }).click();
const titled = (page: Page, start: string) => page.waitForFunction((text) => document.title.startsWith(text), start);

/** What a page says to the messaging server, as far as it tells since when it hears something. */
function wireOf(page: Page) {
  /** By subject: how many answers to questions have come when the server has the subscription. */
  let due = new Map<string, number>();
  let [pings, pongs] = [0, 0];
  let wake: () => void = () => undefined;
  const forget = () => {
    [due, pings, pongs] = [new Map(), 0, 0];
  };
  page.on("request", (request) => (request.isNavigationRequest() ? forget() : undefined));
  page.on("websocket", (socket: WebSocket) => {
    forget();
    socket.on("framesent", ({ payload }) => {
      for (const line of payload.toString("latin1").split("\r\n")) {
        if (line === "PING") pings += 1;
        const subject = /^SUB (\S+) /.exec(line)?.[1];
        if (subject !== undefined) due.set(subject, pings + 1);
      }
      wake();
    });
    socket.on("framereceived", ({ payload }) => {
      pongs += payload
        .toString("latin1")
        .split("\r\n")
        .filter((line) => line === "PONG").length;
      wake();
    });
  });
  return {
    async hears(subject: string): Promise<void> {
      while (!(pongs >= (due.get(subject) ?? Number.POSITIVE_INFINITY))) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

async function openPage(
  path: string,
  before?: (page: Page) => Promise<unknown>,
): Promise<WatchedPage & { readonly wire: ReturnType<typeof wireOf> }> {
  const watched = await openWatchedPage(world.browser, desktop);
  watched.context.setDefaultTimeout(20_000);
  const wire = wireOf(watched.page);
  await keepIdentity(watched, world.instance.url, bob.phrase);
  await before?.(watched.page);
  await watched.page.goto(`${world.instance.url}${path}`);
  return { ...watched, wire };
}

/** From here on the server says of no list of rooms how far they are: what is counted was heard. */
const silenceLists = (page: Page) =>
  page.route(
    (url) => url.pathname === `/api/members/${bob.identity.endpoint}/rooms`,
    () => undefined,
  );

/** Texts of the messages in the log that begin with this word, in order. */
async function shownIn(page: Page, word: string): Promise<string[]> {
  const rows = await log(page)
    .locator("[data-index]")
    .evaluateAll((found) =>
      found
        .toSorted((a, b) => Number(a.getAttribute("data-index")) - Number(b.getAttribute("data-index")))
        .map((row) => row.textContent ?? ""),
    );
  return rows.flatMap((text) => text.match(new RegExp(`${word} \\d+ end`, "g")) ?? []);
}

const faultsOf = ({ faults }: WatchedPage) =>
  faults.filter((fault) => !/status of (?:4\d\d|503)|ERR_(?:CONNECTION|NETWORK|SOCKET|EMPTY)|WebSocket/.test(fault));

describe("rooms that are not open", { timeout: 60_000 }, () => {
  test("are counted when something comes, without any list being asked for, and not by what one wrote elsewhere", async () => {
    const [open, quiet] = [await roomOf("open"), await roomOf("quiet")];
    const watched = await openPage("/rooms");
    const { page, wire } = watched;
    await linkTo(page, open).click();
    await page.getByLabel(/^Message to /).waitFor();
    await wire.hears(await subjectOf(quiet.mine));
    await silenceLists(page);
    await quiet.mine.send("one");
    await titled(page, "(1) ");
    await toList(page);
    await entry(page, quiet.name, 1).waitFor();
    await quiet.his.send("from another device");
    await quiet.mine.send("two");
    await entry(page, quiet.name, 2).waitFor();
    await open.mine.send("beside it");
    await titled(page, "(3) ");
    await entry(page, open.name, 1).waitFor();
    await entry(page, quiet.name, 2).click();
    for (const text of ["one", "from another device", "two"]) await log(page).getByText(text, { exact: true }).waitFor();
    await titled(page, "(1) ");
    await quiet.mine.send("three");
    await log(page).getByText("three", { exact: true }).waitFor();
    expect(faultsOf(watched)).toEqual([]);
    await watched.close();
  });

  test("are counted on every screen, beside the way to them, and nothing moves; after signing out they are nobody's", async () => {
    const { mine } = await roomOf("afar");
    // The code of the counting cannot be had at first, as while a node restarts: no screen breaks, and it is asked for again.
    let asked = 0;
    const watched = await openPage("/identity", (page) =>
      page.route(/\/assets\/rooms-count-/, (route) => ((asked += 1) === 1 ? route.abort("connectionrefused") : route.continue())),
    );
    const { page, wire } = watched;
    await wire.hears(await subjectOf(mine));
    expect(asked).toBe(2);
    const ways = page.getByRole("navigation", { name: "Althing" }).getByRole("link");
    const places = () => ways.evaluateAll((links) => links.map((link) => JSON.stringify(link.getBoundingClientRect())));
    const before = await places();
    await mine.send("one");
    await mine.send("two");
    await ways.and(page.getByRole("link", { name: "Rooms 2 new messages" })).waitFor();
    await titled(page, "(2) ");
    expect(await places()).toEqual(before);
    await page.getByRole("button", { name: "Sign out, keep my keys" }).click();
    await page.waitForFunction(() => !document.title.startsWith("("));
    expect(faultsOf(watched)).toEqual([]);
    await watched.close();
  });

  test("are not counted any more once another page has read them", async () => {
    const { name, mine } = await roomOf("shared");
    const watched = await openPage("/rooms");
    const { page, wire } = watched;
    await wire.hears(await subjectOf(mine));
    await silenceLists(page);
    await mine.send("one");
    await entry(page, name, 1).waitFor();
    const reader = await openWatchedPage(world.browser, {}, watched.context);
    await reader.page.goto(`${world.instance.url}/rooms/${name}`);
    await log(reader.page).getByText("one", { exact: true }).waitFor();
    await entry(page, name, 1).waitFor({ state: "detached" });
    await mine.send("two");
    await log(reader.page).getByText("two", { exact: true }).waitFor();
    await reader.close();
    await mine.send("three");
    await page.getByRole("link", { name: new RegExp(`^${name}\\b.*new message`) }).waitFor();
    await watched.close();
  });

  /** Rooms in which Alice writes numbered messages. */
  async function written(words: readonly string[]) {
    const rooms: SharedRoom[] = [];
    for (const word of words) rooms.push(await roomOf(word));
    const texts = new Map(rooms.map(({ name }) => [name, [] as string[]]));
    return {
      rooms,
      async write({ name, mine }: SharedRoom) {
        const before = texts.get(name) ?? [];
        before.push(`${name} ${before.length} end`);
        await mine.send(before.at(-1) ?? "");
      },
      /** The page has the room open and shows all that was written since it was looked at last: fewer than the log has in sight. */
      async shows(page: Page, { name }: SharedRoom) {
        await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
        await expect.poll(async () => (await shownIn(page, name)).slice(-6), { timeout: 20_000 }).toEqual(texts.get(name)?.slice(-6));
      },
    };
  }

  test("lose nothing when they are opened, closed and opened again while somebody writes in all", { timeout: 120_000 }, async () => {
    // More than the page keeps open, so that each is heard, opened, closed and heard again.
    const { rooms, write, shows } = await written(Array.from({ length: 11 }, () => "turn"));
    const watched = await openPage("/rooms");
    const { page, wire } = watched;
    for (const { mine } of rooms) await wire.hears(await subjectOf(mine));
    for (let round = 0; round < 2; round += 1) {
      for (const [at, room] of rooms.entries()) {
        const others = [1, 5].flatMap((step) => rooms[(at + step) % rooms.length] ?? []);
        await write(room);
        // While the page is on its way into the room.
        await Promise.all([linkTo(page, room).click(), ...[room, ...others].map(write)]);
        await write(room);
        await shows(page, room);
        await toList(page);
      }
    }
    expect(faultsOf(watched)).toEqual([]);
    await watched.close();
  });

  test("lose nothing in two rooms between which one goes back and forth", { timeout: 120_000 }, async () => {
    const { rooms, write, shows } = await written(["east", "west"]);
    const watched = await openPage("/rooms");
    const { page, wire } = watched;
    for (let load = 0; load < 3; load += 1) {
      for (const { mine } of rooms) await wire.hears(await subjectOf(mine));
      for (let turn = 0; turn < 3; turn += 1) {
        for (const room of rooms) {
          await Promise.all([linkTo(page, room).click(), ...rooms.map(write)]);
          await write(room);
          await shows(page, room);
          await toList(page);
        }
      }
      // A new page has neither open, and hears both.
      await page.reload();
    }
    expect(faultsOf(watched)).toEqual([]);
    await watched.close();
  });

  test("are heard again after the hub was killed, and one's removal from one is no harm to the others", async () => {
    const [stays, gone] = [await roomOf("stays"), await roomOf("gone")];
    const watched = await openPage("/rooms");
    const { page, wire } = watched;
    for (const { mine } of [stays, gone]) await wire.hears(await subjectOf(mine));
    const again = page.waitForEvent("websocket");
    process.kill(Number(readFileSync(join(world.instance.data, "run", "hub.pid"), "utf8")), "SIGKILL");
    await again;
    for (const { mine } of [stays, gone]) await wire.hears(await subjectOf(mine));
    await stays.mine.send("one");
    await entry(page, stays.name, 1).waitFor();
    await gone.mine.kick("bob");
    await linkTo(page, gone).waitFor({ state: "detached" });
    await silenceLists(page);
    await gone.mine.send("without bob");
    await stays.mine.send("two");
    await entry(page, stays.name, 2).waitFor();
    expect(faultsOf(watched)).toEqual([]);
    await watched.close();
  });
});
