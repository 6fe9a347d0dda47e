/**
 * What members see of packages at work, and what a policy would stop.
 */
import { describe, expect, it } from "vitest";
import { AppError, type ExtensionId, type Grants, type InstallId, type PluginPolicyChange, type TrustState } from "@althing/contract";
import { effectivePolicy } from "@althing/policy";
import { ada, community, executedOf, extension, installId, installOf, openWorld, usage, type World } from "../../test/invocation-world.ts";
import { endOf, otherCommunity, startOf } from "../../test/execution-samples.ts";
import { createObserved, dryRunPolicy, type JudgedInstall } from "./index.ts";

const installs = {
  locate: (_community: string, install: string) =>
    install === installId || install === extension
      ? Promise.resolve({ id: installId, community, extension })
      : Promise.reject(new AppError("install.not_found", { install })),
};
const watch = (world: World) => createObserved({ ...world, gate: world.gate, installs });
const invoke = (world: World) =>
  world.invoker.invoke({
    ...{ install: installOf(), requestId: "r1", name: "daily", body: new Uint8Array(), actor: undefined },
    call: { kind: "job", name: "daily", slot: "s" },
  });

describe("the log of a package", () => {
  it("is for those with plugins.read, page by page", async () => {
    const world = openWorld();
    for (let i = 0; i < 3; i++) await invoke(world);
    const observed = watch(world);
    const page = await observed.log(ada, { community, install: extension, limit: 2 });
    expect(page.executions).toHaveLength(2);
    const rest = await observed.log(ada, {
      community,
      install: installId,
      limit: 2,
      ...(page.next === undefined ? {} : { after: page.next }),
    });
    expect(rest.executions).toHaveLength(1);
    world.state.permissions = ["events.read"];
    await expect(observed.log(ada, { community, install: extension, limit: 2 })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
    await expect(observed.log(ada, { community: otherCommunity, install: extension, limit: 2 })).rejects.toMatchObject({
      code: "community.not_found",
    });
  });

  it("is none of a package that is not there", async () => {
    await expect(watch(openWorld()).log(ada, { community, install: "org.example.other" as ExtensionId, limit: 2 })).rejects.toMatchObject({
      code: "install.not_found",
    });
  });
});

describe("the usage of a package", () => {
  const lineOf = async (world: World, quota: string) =>
    (await watch(world).usage(ada, { community, install: extension, hours: 24 })).limits.find((line) => line.quota === quota);

  it("is for those with plugins.read", async () => {
    const world = openWorld();
    world.state.permissions = [];
    await expect(watch(world).usage(ada, { community, install: extension, hours: 1 })).rejects.toMatchObject({
      code: "auth.forbidden",
    });
  });

  it.each([
    [799, "ok"],
    [800, "warning"],
    [999, "warning"],
    [1_000, "exhausted"],
  ])("at %d of 1,000 is %s", async (fuel, state) => {
    const world = openWorld();
    world.state.policy = { limits: { fuelPerHour: 1_000 } };
    world.state.runner = () => Promise.resolve(executedOf({ kind: "done", note: "" }, "", { usage: { ...usage, fuel } }));
    await invoke(world);
    expect(await lineOf(world, "fuelPerHour")).toEqual({ quota: "fuelPerHour", used: fuel, limit: 1_000, unit: "units", state });
  });

  it("names every quota with the limit of today's policy, and the hours", async () => {
    const world = openWorld();
    await invoke(world);
    await world.kv.put({ community, extension }, { key: "k", value: new Uint8Array(35), quotaBytes: 1e6 });
    world.state.policy = { limits: { kvBytes: 125, egressBytesPerDay: 0 } };
    const { limits, hours } = await watch(world).usage(ada, { community, install: extension, hours: 24 });
    expect(limits).toEqual([
      { quota: "fuelPerHour", used: 1_000, limit: 10_000_000_000, unit: "units", state: "ok" },
      { quota: "wallTimeMsPerHour", used: expect.any(Number) as number, limit: 600_000, unit: "ms", state: "ok" },
      { quota: "egressBytesPerDay", used: 0, limit: 0, unit: "bytes", state: "exhausted" },
      { quota: "kvBytes", used: 100, limit: 125, unit: "bytes", state: "warning" },
      { quota: "concurrency", used: 0, limit: 4, unit: "calls", state: "ok" },
      { quota: "communityConcurrency", used: 0, limit: 8, unit: "calls", state: "ok" },
    ]);
    expect(hours).toMatchObject([{ calls: 1, errors: 0, fuel: 1_000, egressBytes: 0 }]);
  });

  it("shows calls that run", async () => {
    const world = openWorld();
    world.state.policy = { limits: { concurrency: 1 } };
    let during: unknown;
    world.state.runner = async () => {
      during = await lineOf(world, "concurrency");
      return executedOf({ kind: "done", note: "" });
    };
    await invoke(world);
    expect(during).toMatchObject({ used: 1, limit: 1, state: "exhausted" });
  });
});

describe("the dry run of a policy", () => {
  const signed: TrustState = {
    required: true,
    verified: true,
    signer: { kind: "key", id: "ed25519:a", publisherId: "a.example" },
    chain: [],
  };
  const unsigned: TrustState = {
    required: true,
    verified: false,
    chain: [],
    reason: { code: "trust.unsigned", text: "there is no signature" },
  };
  const none: Grants = { capabilities: [], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] };
  const wide: Grants = {
    ...none,
    ...{
      capabilities: ["http.fetch"],
      egress: ["api.example", "*.cdn.example"],
      jobs: ["daily", "weekly"],
      publicEndpoints: ["GET /open"],
    },
  };
  const open: PluginPolicyChange = {
    trust: "allow_unsigned",
    outboundHttp: { enabled: true, allowlist: ["api.example", "*.cdn.example"] },
    backgroundJobs: true,
    publicEndpoints: true,
  };
  const effectiveOf = (change: PluginPolicyChange) =>
    effectivePolicy({ defaults: {}, ceilings: { trust: "allow_unsigned" }, locks: [] }, { ...open, ...change });
  const other = "01ARZ3NDEKTSV4RRFFQ69G5FZX" as InstallId;

  async function world() {
    const { executions, clock } = openWorld();
    const call = async (changes: Parameters<typeof startOf>[0], end: Parameters<typeof endOf>[0] = { egressBytes: 0 }) =>
      (await executions.start(startOf(changes))).finish(endOf(end));
    await call({ trigger: "job", name: "daily" });
    clock.nowMs += 8 * 24 * 3_600_000;
    for (let i = 0; i < 2; i++) await call({ trigger: "job", name: "daily" });
    await call({ name: "GET /open" });
    await call({ name: "GET /open", actor: ada.handle });
    await call({ name: "GET /polls", actor: ada.handle }, { egressBytes: 9 });
    const all: readonly JudgedInstall[] = [
      { id: installId, extension, granted: wide, trust: signed },
      { id: other, extension: "org.example.plain", granted: none, trust: unsigned },
    ];
    return (change: PluginPolicyChange, rowsMax?: number) =>
      dryRunPolicy(
        { installs: { all: () => Promise.resolve(all) }, executions, clock, ...(rowsMax === undefined ? {} : { rowsMax }) },
        community,
        effectiveOf(change),
      );
  }

  it("blocks nothing when everything is allowed, and answers with what would result", async () => {
    const { blocks, effective } = await (await world())({});
    expect(blocks).toEqual([]);
    expect(effective.values.backgroundJobs).toBe(true);
  });

  it.each<[string, PluginPolicyChange, readonly unknown[]]>([
    ["signatures", { trust: "signed_only" }, [["install", "org.example.plain", "trust", 0]]],
    [
      "publishers",
      { trust: "trusted_publishers", trustedPublishers: ["b.example"] },
      [
        ["install", extension, "trustedPublishers", 5],
        ["install", "org.example.plain", "trust", 0],
      ],
    ],
    [
      "jobs",
      { backgroundJobs: false },
      [
        ["job", "daily", "backgroundJobs", 2],
        ["job", "weekly", "backgroundJobs", 0],
      ],
    ],
    ["hosts", { outboundHttp: { enabled: true, allowlist: ["api.example"] } }, [["host", "*.cdn.example", "outboundHttp", 1]]],
    [
      "all hosts",
      { outboundHttp: { enabled: false, allowlist: [] } },
      [
        ["host", "api.example", "outboundHttp", 1],
        ["host", "*.cdn.example", "outboundHttp", 1],
      ],
    ],
    ["strangers", { publicEndpoints: false }, [["endpoint", "GET /open", "publicEndpoints", 1]]],
  ])("names what a rule on %s stops, with the calls of seven days", async (_what, change, expected) => {
    const { blocks } = await (await world())(change);
    expect(blocks.map(({ kind, name, rule, calls }) => [kind, name, rule, calls])).toEqual(expected);
    for (const block of blocks) expect(block.text).not.toBe("");
  });

  it("reads so many rows and no more, and says so", async () => {
    const { blocks } = await (await world())({ backgroundJobs: false }, 4);
    expect(blocks.map(({ calls, text }) => [calls, /newest 4 calls/.test(text)])).toEqual([
      [1, true],
      [0, true],
    ]);
  });
});
