import { pluginLimitsSchema, pluginPolicySchema } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { applyPolicyWords, settableKeys } from "./policy-values.ts";

describe("key=value words of a policy", () => {
  test.each([
    ["backgroundJobs=true", { backgroundJobs: true }],
    ["publicEndpoints=off", { publicEndpoints: false }],
    ["trust=trusted_publishers", { trust: "trusted_publishers" }],
    ["installSources=upload, registry", { installSources: ["upload", "registry"] }],
    ["registryAllowlist=", { registryAllowlist: [] }],
    ["trustedPublishers=ed25519:00=,x", { trustedPublishers: ["ed25519:00=", "x"] }],
    ["outboundHttp.allowlist=a.example,*.b.example", { outboundHttp: { enabled: false, allowlist: ["a.example", "*.b.example"] } }],
    ["limits.fuel=20_000_000", { limits: { fuel: 20_000_000 } }],
    ["limits.requestsPerSecond=0.5", { limits: { requestsPerSecond: 0.5 } }],
  ])("%s", (word, wanted) => {
    expect(applyPolicyWords({}, [word])).toEqual(wanted);
  });

  test("change what they name and leave the rest, also inside groups", () => {
    const now = { backgroundJobs: true, limits: { fuel: 5_000, timeMs: 100 }, outboundHttp: { enabled: false, allowlist: ["a.example"] } };
    expect(applyPolicyWords(now, ["limits.timeMs=200", "outboundHttp.enabled=true"])).toEqual({
      backgroundJobs: true,
      limits: { fuel: 5_000, timeMs: 200 },
      outboundHttp: { enabled: true, allowlist: ["a.example"] },
    });
    expect(now.limits.timeMs).toBe(100);
    expect(applyPolicyWords(now, ["backgroundJobs=default", "limits.fuel=default", "outboundHttp.enabled=default"])).toEqual({
      limits: { timeMs: 100 },
    });
  });

  test.each([
    "backgroundJobs",
    "=true",
    "colour=red",
    "limits=5",
    "limits.colour=5",
    "__proto__=x",
    "constructor.name=x",
    "backgroundJobs=yes",
    "limits.fuel=many",
    "limits.fuel=",
    "limits.fuel=1.5",
    "limits.fuel=-1",
    "trust=nobody",
    "installSources=carrier-pigeon",
  ])("%s is wrong usage", (word) => {
    expect(() => applyPolicyWords({}, [word])).toThrow(expect.objectContaining({ code: "cli.usage" }));
  });

  test("every key of the contract's schema can be set", () => {
    for (const key of Object.keys(pluginLimitsSchema.shape)) expect(settableKeys).toContain(`limits.${key}`);
    const groups = new Set(settableKeys.map((key) => key.split(".")[0]));
    expect(groups).toEqual(new Set(Object.keys(pluginPolicySchema.shape)));
  });
});
