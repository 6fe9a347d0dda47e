/**
 * What people must not get away with in a community, by name, over HTTP: votes, delegations, appeals, ballots that do not fit, policies outside their domain.
 *
 * Each row says what is tried and the answer it must get; the refusals name what is wrong, because somebody has to correct it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pluginLimitsSchema, pluginPolicySchema } from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { callAs, newIdentity, serveHub, type Answered, type ServedHub } from "../../packages/hub/test/serve-hub.ts";

const minuteMs = 60_000;
const garden = "/api/communities/garden";
let served: ServedHub;
const people = new Map<string, Identity>();
let running: string;
let ended: string;
let draft: string;
let action: string;

async function ask(who: string, method: string, path: string, body?: unknown): Promise<Answered> {
  const identity = people.get(who) ?? served.admin;
  const now = (Date.now() + served.shiftMs) / 1_000;
  return callAs(served, identity, {
    method,
    path: path.startsWith("/") ? path : `${garden}/${path}`,
    now,
    ...(body === undefined ? {} : { body }),
  });
}
async function must(who: string, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await ask(who, method, path, body);
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer.json;
}
const endpointOf = (who: string): string => (people.get(who) ?? served.admin).endpoint;
const inMs = (ms: number): string => new Date(Date.now() + served.shiftMs + ms).toISOString();

async function discussed(rule: object = {}, options: readonly string[] = []): Promise<string> {
  const body = { title: "Beds", rule: { method: "yes_no", ...rule }, options: options.map((text) => ({ text })), discuss: true };
  return String((await must("root", "POST", "proposals", body))["id"]);
}
async function opened(rule: object = {}, options: readonly string[] = [], forMs = 10 * minuteMs): Promise<string> {
  const id = await discussed(rule, options);
  await must("root", "POST", `proposals/${id}/open`, { closesAt: inMs(forMs) });
  return id;
}

beforeAll(async () => {
  served = await serveHub();
  people.set("root", served.admin);
  await must("root", "POST", "/api/communities", { name: "garden" });
  for (const [handle, role] of [
    ["bea", "member"],
    ["cid", "member"],
    ["mona", "moderator"],
    ["nora", undefined],
    ["olli", "observer"],
  ] as const) {
    const identity = await newIdentity();
    people.set(handle, identity);
    await must("root", "POST", "/api/users", { signPub: identity.signPub, handle });
    if (role !== undefined) await must("root", "POST", "members", { identity: handle, roles: [role] });
  }
  draft = String((await must("root", "POST", "proposals", { title: "Draft" }))["id"]);
  ended = await opened({}, [], minuteMs + 1_000);
  served.shiftMs += minuteMs + 2_000;
  await served.extensions.community.agenda.tick();
  running = await opened();
  await must("root", "POST", "members", { identity: "nora" });
  await must("root", "PUT", "delegations", { to: "mona" });
  await must("bea", "PUT", "delegations", { to: "cid" });
  await must("cid", "PUT", "delegations", { to: "root" });
  action = String((await must("mona", "POST", "moderation", { kind: "warning", member: endpointOf("bea"), reason: "Noise" }))["id"]);
});
afterAll(() => served?.[Symbol.asyncDispose]());

const yes = { choice: { choice: "yes" } };
const ballot = (proposal: string) => `proposals/${proposal}/ballot`;
/** Several answers, with `|`, where the agenda may come first. */
type Try = readonly [what: string, tried: () => Promise<Answered>, answer: string];

