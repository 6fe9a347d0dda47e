/**
 * The effective policy against an independent statement of its rules, on every combination of levels and on random policies.
 */
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { Grants, InstancePluginPolicy, PluginPolicyChange } from "@althing/contract";
import {
  coversPattern,
  effectivePolicy,
  grantedPolicy,
  intersectPatterns,
  invocationLimits,
  judgeCommunityPolicy,
  mayInstall,
  mayTrust,
  productPolicy,
} from "./index.ts";

const bare: InstancePluginPolicy = { defaults: {}, ceilings: {}, locks: [] };
const grants = (more: Partial<Grants> = {}): Grants => ({
  capabilities: [],
  egress: [],
  events: [],
  filters: [],
  jobs: [],
  publicEndpoints: [],
  uiHosts: [],
  ...more,
});

describe("effectivePolicy", () => {
  it("is the product's where nobody says anything, with a reason for every key", () => {
    const { values, reasons } = effectivePolicy(bare, {});
    expect(values).toEqual(productPolicy);
    for (const key of [
      ...Object.keys(productPolicy).filter((name) => name !== "limits"),
      ...Object.keys(productPolicy.limits).map((name) => `limits.${name}`),
    ])
      expect(reasons[key], key).toMatchObject({ level: "product" });
  });

  it("lets the community speak over the instance's default, and says so", () => {
    const { values, reasons } = effectivePolicy({ ...bare, defaults: { backgroundJobs: true } }, { backgroundJobs: false });
    expect(values.backgroundJobs).toBe(false);
    expect(reasons["backgroundJobs"]?.level).toBe("community");
  });

  it("does not let the community speak where the instance locks", () => {
    const instance: InstancePluginPolicy = { defaults: { publicEndpoints: false }, ceilings: {}, locks: ["publicEndpoints", "limits"] };
    const { values, reasons } = effectivePolicy(instance, { publicEndpoints: true, limits: { fuel: 1_000 } });
    expect(values.publicEndpoints).toBe(false);
    expect(reasons["publicEndpoints"]).toMatchObject({ level: "instance_lock", who: "An admin of the instance" });
    expect(values.limits.fuel).toBe(productPolicy.limits.fuel);
    expect(reasons["limits.fuel"]?.level).toBe("instance_lock");
  });

  it("never allows unsigned packages unless the instance's ceiling says so", () => {
    expect(effectivePolicy(bare, { trust: "allow_unsigned" }).values.trust).toBe("signed_only");
    expect(effectivePolicy(bare, { trust: "allow_unsigned" }).reasons["trust"]?.level).toBe("instance_ceiling");
    expect(effectivePolicy({ ...bare, ceilings: { trust: "allow_unsigned" } }, { trust: "allow_unsigned" }).values.trust).toBe(
      "allow_unsigned",
    );
    expect(effectivePolicy({ ...bare, ceilings: { trust: "trusted_publishers" } }, {}).values.trust).toBe("trusted_publishers");
  });

  it("keeps hosts only inside the ceiling's patterns", () => {
    const instance: InstancePluginPolicy = { ...bare, ceilings: { outboundHttp: { enabled: true, allowlist: ["*.example.org"] } } };
    const { values } = effectivePolicy(instance, {
      outboundHttp: { enabled: true, allowlist: ["api.example.org", "evil.example", "*.b.example.org"] },
    });
    expect(values.outboundHttp).toEqual({ enabled: true, allowlist: ["*.b.example.org", "api.example.org"] });
  });

  it("stays within ceilings, and is monotonic: a stricter instance never gives more", () => {
    const change = fc.record(
      {
        trust: fc.constantFrom("signed_only", "trusted_publishers", "allow_unsigned"),
        installSources: fc.subarray(["upload", "registry"]),
        outboundHttp: fc.record({
          enabled: fc.boolean(),
          allowlist: fc.subarray(["a.example", "*.a.example", "x.a.example", "b.example"]),
        }),
        backgroundJobs: fc.boolean(),
        publicEndpoints: fc.boolean(),
        limits: fc.record(
          { fuel: fc.integer({ min: 1_000, max: 100_000_000 }), timeMs: fc.integer({ min: 10, max: 5_000 }) },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<PluginPolicyChange>;
    fc.assert(
      fc.property(change, change, change, (defaults, ceilings, community) => {
        const { values } = effectivePolicy({ defaults, ceilings, locks: [] }, community);
        const free = effectivePolicy({ defaults, ceilings: { trust: "allow_unsigned" }, locks: [] }, community).values;
        if (ceilings.backgroundJobs === false) expect(values.backgroundJobs).toBe(false);
        if (ceilings.publicEndpoints === false) expect(values.publicEndpoints).toBe(false);
        if (ceilings.outboundHttp?.enabled === false) expect(values.outboundHttp.enabled).toBe(false);
        for (const host of values.outboundHttp.allowlist) {
          if (ceilings.outboundHttp !== undefined) expect(coversPattern(ceilings.outboundHttp.allowlist, host)).toBe(true);
          expect(coversPattern(free.outboundHttp.allowlist, host)).toBe(true);
        }
        if (ceilings.limits?.fuel !== undefined) expect(values.limits.fuel).toBeLessThanOrEqual(ceilings.limits.fuel);
        expect(values.installSources.every((source) => free.installSources.includes(source))).toBe(true);
      }),
    );
  });
});

describe("patterns", () => {
  it.each([
    [["*.a.example"], "x.a.example", true],
    [["*.a.example"], "a.example", false],
    [["*.a.example"], "*.b.a.example", true],
    [["*.a.example"], "*.a.example", true],
    [["a.example"], "*.a.example", false],
    [["*.a.example"], "xa.example", false],
    [["*.a.example"], "*.xa.example", false],
    [[], "a.example", false],
  ] as const)("%j covers %s: %s", (patterns, pattern, expected) => expect(coversPattern(patterns, pattern)).toBe(expected));

  it("intersects to the narrower of each pair", () => {
    expect(intersectPatterns(["*.a.example", "b.example"], ["x.a.example", "*.example"])).toEqual([
      "*.a.example",
      "b.example",
      "x.a.example",
    ]);
    expect(intersectPatterns(["a.example"], ["b.example"])).toEqual([]);
  });
});

describe("grantedPolicy", () => {
  it("withholds what policy does not allow, each with its reason", () => {
    const granted = grantedPolicy(
      effectivePolicy(bare, {}),
      grants({ capabilities: ["http.fetch", "storage.kv"], egress: ["a.example"], jobs: ["daily"], publicEndpoints: ["GET /"] }),
    );
    expect(granted).toMatchObject({ capabilities: ["storage.kv"], egress: [], mayRunJobs: false, mayBePublic: false });
    expect(Object.keys(granted.withheld).sort()).toEqual(["capability:http.fetch", "host:a.example", "jobs", "publicEndpoints"]);
  });

  it("gives what was granted and nothing that only policy allows", () => {
    const policy = effectivePolicy(bare, { outboundHttp: { enabled: true, allowlist: ["a.example", "b.example"] }, backgroundJobs: true });
    const granted = grantedPolicy(policy, grants({ capabilities: ["http.fetch"], egress: ["a.example"] }));
    expect(granted).toMatchObject({ capabilities: ["http.fetch"], egress: ["a.example"], withheld: {} });
  });
});

describe("mayInstall and mayTrust", () => {
  it("names the rule, what it saw and who can change it", () => {
    const policy = effectivePolicy(bare, { installSources: ["upload"] });
    expect(mayInstall(policy, { kind: "upload" })).toBeUndefined();
    expect(mayInstall(policy, { kind: "registry", host: "a.example" })).toMatchObject({
      code: "policy.registry_forbidden",
      params: { observed: "[upload]", level: "community" },
    });
    expect(mayInstall(effectivePolicy(bare, {}), { kind: "registry", host: "a.example" })).toMatchObject({
      code: "policy.host_not_allowed",
      params: { host: "a.example" },
    });
    expect(
      mayInstall(effectivePolicy(bare, { registryAllowlist: ["*.example"] }), { kind: "registry", host: "a.example" }),
    ).toBeUndefined();
  });

  it("tolerates a missing signature only where unsigned is allowed, and tampering nowhere", () => {
    const open = effectivePolicy({ ...bare, ceilings: { trust: "allow_unsigned" } }, { trust: "allow_unsigned" });
    const unsigned = { verified: false, reason: { code: "trust.unsigned", text: "there is no signature" } };
    expect(mayTrust(open, unsigned)).toBeUndefined();
    expect(mayTrust(effectivePolicy(bare, {}), unsigned)).toMatchObject({ code: "trust.unsigned" });
    for (const code of ["trust.bad_signature", "trust.revoked", "trust.content_mismatch", "trust.malformed"])
      expect(mayTrust(open, { verified: false, reason: { code, text: "x" } })).toMatchObject({ code });
  });

  it("asks for a listed publisher where only those are trusted", () => {
    const policy = effectivePolicy(bare, { trust: "trusted_publishers", trustedPublishers: ["ed25519:aa"] });
    const signer = (id: string) => ({ verified: true, signer: { kind: "key" as const, id, publisherId: id } });
    expect(mayTrust(policy, signer("ed25519:aa"))).toBeUndefined();
    expect(mayTrust(policy, signer("ed25519:bb"))).toMatchObject({
      code: "policy.publisher_not_trusted",
      params: { observed: "ed25519:bb" },
    });
  });
});

describe("judgeCommunityPolicy", () => {
  it("refuses what is locked or above a ceiling by name, and nothing else", () => {
    expect(judgeCommunityPolicy({ ...bare, locks: ["trust"] }, { trust: "signed_only" })).toMatchObject({
      code: "policy.locked",
      params: { key: "trust" },
    });
    expect(judgeCommunityPolicy(bare, { trust: "allow_unsigned" })).toMatchObject({
      code: "policy.above_ceiling",
      params: { key: "trust" },
    });
    expect(judgeCommunityPolicy(bare, { limits: { fuel: 60_000_000 } })).toMatchObject({
      code: "policy.above_ceiling",
      params: { key: "limits.fuel", observed: "60000000", limit: "50000000" },
    });
    expect(judgeCommunityPolicy({ ...bare, ceilings: { limits: { fuel: 1_000 } } }, { limits: { timeMs: 100 } })).toBeUndefined();
    expect(judgeCommunityPolicy(bare, { backgroundJobs: true, limits: { fuel: 1_000 } })).toBeUndefined();
  });
});

describe("invocationLimits", () => {
  it("is the smallest of manifest and policy", () => {
    const policy = effectivePolicy(bare, { limits: { fuel: 5_000 } });
    expect(invocationLimits(policy, { fuel: 1_000, timeMs: 60_000 })).toEqual({
      fuel: 1_000,
      timeMs: 2_000,
      memoryBytes: 64 * 1024 * 1024,
    });
    expect(invocationLimits(policy, undefined).fuel).toBe(5_000);
  });
});
