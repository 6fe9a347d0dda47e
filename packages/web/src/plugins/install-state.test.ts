import { endpointIdSchema, extensionIdSchema, type Install, type PackageVersion } from "@althing/contract";
import { expect, test } from "vitest";
import { compareVersions, moodOf, signatureOf, upgradeOf } from "./install-state.ts";

const blocked: Install["blocked"] = { rule: "trust", text: "x", who: "y" };

test.each<[string, Parameters<typeof moodOf>[0], string]>([
  ["that runs", { state: "active" }, "active"],
  ["that runs but policy is against it", { state: "active", blocked }, "blocked"],
  ["in quarantine, whatever else", { state: "quarantined", blocked }, "quarantined"],
  ["nobody consented to", { state: "installed" }, "waits"],
  ["that is off", { state: "inactive" }, "inactive"],
])("a package %s", (_, install, mood) => {
  expect(moodOf(install)).toBe(mood);
});

test("signatures are told apart", () => {
  const signer = { kind: "key" as const, id: "ed25519:ab", publisherId: "ed25519:ab" };
  expect(signatureOf({ verified: true, signer })).toBe("trusted");
  expect(signatureOf({ verified: true, signer }, ["ed25519:ab"])).toBe("listed");
  expect(signatureOf({ verified: false })).toBe("unsigned");
  for (const [code, mood] of [
    ["trust.unsigned", "unsigned"],
    ["trust.untrusted_signer", "unknown"],
    ["trust.revoked", "revoked"],
    ["trust.bad_signature", "broken"],
  ])
    expect(signatureOf({ verified: false, signer, reason: { code: code ?? "", text: "" } }, ["ed25519:ab"])).toBe(mood);
});

test("versions are ordered as the standard has it", () => {
  const ordered = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
  ];
  expect(ordered.toReversed().toSorted(compareVersions)).toEqual(ordered);
  expect(compareVersions("1.0.0+a", "1.0.0+b")).toBe(0);
});

const offer = (version: string, more: Partial<PackageVersion> = {}): PackageVersion => ({
  name: extensionIdSchema.parse("org.example.a"),
  version,
  contentHash: `sha256:${version}`,
  bytes: 1,
  publisher: { id: "p", name: "P" },
  displayName: "A",
  trust: { required: true, verified: true, chain: [] },
  source: "publish",
  publishedAt: "2026-01-01T00:00:00Z",
  publishedBy: endpointIdSchema.parse("A".repeat(43)),
  sbom: false,
  ...more,
});

test("an upgrade is newer, may be installed, and is no trial unless there is nothing else", () => {
  const here = { version: "1.0.0", contentHash: "sha256:1.0.0" };
  expect(upgradeOf(here, [offer("0.9.0"), offer("1.0.0")])).toBeUndefined();
  expect(upgradeOf(here, [offer("1.1.0"), offer("1.2.0", { yanked: "bad" }), offer("2.0.0-rc.1")])?.version).toBe("1.1.0");
  expect(upgradeOf(here, [offer("2.0.0-rc.1")])?.version).toBe("2.0.0-rc.1");
  expect(upgradeOf({ ...here, pending: { version: "1.1.0", contentHash: "sha256:1.1.0" } }, [offer("1.1.0")])).toBeUndefined();
});