const tries: readonly Try[] = [
  ["a vote when the time is over, closed or not", () => lateVote(), "409 vote.closed|409 vote.not_open"],
  ["a vote on what is decided", () => ask("bea", "PUT", ballot(ended), yes), "409 vote.not_open"],
  ["a vote on a draft that one does not see", () => ask("bea", "PUT", ballot(draft), yes), "404 proposal.not_found"],
  ["a vote by somebody who came after the vote opened", () => ask("nora", "PUT", ballot(running), yes), "403 vote.not_entitled"],
  ["a vote by somebody whose role does not vote", () => ask("olli", "PUT", ballot(running), yes), "403 auth.forbidden"],
  ["a vote by somebody who is no member", () => outsider("PUT", ballot(running), yes), "404 community.not_found"],
  ["taking back a vote that was not cast", () => ask("cid", "DELETE", ballot(running)), "404 ballot.not_found"],
  [
    "a sealed ballot in an open vote",
    () => ask("bea", "PUT", `proposals/${running}/sealed-ballot`, { enc: "A".repeat(43), ct: "AAAA" }),
    "409 vote.not_secret",
  ],
  ["the ballots of a vote that runs", () => ask("root", "GET", `proposals/${running}/ballots`), "409 vote.still_running"],
  ["ending a vote early that suits", () => endEarly(), "409 proposal.votes_cast"],
  [
    "a vote that ends before it begins",
    async () => ask("root", "POST", `proposals/${await discussed()}/open`, { closesAt: inMs(-minuteMs) }),
    "422 proposal.closes_at_invalid",
  ],
  [
    "a vote that is shortened",
    () => ask("root", "POST", `proposals/${running}/extend`, { closesAt: inMs(minuteMs) }),
    "422 proposal.closes_at_invalid",
  ],
  ["editing what is voted on", () => ask("root", "PUT", `proposals/${running}`, { title: "Otherwise" }), "409 proposal.wrong_state"],
  ["a delegation to oneself", () => ask("bea", "PUT", "delegations", { to: "bea" }), "422 delegation.to_self"],
  ["a delegation to oneself by endpoint", () => ask("bea", "PUT", "delegations", { to: endpointOf("bea") }), "422 delegation.to_self"],
  ["a circle of two", () => ask("cid", "PUT", "delegations", { to: "bea" }), "409 delegation.cycle"],
  ["a circle of four", () => ask("mona", "PUT", "delegations", { to: "bea" }), "409 delegation.cycle"],
  ["a delegation to somebody who does not vote", () => ask("bea", "PUT", "delegations", { to: "olli" }), "422 delegation.no_vote"],
  [
    "a delegation of a topic that there is not",
    () => ask("bea", "PUT", "delegations", { to: "cid", topic: "roses" }),
    "422 delegation.topic_unknown",
  ],
  [
    "a warning to oneself",
    () => ask("mona", "POST", "moderation", { kind: "warning", member: endpointOf("mona"), reason: "x" }),
    "422 moderation.to_self",
  ],
  [
    "a mute of the owner by a moderator",
    () => ask("mona", "POST", "moderation", { kind: "mute", hours: 1, member: endpointOf("root"), reason: "x" }),
    "403 moderation.beyond_own",
  ],
  [
    "a warning without a reason",
    () => ask("mona", "POST", "moderation", { kind: "warning", member: endpointOf("bea"), reason: " " }),
    "400 request.invalid",
  ],
  [
    "an appeal against what concerns another",
    () => ask("cid", "POST", `moderation/${action}/appeal`, { text: "No" }),
    "404 moderation.not_found",
  ],
  [
    "a decision before anybody appealed",
    () => ask("root", "POST", `moderation/${action}/decide`, { upheld: true, reason: "x" }),
    "409 moderation.no_appeal",
  ],
  ["a decision by who acted", () => appealed("mona"), "403 moderation.own_decision"],
  ["a decision by who appealed, now a moderator", () => appealed("bea"), "403 moderation.own_decision"],
  ["a second appeal", () => ask("bea", "POST", `moderation/${action}/appeal`, { text: "Still no" }), "409 moderation.appealed"],
  [
    "a role that holds more than its maker",
    () => ask("mona", "POST", "roles", { role: "more", permissions: ["roles.manage"] }),
    "403 auth.forbidden",
  ],
  ["leaving as the last owner", () => ask("root", "DELETE", `members/${endpointOf("root")}`), "409 community.last_owner"],
];

/** The end has passed in this moment. */
async function lateVote(): Promise<Answered> {
  const proposal = await opened({}, [], minuteMs + 1_000);
  served.shiftMs += minuteMs + 2_000;
  return ask("bea", "PUT", ballot(proposal), yes);
}

async function endEarly(): Promise<Answered> {
  const proposal = await opened();
  await must("bea", "PUT", ballot(proposal), yes);
  return ask("root", "POST", `proposals/${proposal}/close`, {});
}

