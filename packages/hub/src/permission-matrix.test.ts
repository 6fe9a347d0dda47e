/**
 * Every route of the contract by everybody who could try it: the built-in roles of the community, members of another, an admin of the instance who is no
 * member, and nobody. Made of the catalogue, so that a new route is in it when it is written; through real HTTP with real signatures.
 *
 * Each caller tries each route on a community of its own for that route, with ids that belong to nothing: what is asked here is whether the permission
 * in the row decides, not what the route does.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Caller } from "@althing/bus";
import {
  communityPermissions,
  communityRoles,
  communityNameSchema,
  declaredErrors,
  instancePermissions,
  problemSchema,
  roomIdSchema,
  roomNameSchema,
  roomPermissions,
  routes,
  signPubSchema,
  type Community,
  type CommunityPermission,
  type CommunityRole,
  type InstancePermission,
  type Route,
  type RouteName,
} from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { authorizeCommunity, authorizeInstance, defaultRolePermissions, instanceAdminPermissions } from "@althing/policy";
import { sampleInput } from "../test/sample-input.ts";
import { newIdentity, serveHub, signedCall, type ServedHub } from "../test/serve-hub.ts";

type Who = CommunityRole | "outsider" | "instanceAdmin";
interface Person {
  readonly identity: Identity;
  readonly caller: Caller;
}
interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly permission: unknown;
}

/** Where the smallest input that fits is not enough to get past what comes before the permission. */
const bodies: Readonly<Record<string, unknown>> = {};
/**
 * What an admin of the instance sees of a community without a permission there: that it exists, and what its door says; of modules what
 * plugins.read, which it holds everywhere, lets it read.
 */
const seenByInstanceAdmin = new Set([
  ...["communities.get", "communities.door", "packages.pages", "rooms.ofCommunity"],
  ...["modules.list", "modules.get"],
]);

/** What everybody may do with what is their own, and nobody with another's. */
const ownOnly = new Set(["rooms.mine"]);

let served: ServedHub;
const people = new Map<Who, Person>();
const personOf = (who: Who): Person => people.get(who) ?? expect.fail(`nobody is ${who}`);
let founded = 0;

async function userOf(handle: string): Promise<Person> {
  const identity = await newIdentity();
  const { users } = served.state.bus;
  const root = await users.authenticate(signPubSchema.parse(served.admin.signPub));
  await users.add(root, { signPub: signPubSchema.parse(identity.signPub), handle: handle as Caller["handle"], role: "member" });
  return { identity, caller: await users.authenticate(signPubSchema.parse(identity.signPub)) };
}

beforeAll(async () => {
  served = await serveHub({ flags: { platform_mode: "open" } });
  for (const role of communityRoles) people.set(role, await userOf(role));
  people.set("outsider", await userOf("outsider"));
  const root = await served.state.bus.users.authenticate(signPubSchema.parse(served.admin.signPub));
  people.set("instanceAdmin", { identity: served.admin, caller: root });
});
afterAll(() => served[Symbol.asyncDispose]());

/** A community with one member of each built-in role; the outsider owns another. */
async function foundCommunity(): Promise<Community> {
  const { communities } = served.extensions;
  founded += 1;
  const owner = personOf("owner").caller;
  const community = await communities.create(owner, { name: communityNameSchema.parse(`garden-${founded}`) });
  for (const role of communityRoles.filter((name) => name !== "owner"))
    await communities.addMember(owner, { community: community.id, identity: personOf(role).caller.endpoint, roles: [role] });
  return community;
}

interface Target {
  readonly path: string;
  readonly body: unknown;
  readonly headers: Record<string, string>;
}

function targetOf(name: string, route: Route, community: Community | undefined): Target {
  const params = route.params === undefined ? {} : (sampleInput(route.params, `${name} params`) as Record<string, string>);
  const given: Record<string, string> = community === undefined ? params : { ...params, community: community.id };
  const path = route.path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(given[key] ?? "ghost"));
  const query = route.query === undefined ? {} : (sampleInput(route.query, `${name} query`) as Record<string, string>);
  const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString();
  const boundary = '--x\r\ncontent-disposition: form-data; name="bundle"; filename="b"\r\n\r\nx\r\n--x--\r\n';
  const raw = route.rawBody === undefined ? undefined : new TextEncoder().encode(boundary);
  const mediaType = route.rawBody === "multipart/form-data" ? "multipart/form-data; boundary=x" : route.rawBody;
  const json = route.body === undefined ? undefined : (bodies[name] ?? sampleInput(route.body, `${name} body`));
  return {
    path: search === "" ? path : `${path}?${search}`,
    body: raw ?? json,
    headers: mediaType === undefined ? {} : { "content-type": mediaType },
  };
}

