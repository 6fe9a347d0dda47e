/**
 * An instance with something on every page of the application, and the addresses of all these pages.
 *
 * Invariant: the addresses are the router's own, asked in the browser, so a new page is walked without a line here; a parameter that nothing is known for
 * is an error.
 */
import { createPackagesClient } from "@althing/client";
import { platformModes } from "@althing/contract";
import { bundleFile } from "@althing/extension/bundle";
import type { StartInstanceOptions } from "@althing/testkit";
import type { Page } from "playwright-core";
import { everything, greeter, greeterNext, newPublisher } from "./plugin-packages.ts";
import { cast, end, stage } from "./proposal-scenes.ts";
import { startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

export interface HostileWorld {
  readonly web: WebWorld;
  /** Alice runs everything, dan asked to come in and to found, eve only has an invitation. */
  readonly people: Readonly<Record<"alice" | "bob" | "carol" | "mo" | "dan" | "eve", WebPerson>>;
  /** Of eve. */
  readonly invitation: string;
  /** Values of the parameters of addresses, several where a page has several faces. */
  readonly params: Readonly<Record<string, readonly string[]>>;
  close(): Promise<void>;
}

const community = "garden";
const params = { community };
const documentWithoutScript = `<!doctype html><html lang="en"><head><meta charset="utf-8" /><title>Page</title></head><body><main><h1>Page</h1></main></body></html>`;

async function fillCommunity(admin: WebPerson, others: Readonly<Record<"bob" | "carol" | "mo" | "dan", WebPerson>>): Promise<void> {
  const { bob, mo, carol, dan } = others;
  const call = admin.client.call.bind(admin.client);
  await call("communities.change", {
    params,
    body: { displayName: "The garden", description: "Beds and paths.", registration: "approval" },
  });
  const questions = [{ id: "why", text: "Why?", required: true }];
  await call("modules.change", { params: { ...params, module: "welcome" }, body: { settings: { rules: "Be kind.", questions } } });
  await call("modules.change", { params: { ...params, module: "delegation" }, body: { settings: { topics: ["budget"] } } });
  await call("roles.create", { params, body: { role: "gardener", description: "Waters", permissions: ["members.invite"] } });
  await call("announcements.post", { params, body: { text: "We meet on Sunday." } });
  await call("communities.invite", { params, body: {} });
  const { rulesVersion } = await dan.client.call("communities.door", { params });
  await dan.client.call("communities.join", { params, body: { rulesVersion, answers: { why: "A spade." } } });
  await dan.client.call("founding.ask", { body: { name: "dans-own", displayName: "Dan’s own", reason: "Because." } });
  await carol.client.call("delegations.give", { params, body: { to: "bob" } });
  await admin.client.call("delegations.give", { params, body: { to: "mo" } });
  for (const who of [bob, admin]) {
    const act = { kind: "warning", member: who.identity.endpoint, reason: "Please stay polite." } as const;
    const { id } = await mo.client.call("moderation.act", { params, body: act });
    await who.client.call("moderation.appeal", { params: { ...params, action: id }, body: { text: "It was a quotation." } });
  }
}

/** @returns their ids: in discussion, in the vote, decided, a draft */
async function fillProposals(
  admin: WebPerson,
  { bob, carol, mo }: Readonly<Record<"bob" | "carol" | "mo", WebPerson>>,
): Promise<readonly string[]> {
  const talked = await stage(admin, community, {
    title: "A hedge",
    body: "Green.",
    options: ["Box", "Yew"],
    rule: { method: "schulze" },
    until: "discussion",
  });
  const here = { ...params, proposal: talked.id };
  const { id } = await carol.client.call("proposals.comment", { params: here, body: { body: "Who cuts it?" } });
  await admin.client.call("proposals.comment", { params: here, body: { body: "I do.", parent: id } });
  const options = talked.options.map(({ id: option, text }) => ({ id: option, text }));
  await admin.client.call("proposals.edit", { params: here, body: { title: "A low hedge", body: "Green.\nLow.", options } });
  await carol.client.call("proposals.amend", { params: here, body: { title: "A low hedge", body: "Low.", options, why: "Shorter." } });
  const running = await stage(admin, community, { title: "A pond", options: ["Round", "Long"], rule: { method: "irv" } });
  await cast(admin, community, running, { ranking: [["o2"]] });
  const over = await stage(admin, community, { title: "A bench", options: ["Wood", "Stone"], rule: { method: "irv" } });
  for (const who of [admin, bob, carol, mo]) await cast(who, community, over, { ranking: [["o1"], ["o2"]] });
  await end(admin, community, over);
  const draft = await stage(admin, community, { title: "A gate", until: "draft" });
  return [talked.id, running.id, over.id, draft.id];
}

async function fillPackages(world: WebWorld): Promise<void> {
  const { admin, instance } = world;
  const publisher = newPublisher();
  await admin.client.call("trust.add", { body: { pem: publisher.key.publicKeyPem } });
  await admin.client.call("instancePolicy.put", { body: { defaults: { backgroundJobs: true } } });
  const packages = createPackagesClient({ identity: admin.identity, urls: [instance.url] });
  const upload: typeof packages.upload = (where, files) => packages.upload(where, files);
  const all = await publisher.install(admin.client, upload, community, {
    ...everything,
    ui: {
      entry: "ui/index.html",
      nav: [
        { label: "Start", path: "/start" },
        { label: "More", path: "/more" },
      ],
    },
    files: [bundleFile("ui/index.html", documentWithoutScript)],
  });
  await publisher.install(admin.client, upload, community, greeter);
  for (const wanted of [greeterNext, everything]) {
    const made = await publisher.pack(wanted);
    const files = { bundle: new Uint8Array(made.bundle), signature: made.signature };
    await packages.publish(files);
    if (wanted === greeterNext) await packages.upload(community, files);
  }
  for (const path of ["/greet", "/fail"])
    await packages.endpoint({ community, extension: all.extension, method: "GET", path }).catch(() => undefined);
  await admin.client.call("jobs.run", { params: { ...params, install: all.id, name: "tick" }, body: {} });
  await packages.close();
}

async function fillRooms(admin: WebPerson, bob: WebPerson): Promise<void> {
  const room = await admin.client.rooms.create({ name: "shed", community, policy: { history: "shared" } });
  await room.invite("bob");
  const { room: bobs } = await bob.client.rooms.join("shed");
  await bobs?.send("Who has the key?");
  const own = await admin.client.rooms.create({ name: "kitchen" });
  await own.send("Nobody here yet.");
}

/** Founding a community has to be asked for, so that there is a request. */
export const hostileInstance: StartInstanceOptions = { args: ["--platform-mode", platformModes[1]] };

export async function startHostileWorld(): Promise<HostileWorld> {
  const web = await startWebWorld(hostileInstance);
  try {
    return await fillHostileWorld(web);
  } catch (error) {
    await web[Symbol.asyncDispose]();
    throw error;
  }
}

/** Puts all of it into an instance that is there. */
export async function fillHostileWorld(web: WebWorld): Promise<HostileWorld> {
  const alice = web.admin;
  const [bob, carol, mo, dan, eve] = await Promise.all(["bob", "carol", "mo", "dan", "eve"].map((handle) => web.person(handle)));
  if (bob === undefined || carol === undefined || mo === undefined || dan === undefined || eve === undefined)
    throw new Error("five were asked for");
  await web.community(community, alice, [{ who: bob }, { who: carol }, { who: mo, roles: ["owner", "member"] }]);
  await fillCommunity(alice, { bob, carol, mo, dan });
  const [proposals] = await Promise.all([fillProposals(alice, { bob, carol, mo }), fillPackages(web), fillRooms(alice, bob)]);
  const { token } = await alice.client.call("communities.invite", { params, body: {} });
  // There is something left to appeal against.
  const warning = { kind: "warning", member: alice.identity.endpoint, reason: "Politely, once more." } as const;
  await mo.client.call("moderation.act", { params, body: warning });
  // Who is muted writes nothing more, so this comes last.
  const mute = { kind: "mute", member: carol.identity.endpoint, hours: 24, reason: "For a day." } as const;
  await mo.client.call("moderation.act", { params, body: mute });
  return {
    web,
    people: { alice, bob, carol, mo, dan, eve },
    invitation: token,
    params: {
      community: [community],
      proposal: proposals,
      room: ["shed"],
      extension: [everything.name ?? "", greeter.name ?? ""],
      tab: ["settings", "health", "log", "usage", "jobs", "letters", "versions", "remove"],
      module: ["welcome", "delegation"],
      "": ["start"],
    },
    close: () => web[Symbol.asyncDispose](),
  };
}

/** Rooms outside of communities are others. */
const exceptions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = { "/rooms/$room": { room: ["kitchen"] } };

/** Every address of the application that has a page, by the pattern it comes of; asked of the router that runs in `page`. */
export async function addressesOf(page: Page, { params: known }: HostileWorld): Promise<ReadonlyMap<string, readonly string[]>> {
  const patterns = await page.evaluate((): string[] => {
    const router: unknown = Reflect.get(globalThis, "__TSR_ROUTER__");
    const byPath: unknown = typeof router === "object" && router !== null ? Reflect.get(router, "routesByPath") : undefined;
    return typeof byPath === "object" && byPath !== null ? Object.keys(byPath) : [];
  });
  return new Map(
    patterns.map((pattern) => {
      const values = { ...known, ...exceptions[pattern] };
      const fill = (addresses: readonly string[], name: string): string[] =>
        addresses.flatMap((address) => {
          const found = values[name];
          if (found === undefined) throw new Error(`${pattern}: nothing is known for $${name}`);
          return found.map((value) => address.replace(`$${name}`, value));
        });
      // Of a package's tabs one package has all.
      const names = [...pattern.matchAll(/\$(\w*)/g)].map(([, name = ""]) => name).toSorted((a, b) => b.length - a.length);
      const all = names.reduce(fill, [pattern]);
      return [pattern, pattern.endsWith("/$tab") ? all.filter((address) => address.includes(everything.name ?? "")) : all] as const;
    }),
  );
}