async function outsider(method: string, path: string, body: unknown): Promise<Answered> {
  const handle = "otto";
  const identity = await newIdentity();
  people.set(handle, identity);
  await must("root", "POST", "/api/users", { signPub: identity.signPub, handle });
  return ask(handle, method, path, body);
}

async function appealed(decider: "mona" | "bea"): Promise<Answered> {
  await ask("bea", "POST", `moderation/${action}/appeal`, { text: "No" });
  await must("root", "PUT", `members/${endpointOf("bea")}`, { roles: [decider === "bea" ? "moderator" : "member"] });
  return ask(decider, "POST", `moderation/${action}/decide`, { upheld: false, reason: "x" });
}

describe("is refused", () => {
  test.each(tries)("%s", async (_what, tried, answer) => {
    const { status, code, text } = await tried();
    expect(answer.split("|"), text).toContain(`${status} ${code ?? ""}`.trim());
  });

  test("two clicks on a ballot leave one ballot and two events", async () => {
    const proposal = await opened();
    const clicks = await Promise.all(["yes", "no", "yes"].map((choice) => ask("bea", "PUT", ballot(proposal), { choice: { choice } })));
    expect(clicks.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await must("root", "GET", `proposals/${proposal}`)).toMatchObject({ ballots: 1 });
    const { mine } = await must("bea", "GET", ballot(proposal));
    expect(mine).toMatchObject({ kind: "open" });
  });

  test("two clicks on opening and closing a vote open and close it once", async () => {
    const proposal = await discussed();
    const open = () => ask("root", "POST", `proposals/${proposal}/open`, { closesAt: inMs(minuteMs * 5) });
    const clicks = (answers: readonly Answered[]) => answers.map(({ status, code }) => String(code ?? status)).toSorted();
    expect(clicks(await Promise.all([open(), open()]))).toEqual(["200", "proposal.wrong_state"]);
    const close = () => ask("root", "POST", `proposals/${proposal}/close`, {});
    expect(clicks(await Promise.all([close(), close()]))).toEqual(["200", "proposal.wrong_state"]);
  });
});

const three = ["Roses", "Beans", "Grass"];
const misfits: readonly (readonly [method: string, choice: unknown, reason: RegExp])[] = [
  ["yes_no", { approvals: ["o1"] }, /yes|answer|choice/],
  ["approval", { choice: "yes" }, /approv/],
  ["approval", { approvals: ["o9"] }, /o9/],
  ["approval", { approvals: ["o1", "o1"] }, /o1/],
  ["score", { scores: { o1: 6 } }, /o1|5/],
  ["score", { scores: { o7: 1 } }, /o7/],
  ["star", { ranking: [["o1"]] }, /scor/],
  ["star", { scores: { o2: 99 } }, /o2|5/],
  ["irv", { ranking: [["o1"], ["o1"]] }, /o1/],
  ["irv", { ranking: [["o4"]] }, /o4/],
  ["irv", { ranking: [["o1", "o2"]] }, /rank 1 has 2 options/],
  ["schulze", { ranking: [["o1"], ["o2", "o1"]] }, /o1/],
  ["schulze", { scores: { o1: 1 } }, /rank/],
  ["stv", { ranking: [["o2"], ["o2"]] }, /o2/],
  ["stv", { votes: { o1: 1 } }, /rank/],
  ["quadratic", { votes: { o1: 10, o2: 1 } }, /100|101|credit/],
  ["quadratic", { votes: { o1: -1 } }, /o1|against|negative|0/],
  ["quadratic", { ranking: [["o1"]] }, /vote/],
];

describe("a ballot that does not fit", () => {
  const votes = new Map<string, string>();
  test.each(misfits)("%s takes no %j, and says why", async (method, choice, reason) => {
    const proposal = votes.get(method) ?? (await opened({ method }, method === "yes_no" ? [] : three));
    votes.set(method, proposal);
    const { status, code, json } = await ask("bea", "PUT", ballot(proposal), { choice });
    expect(`${status} ${code}`).toBe("422 ballot.invalid");
    expect(String((json["params"] as Record<string, unknown> | undefined)?.["reason"])).toMatch(reason);
    expect(await must("root", "GET", `proposals/${proposal}`)).toMatchObject({ ballots: 0 });
  });

  test.each([
    {},
    { choice: "perhaps" },
    { approvals: "o1" },
    { scores: { o1: 1.5 } },
    { votes: { o1: 1e9 } },
    { choice: "yes", approvals: [] },
    null,
    [],
  ])("%j is no ballot at all", async (choice) => {
    const { status, code } = await ask("bea", "PUT", ballot(running), { choice });
    expect(`${status} ${code}`).toBe("400 request.invalid");
  });
});

