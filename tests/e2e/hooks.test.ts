/** Hooks from a member's act to the guest in its sandbox and back: told of events, telling its own, refusing with a reason, dead letters replayed. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { join } from "node:path";
import { createPackagesClient, type PackagesClient } from "@althing/client";
import { hasCode } from "@althing/contract";
import { buildTypeScript } from "@althing/sdk";
import { newIdentity } from "../../packages/hub/test/serve-hub.ts";
import { openSteeredWorld, type SteeredWorld } from "../hostile/steered-world.ts";
import { eventually } from "./althing-process.ts";

const extension = "org.example.door";
const params = { community: "garden" };
const install = { ...params, install: extension };
let world: SteeredWorld;
const open: PackagesClient[] = [];

/** A user of the instance who is in no community yet. */
async function userOf(handle: string): Promise<PackagesClient> {
  const identity = await newIdentity();
  await world.client.call("users.add", { body: { signPub: identity.signPub, handle } as never });
  const client = createPackagesClient({ identity, urls: [world.hub.url] });
  open.push(client);
  return client;
}

/** A busy machine may open a sandbox for longer than a filter has; who is told so tries again, as the answer says. */
const enter = (client: PackagesClient) =>
  eventually(async () => {
    try {
      return await client.call("communities.join", { params, body: {} as never });
    } catch (error) {
      if (hasCode(error, "filter.failed")) return undefined;
      return { refused: error };
    }
  }, "the filter answers");

const eventsOf = async () => (await world.client.call("events.list", { params })).events;

beforeAll(async () => {
  const [opened, { component }] = await Promise.all([
    openSteeredWorld("hooks.example"),
    buildTypeScript({ entry: join(import.meta.dirname, "guests/hook-guest.ts") }),
  ]);
  world = opened;
  await world.client.call("communities.create", { body: { name: "garden" } as never });
  await world.client.call("communities.change", { params, body: { registration: "open" } });
  await world.install("garden", {
    ...{ component, name: extension, displayName: "Door" },
    capabilities: [{ name: "events.emit", reason: "It tells who was greeted." }],
    events: ["member.*", "module.changed"],
    filters: [{ point: "member.before_join", mode: "fail_closed" }],
  });
}, 60_000);
afterAll(async () => {
  for (const client of open) await client.close();
  await world?.[Symbol.asyncDispose]();
});

describe("an extension with hooks", () => {
  test("is told who joined, and what it tells is an event of its own, one deeper", async () => {
    const bea = await userOf("bea");
    await enter(bea);
    const told = await eventually(
      async () => (await eventsOf()).find(({ topic }) => topic === `ext.${extension}.greeted`),
      "the extension told of the greeting",
    );
    const joined = (await eventsOf()).find(({ topic, data }) => topic === "member.joined" && data["member"] === bea.identity.endpoint);
    expect(told).toMatchObject({
      actor: `ext:${extension}`,
      subject: `event/${joined?.index}`,
      depth: 1,
      data: { topic: "member.joined", depth: 0 },
    });
    // It tells before it ends.
    const executions = await eventually(async () => {
      const log = await world.client.call("packages.log", { params: install, query: { limit: 10 } as never });
      return log.executions.every(({ status }) => status !== "started") ? log.executions : undefined;
    }, "its calls have ended");
    expect(executions).toContainEqual(
      expect.objectContaining({ trigger: "event", name: "member.joined", status: "ok", actor: "bea", detail: "greeted" }),
    );
    expect(executions).toContainEqual(expect.objectContaining({ trigger: "filter", name: "member.before_join", status: "ok" }));
  });

  test("refuses at its point, and who is refused reads its reason and is not let in", async () => {
    const stranger = await userOf("stranger");
    expect(await enter(stranger)).toMatchObject({
      refused: { code: "filter.refused", params: { extension, reason: "Strangers are asked to write to us first" } },
    });
    await expect(stranger.call("communities.get", { params })).rejects.toMatchObject({ code: "community.not_found" });
  });

  test(
    "leaves what it cannot take to an admin, goes on with what comes next, and is not put in quarantine for it",
    { timeout: 60_000 },
    async () => {
      await world.client.call("modules.change", { params: { ...params, module: "announcements" }, body: { enabled: true } });
      const letters = () => world.client.call("deadLetters.list", { params: install, query: { limit: 10 } as never });
      const [letter] = await eventually(
        async () => {
          const page = await letters();
          return page.letters.length > 0 ? page.letters : undefined;
        },
        "the event became a dead letter",
        40_000,
      );
      expect(letter).toMatchObject({ topic: "module.changed", attempts: 5, code: "ext.trap" });
      const cleo = await userOf("cleo");
      await enter(cleo);
      await eventually(
        async () => ((await eventsOf()).filter(({ topic }) => topic.startsWith("ext.")).length >= 2 ? true : undefined),
        "it goes on",
      );
      expect(await world.client.call("packages.get", { params: install })).toMatchObject({ state: "active" });
      const replayed = await world.client.call("deadLetters.replay", { params: install, body: {} });
      expect(replayed).toMatchObject({ delivered: 0, failed: [{ attempts: 6 }], left: 0 });
      await expect(cleo.call("deadLetters.replay", { params: install, body: {} })).rejects.toMatchObject({ code: "auth.forbidden" });
      await expect(world.client.call("deadLetters.discard", { params: install, body: { index: 1 } })).rejects.toMatchObject({
        code: "hook.letter_not_found",
      });
      expect(await world.client.call("deadLetters.discard", { params: install, body: {} })).toEqual({ discarded: 1 });
      expect(await letters()).toMatchObject({ letters: [] });
    },
  );

  test("is asked no more once it is switched off, and the log says so", async () => {
    await world.client.call("packages.change", { params: install, body: { active: false } });
    const late = await userOf("stranger2");
    await late.call("communities.join", { params, body: {} as never });
    const topics = (await eventsOf()).map(({ topic }) => topic);
    expect(topics).toEqual(expect.arrayContaining(["package.installed", "package.consented", "package.activated", "package.deactivated"]));
  });
});