async function answerOf(response: Response): Promise<Answer> {
  if (!(response.headers.get("content-type") ?? "").includes("problem+json")) {
    await response.body?.cancel();
    return { status: response.status, code: undefined, permission: undefined };
  }
  const problem = problemSchema.parse(await response.json());
  return { status: response.status, code: problem.code, permission: problem.params["permission"] };
}

async function ask(who: Who, route: Route, { path, body, headers }: Target): Promise<Answer> {
  const call = await signedCall(served.url, personOf(who).identity, { method: route.method, path, body, headers });
  const answer = await answerOf(
    await fetch(call.url, {
      method: call.method,
      headers: call.headers,
      ...(call.body === undefined ? {} : { body: Buffer.from(call.body) }),
    }),
  );
  expect(answer.code === undefined || declaredBy(route).has(answer.code), `${route.method} ${route.path} declares ${answer.code}`).toBe(
    true,
  );
  return answer;
}

const declared = new Map<Route, ReadonlySet<string>>();
function declaredBy(route: Route): ReadonlySet<string> {
  if (declared.size === 0)
    for (const [name, row] of Object.entries(routes) as [RouteName, Route][]) declared.set(row, new Set(declaredErrors(name)));
  return declared.get(route) ?? new Set();
}

/** Somebody who may not see a community is told what is told of one that does not exist. */
async function expectNothingToldApart(name: string, route: Route, answer: Answer): Promise<void> {
  const ofNone = await ask("outsider", route, targetOf(name, route, undefined));
  expect(answer, `outsider: ${answer.code ?? ""}; of no community: ${ofNone.code ?? ""}`).toEqual(ofNone);
  expect(answer.status).toBe(404);
}

const all = (Object.entries(routes) as [string, Route][]).filter(([, route]) => route.class === "user");
const isCommunityPermission = (name: string): name is CommunityPermission => Object.hasOwn(communityPermissions, name);
const isInstancePermission = (name: string): name is InstancePermission => Object.hasOwn(instancePermissions, name);

test("every route that takes a user names its permission, and none that takes none does", () => {
  for (const [name, route] of Object.entries(routes) as [string, Route][]) {
    if (route.class !== "user") {
      expect(route.permission, name).toBeUndefined();
      continue;
    }
    const known = [instancePermissions, roomPermissions, communityPermissions].some((table) =>
      Object.hasOwn(table, route.permission ?? ""),
    );
    expect(known, `${name} names a permission of the catalogue`).toBe(true);
  }
  expect(all.length).toBeGreaterThan(100);
});

