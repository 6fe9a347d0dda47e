/** Rooms: the lists, a room in all its states, and the dialogs around it. */
import { AppError, toProblem, type ErrorCode } from "@althing/contract";
import type { Page, Route } from "playwright-core";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const hang = (pattern: RegExp) => async (page: Page) => {
  await page.route(pattern, () => new Promise(() => undefined));
};
const refuse = (pattern: RegExp, status: number, code: ErrorCode) => async (page: Page) => {
  const answer = (route: Route) =>
    route.fulfill({
      status,
      contentType: "application/problem+json",
      body: JSON.stringify(
        toProblem(new AppError(code, { permission: "rooms.use", who: "An admin of the instance" }), "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C"),
      ),
    });
  await page.route(pattern, answer);
};
const click = (page: Page, name: string | RegExp) => page.getByRole("button", { name }).click();

export const shotsOf: ShotsOf = async (world) => {
  const { admin: alice } = world;
  const [bob, carol, dora] = [await world.person("bob"), await world.person("carol"), await world.person("dora")];
  const community = await world.community("allotments", alice, [{ who: bob }, { who: carol }]);
  const garden = await alice.client.rooms.create({ name: "garden", community, policy: { history: "shared" } });
  await garden.invite("bob", "moderator");
  await garden.invite("carol");
  const [bobs] = await Promise.all([bob.client.rooms.join("garden"), carol.client.rooms.join("garden")]);
  await garden.send("Good morning. Who has the key to the tool shed?");
  await bobs.room?.send("I do. I will be there at ten.");
  const slip = await bobs.room?.send("Or was it nine, I always mix this up");
  await bobs.room?.send("Ten it is.\nBring the long hose, the short one leaks.");
  await bobs.room?.redact(slip?.id ?? "", "wrong time");
  await garden.send(
    "\u202esdrawkcab\u202c and מה שלומך, side by side with a very long word: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
  );
  const plan = await bob.client.putBlob(new Uint8Array(284_000), { room: garden.id });
  await bobs.room?.send("bed plan 2026.pdf", { blob: plan });
  await garden.rekey();
  await garden.send("I renewed the keys, as we said.");
  const plain = await alice.client.rooms.create({ name: "harvest-2026", community });
  await plain.invite("bob");
  const kitchen = await alice.client.rooms.create({ name: "kitchen" });
  await kitchen.send("Nobody here yet.");
  await kitchen.invite("bob");
  await alice.client.rooms.create({ name: "quick-words", policy: { persist: false, sign: false } });
  await carol.client.rooms.join("kitchen");

  const room = `/c/${community}/rooms/garden`;
  const last = (page: Page) => page.getByText("I renewed the keys, as we said.").waitFor();
  const inRoom = (name: string, walk: (page: Page) => Promise<unknown>, more: Partial<Shot> = {}): Shot => ({
    name,
    who: alice,
    path: room,
    ready: async (page) => {
      await last(page);
      await walk(page);
    },
    ...more,
  });
  return [
    { name: "list-empty", who: dora, path: "/rooms", ready: (page) => page.getByText("You are in no room yet").waitFor() },
    { name: "list", who: alice, path: "/rooms", ready: (page) => page.getByText("kitchen").waitFor() },
    {
      name: "list-slow",
      who: alice,
      path: "/rooms",
      before: hang(/\/rooms\?/),
      ready: (page) => page.getByRole("heading", { name: "Rooms" }).waitFor(),
    },
    {
      name: "list-refused",
      who: alice,
      path: "/rooms",
      before: refuse(/\/rooms\?/, 403, "auth.forbidden"),
      ready: (page) => page.getByRole("alert").waitFor(),
    },
    { name: "list-community", who: bob, path: `/c/${community}/rooms`, ready: (page) => page.getByText("harvest-2026").waitFor() },
    {
      name: "found",
      who: alice,
      path: "/rooms",
      ready: async (page) => {
        await click(page, "Found a room");
        await page.getByLabel("Name", { exact: true }).fill("kitchen");
        await page.getByText("More settings").click();
        await click(page, "Found the room");
        await page.getByText(/is taken/).waitFor();
      },
    },
    inRoom("room", async () => undefined),
    inRoom("members", async (page) => {
      await click(page, /members$/);
      await page.getByText("Bring somebody in").waitFor();
    }),
    inRoom("about", async (page) => {
      await click(page, "About");
      await page.getByText("How it is set").waitFor();
    }),
    inRoom("safety", async (page) => {
      await click(page, /members$/);
      await click(page, "Safety number with bob");
      await page.locator("dialog ol").first().waitFor();
    }),
    inRoom("remove", async (page) => {
      await click(page, /members$/);
      await click(page, "Remove carol");
      await page.getByText("Remove carol from the room?").waitFor();
    }),
    inRoom("offline", async (page) => {
      await page.context().setOffline(true);
      await page.getByLabel("Message to garden").fill("Does anybody hear me?");
      await page.keyboard.press("Enter");
      await page.getByText("Waiting for a connection").waitFor();
    }),
    {
      name: "room-slow",
      who: alice,
      path: room,
      before: hang(/\/history/),
      ready: (page) => page.getByRole("heading", { name: "garden" }).waitFor(),
    },
    {
      name: "room-refused",
      who: alice,
      path: room,
      before: refuse(/\/epochs/, 403, "auth.forbidden"),
      ready: (page) => page.getByRole("alert").waitFor(),
    },
    {
      name: "room-empty",
      who: alice,
      path: "/rooms/quick-words",
      ready: (page) => page.getByText("Nothing has been written yet").waitFor(),
    },
    {
      name: "requests",
      who: alice,
      path: "/rooms/kitchen",
      ready: async (page) => {
        await page.getByText("Nobody here yet.").waitFor();
        await click(page, /member/);
        await page.getByText("They ask to come in").waitFor();
      },
    },
    { name: "invited", who: bob, path: "/rooms/kitchen", ready: (page) => page.getByText("You are invited to kitchen").waitFor() },
    { name: "absent", who: dora, path: "/rooms/kitchen", ready: (page) => page.getByText("You are not in this room").waitFor() },
    inRoom("revoked", async (page) => {
      await refuse(/\/api\//, 403, "auth.revoked")(page);
      await click(page, /members$/);
      await page
        .getByText(/revoked/i)
        .first()
        .waitFor();
    }),
  ];
};
