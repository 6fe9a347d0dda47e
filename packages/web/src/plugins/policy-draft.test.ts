import { AppError, type PluginPolicyChange } from "@althing/contract";
import { expect, test } from "vitest";
import { changeOf, draftOf, entriesOf, faultsOfPolicy, isSamePolicy, readLimit, withoutKeys } from "./policy-draft.ts";

const full: PluginPolicyChange = {
  trust: "trusted_publishers",
  trustedPublishers: ["x509:CN=Some Publisher", "ed25519:ab"],
  installSources: ["registry"],
  registryAllowlist: ["packages.example.org", "*.example.net"],
  outboundHttp: { enabled: true, allowlist: ["api.example.org"] },
  backgroundJobs: true,
  publicEndpoints: false,
  limits: { fuel: 1_500_000, memoryBytes: 33_554_432, requestsPerSecond: 0.5 },
};

test.each<[string, PluginPolicyChange]>([
  ["everything", full],
  ["nothing", {}],
  ["an empty list, which is not the same as none", { registryAllowlist: [], installSources: [] }],
])("%s comes back as it was", (_, policy) => {
  expect(changeOf(draftOf(policy))).toEqual({ change: policy, unread: [] });
});

test("what is not set here is not sent", () => {
  const draft = { ...draftOf(full), trust: undefined, outboundHttp: undefined, limits: draftOf({}).limits };
  expect(Object.keys(changeOf(draft).change)).toEqual([
    "trustedPublishers",
    "installSources",
    "registryAllowlist",
    "backgroundJobs",
    "publicEndpoints",
  ]);
});

test("lists are typed as people type them, and nothing comes twice", () => {
  expect(entriesOf(" a.example,b.example\n\nc.example ; a.example ")).toEqual(["a.example", "b.example", "c.example"]);
});

test.each(["", " ", "-1", "1e9", "ten", "0", "1.5", "Infinity"])("%j is no number of calls at once", (text) => {
  expect(readLimit("concurrency", text)).toBeUndefined();
});

test("a number that cannot be read is named and not sent", () => {
  const draft = draftOf({});
  const read = changeOf({ ...draft, limits: { ...draft.limits, fuel: "lots", kvBytes: "64" } });
  expect(read).toEqual({ change: { limits: { kvBytes: 67_108_864 } }, unread: ["fuel"] });
});

test("two policies are the same when the same would be sent", () => {
  expect(isSamePolicy(full, structuredClone(full))).toBe(true);
  expect(isSamePolicy(full, { ...full, backgroundJobs: false })).toBe(false);
});

test("a refusal is put at the key that it speaks of", () => {
  const above = new AppError("policy.above_ceiling", { key: "limits.fuel", observed: "9", limit: "5" });
  expect([...faultsOfPolicy(above).keys()]).toEqual(["limits.fuel"]);
  const pattern = new AppError("policy.pattern_invalid", { key: "outboundHttp.allowlist", observed: "a.*.b", detail: "no" });
  expect(faultsOfPolicy(pattern).get("outboundHttp")).toContain("a.*.b");
  const invalid = new AppError("request.invalid", {}, { faults: [{ path: "body.registryAllowlist.0", message: "too long" }] });
  expect(faultsOfPolicy(invalid).get("registryAllowlist")).toBe("too long");
  expect(faultsOfPolicy(new AppError("auth.forbidden", { permission: "x", who: "y" })).size).toBe(0);
});

test("keys that the instance keeps to itself are left out", () => {
  expect(Object.keys(withoutKeys(full, ["limits", "trust"]))).not.toEqual(expect.arrayContaining(["limits", "trust"]));
  expect(withoutKeys({ backgroundJobs: true }, ["backgroundJobs"])).toEqual({});
});
