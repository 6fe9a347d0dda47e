import { readManifest, type Manifest } from "@althing/extension/manifest";
import type { Grants } from "@althing/contract";
import { expect, test } from "vitest";
import { diffWords, grantsWords, manifestWords, trustWords } from "./in-words.ts";

const none: Grants = { capabilities: [], egress: [], events: [], filters: [], jobs: [], publicEndpoints: [], uiHosts: [] };

function manifestOf(change: object): Manifest {
  const written = {
    manifestVersion: 2,
    name: "org.example.hello",
    version: "1.0.0",
    publisher: { id: "x", name: "X" },
    displayName: "Hello",
    engine: "^1.0.0",
  };
  const { manifest, faults } = readManifest(new TextEncoder().encode(JSON.stringify({ ...written, ...change })), {
    checkCron: () => undefined,
  });
  if (manifest === undefined) throw new Error(JSON.stringify(faults));
  return manifest;
}

test("everything that a manifest asks for is said, with its author's reason marked as theirs", () => {
  const text = manifestWords(
    manifestOf({
      capabilities: [{ name: "http.fetch", reason: "For weather." }],
      egress: [{ host: "*.weather.example", reason: "Forecasts." }],
      endpoints: [
        { method: "GET", path: "/open", public: true },
        { method: "POST", path: "/act", permission: "moderation.act" },
      ],
      events: ["member.*"],
      filters: [{ point: "vote.before_cast", mode: "fail_closed" }],
      jobs: [{ name: "tick", schedule: { cron: "0 6 * * 1", timeZone: "Europe/Oslo" } }],
      settings: { type: "object", properties: { key: { type: "string", secret: true } }, required: ["key"] },
    }),
  ).join("\n");
  for (const said of [
    'http.fetch: send requests to the hosts of `egress`; its author says "For weather."',
    '*.weather.example; its author says "Forecasts."',
    "GET /open: anybody, without signing in",
    "POST /act: members with moderation.act",
    "member.*",
    "vote.before_cast: it may change or refuse; when it fails, the act is refused",
    "tick: cron 0 6 * * 1 (Europe/Oslo)",
    "key: secret, needed",
  ])
    expect(text).toContain(said);
  expect(text).not.toContain("asks for no grants");
});

test("a package that asks for nothing says so", () => {
  expect(manifestWords(manifestOf({})).at(-1)).toBe("asks for no grants");
});

test("a difference names each thing that is added or given up", () => {
  const added = { ...none, capabilities: ["members.read"], publicEndpoints: ["GET /x"] };
  expect(diffWords({ added, removed: { ...none, jobs: ["tick"] } })).toEqual([
    "+ it will be able to members.read: see who is a member",
    "+ it will be able to answer GET /x to anybody, without signing in",
    "- it will no longer run the job tick by itself",
  ]);
  expect(diffWords({ added: none, removed: none })).toEqual(["it asks for the same as before"]);
});

test("every kind of grant has words", () => {
  const all = Object.fromEntries(Object.keys(none).map((kind) => [kind, [`item-${kind}`]])) as Grants;
  const words = grantsWords(all);
  expect(words).toHaveLength(Object.keys(none).length);
  for (const kind of Object.keys(none)) expect(words.join("\n")).toContain(`item-${kind}`);
});

test("a signature is called right only when it was verified", () => {
  const signer = { kind: "key" as const, id: "ed25519:00", publisherId: "ed25519:00" };
  expect(trustWords({ required: true, verified: true, signer, chain: [] })).toContain("signed by ed25519:00");
  const text = trustWords({
    required: true,
    verified: false,
    signer,
    chain: [],
    reason: { code: "trust.revoked", text: "it is\nrevoked" },
  });
  expect(text).toBe("NOT VERIFIED: it is revoked");
});