describe("unsigned", () => {
  test.each(all)("%s is refused", async (name, route) => {
    const { path, body } = targetOf(name, route, undefined);
    const response = await fetch(served.url + path, {
      method: route.method,
      ...(body === undefined || route.method === "GET"
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    expect(await answerOf(response)).toMatchObject({ status: 401, code: "auth.required" });
  });
});

const ofCommunity = all.filter(([, { path }]) => path.startsWith("/api/communities/:community"));

describe("by permission of the community", () => {
  const rows = ofCommunity.filter(
    ([, { permission }]) => isCommunityPermission(permission ?? "") && !isInstancePermission(permission ?? ""),
  );

  test.each(rows)("%s is for who holds it, and for nobody else", async (name, route) => {
    const permission = route.permission ?? "";
    if (!isCommunityPermission(permission)) return expect.fail("filtered above");
    const target = targetOf(name, route, await foundCommunity());
    const holds = (who: Who): boolean =>
      who === "outsider"
        ? false
        : who === "instanceAdmin"
          ? instanceAdminPermissions.includes(permission)
          : authorizeCommunity(new Set(defaultRolePermissions[who]), permission).allowed;
    // Who may do least comes first, so that what is done by the others is not yet done.
    for (const who of ["outsider", "instanceAdmin", ...[...communityRoles].reverse()] as const) {
      const answer = await ask(who, route, target);
      const label = `${who}: ${answer.status} ${answer.code ?? ""}`;
      expect(answer.status, label).toBeLessThan(500);
      if (holds(who)) expect(answer.status === 403 && answer.permission === permission, label).toBe(false);
      else expect([403, 404], label).toContain(answer.status);
      if (!holds(who) && answer.status === 403) expect(answer.code, label).toBe("auth.forbidden");
      if (who === "outsider") await expectNothingToldApart(name, route, answer);
    }
  });
});

describe("for members, without a permission", () => {
  const rows = ofCommunity.filter(([, { permission }]) => isInstancePermission(permission ?? ""));

  test.each(rows)("%s shows and does nothing for who is none", async (name, route) => {
    const target = targetOf(name, route, await foundCommunity());
    const outsider = await ask("outsider", route, target);
    await expectNothingToldApart(name, route, outsider);
    const admin = await ask("instanceAdmin", route, target);
    expect(admin.status, `instance admin: ${admin.code ?? ""}`).toBeLessThan(500);
    if (!seenByInstanceAdmin.has(name)) expect(admin.status, `instance admin: ${admin.code ?? ""}`).toBeGreaterThanOrEqual(400);
    const member = await ask("member", route, target);
    expect(member.status, `member: ${member.code ?? ""}`).toBeLessThan(500);
    expect(member.code, "a member").not.toBe("community.not_found");
  });
});

describe("by permission of the instance", () => {
  const rows = all.filter(
    ([, { path, permission }]) => !path.startsWith("/api/communities/:community") && isInstancePermission(permission ?? ""),
  );

  test.each(rows)("%s is for who holds it, and for nobody else", async (name, route) => {
    const permission = route.permission ?? "";
    if (!isInstancePermission(permission)) return expect.fail("filtered above");
    for (const who of ["owner", "instanceAdmin"] as const) {
      const { endpoint } = personOf(who).caller;
      const target = targetOf(name, ownOnly.has(name) ? { ...route, path: route.path.replace(":endpoint", endpoint) } : route, undefined);
      const answer = await ask(who, route, target);
      const label = `${who}: ${answer.status} ${answer.code ?? ""}`;
      const may = authorizeInstance(personOf(who).caller.role, "active", permission).allowed;
      if (may) expect(answer.status === 403 && answer.permission === permission, label).toBe(false);
      else expect(answer, label).toMatchObject({ status: 403, code: "auth.forbidden", permission });
      expect(answer.status, label).toBeLessThan(500);
    }
  });
});

describe("by permission of a room", () => {
  const rows = all.filter(([, { permission }]) => Object.hasOwn(roomPermissions, permission ?? ""));

  test.each(rows)("%s is not for who is not in the room, whoever they are", async (name, route) => {
    const { rooms } = served.state.bus;
    founded += 1;
    const policy = { encrypt: false, persist: true, sign: false, history: "shared" } as const;
    const room = await rooms.create(personOf("owner").caller, {
      ...{
        id: roomIdSchema.parse(`01J${String(founded).padStart(23, "0")}`),
        name: roomNameSchema.parse(`hall-${founded}`),
        policy,
        suite: "hpke-v1",
      },
    });
    const { path, ...rest } = targetOf(name, { ...route, path: route.path.replace(":room", room.id) }, undefined);
    for (const who of ["outsider", "instanceAdmin", "admin"] as const)
      expect(await ask(who, route, { path, ...rest }), who).toMatchObject({ status: 404, code: "room.not_found" });
    const owner = await ask("owner", route, { path, ...rest });
    expect(owner.code).not.toBe("room.not_found");
    expect(owner.status).toBeLessThan(500);
  });
});

test("a member who is revoked on the instance can do nothing in a community from then on", async () => {
  const { communities } = served.extensions;
  const community = await foundCommunity();
  const ghost = await userOf("shortlived");
  await communities.addMember(personOf("owner").caller, { community: community.id, identity: ghost.caller.endpoint, roles: ["admin"] });
  people.set("outsider", ghost);
  const route = routes["communities.get"];
  const target = { path: `/api/communities/${community.id}`, body: undefined, headers: {} };
  expect((await ask("outsider", route, target)).status).toBe(200);
  const { users } = served.state.bus;
  await users.revoke(personOf("instanceAdmin").caller, { signPub: ghost.caller.signPub });
  for (const [name, row] of ofCommunity)
    expect(await ask("outsider", row, targetOf(name, row, community)), name).toMatchObject({ status: 403, code: "auth.revoked" });
});