const limitNames = Object.keys(pluginLimitsSchema.shape);
const wrongLimits = limitNames.flatMap((name) =>
  [-1, "many", null, Number.MAX_VALUE].map((value) => [`limits.${name}`, { limits: { [name]: value } }] as const),
);
const wrongValues: readonly (readonly [path: string, body: object])[] = [
  ["trust", { trust: "everybody" }],
  ["trust", { trust: null }],
  ["trustedPublishers", { trustedPublishers: "me" }],
  ["trustedPublishers.0", { trustedPublishers: [""] }],
  ["installSources.1", { installSources: ["upload", "post"] }],
  ["registryAllowlist", { registryAllowlist: {} }],
  ["registryAllowlist.0", { registryAllowlist: [""] }],
  ["outboundHttp.enabled", { outboundHttp: { enabled: "yes", allowlist: [] } }],
  ["outboundHttp.allowlist", { outboundHttp: { enabled: true } }],
  ["backgroundJobs", { backgroundJobs: 1 }],
  ["publicEndpoints", { publicEndpoints: "true" }],
  ["limits", { limits: 5 }],
  ...wrongLimits,
];

describe("a policy outside its domain is refused when it is saved, with its path", () => {
  const put = (body: object) => ask("root", "PUT", "plugin-policy", body);

  test.each(wrongValues)("%s in %j", async (path, body) => {
    const { status, code, json } = await put(body);
    // A number that the schema takes may still be above what the instance allows.
    if (code === "policy.above_ceiling") return expect(json["params"]).toMatchObject({ key: path });
    expect(`${status} ${code}`).toBe("400 request.invalid");
    expect((json["faults"] as { path: string }[]).map((fault) => fault.path)).toContain(`body.${path}`);
  });

  test.each([
    ["registryAllowlist", { registryAllowlist: ["https://a.example"] }],
    ["registryAllowlist", { registryAllowlist: ["*"] }],
    ["outboundHttp.allowlist", { outboundHttp: { enabled: true, allowlist: ["a.example/path"] } }],
    ["outboundHttp.allowlist", { outboundHttp: { enabled: true, allowlist: ["127.0.0.1"] } }],
    ["outboundHttp.allowlist", { outboundHttp: { enabled: true, allowlist: ["*.*.example"] } }],
  ])("%s in %j names no host", async (key, body) => {
    const { status, code, json } = await put(body);
    expect(`${status} ${code}`).toBe("422 policy.pattern_invalid");
    expect(json["params"]).toMatchObject({ key });
  });

  test("every key has a row, and nothing of it was kept", async () => {
    for (const key of Object.keys(pluginPolicySchema.shape))
      expect(
        wrongValues.some(([path]) => path.split(".")[0] === key),
        key,
      ).toBe(true);
    const { status, code } = await put({ everything: true });
    expect(`${status} ${code}`).toBe("400 request.invalid");
    expect(await must("root", "GET", "plugin-policy")).toMatchObject({ community: {}, revision: 0 });
  });

  test("what the instance locks or bounds is refused by name", async () => {
    const instance = { defaults: {}, ceilings: { limits: { timeMs: 100 } }, locks: ["publicEndpoints"] };
    await must("root", "PUT", "/api/instance/plugin-policy", instance);
    expect(await put({ publicEndpoints: true })).toMatchObject({
      status: 403,
      code: "policy.locked",
      json: { params: { key: "publicEndpoints" } },
    });
    expect(await put({ limits: { timeMs: 101 } })).toMatchObject({
      status: 422,
      code: "policy.above_ceiling",
      json: { params: { key: "limits.timeMs" } },
    });
  });
});
