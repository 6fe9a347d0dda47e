import { generateKeyPairSync, randomBytes } from "node:crypto";
import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkInvisible, checkSecrets, checkTraces, wordHash } from "../../tools/guards/check-text.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";
import allowed from "./allowed-secrets.json" with { type: "json" };

const tree = openSourceTree(repositoryRoot);
const planted = "packages/hub/src/planted.ts";
const plant = (text: string) => tree.with({ [planted]: text });
const mine = (findings: readonly string[]) => findings.filter((finding) => finding.startsWith(planted));

test("no tracked file has invisible or direction-changing characters", () => {
  expect(checkInvisible(tree)).toEqual([]);
});

test.each(["\u202e", "\u2066", "\u200b", "\u00ad", "\ufeff", "\u{e0041}"])("a planted %j is found", (character) => {
  expect(mine(checkInvisible(plant(`const admin = "no${character}";\n`)))).toHaveLength(1);
});

test("no tracked file has a secret", () => {
  expect(checkSecrets(tree, allowed)).toEqual([]);
});

test("planted secrets are found: key blocks, seeds, tokens, random strings", () => {
  const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const seed = `SU${"A2B3C4D5".repeat(7)}`;
  const secrets = [
    pem,
    seed,
    `ghp_${"a1B2".repeat(9)}`,
    `"${randomBytes(32).toString("hex")}"`,
    `"${randomBytes(36).toString("base64url")}a1B"`,
  ];
  for (const secret of secrets) expect(mine(checkSecrets(plant(`const x = ${secret};`), allowed)), secret).toHaveLength(1);
});

test("an allowance that allows nothing is reported", () => {
  const stale = { file: "README.md", text: "not there at all", reason: "none" };
  expect(checkSecrets(tree, [...allowed, stale]).join()).toContain("no longer has");
});

test("no tracked file names a machine's folder, a host beyond examples, or where it was written", () => {
  expect(checkTraces(tree)).toEqual([]);
});

test("planted traces are found", () => {
  const scheme = "https:";
  for (const trace of [
    `${scheme}//registry.some-mirror.io/x`,
    `"${["", "home", "ada", "src"].join("/")}"`,
    `${scheme}//10.0.0.300.evil.dev`,
  ]) {
    expect(mine(checkTraces(plant(`// ${trace}\n`))), trace).toHaveLength(1);
  }
  expect(mine(checkTraces(plant("// made at Acme\n"), new Set([wordHash("acme")])))).toHaveLength(1);
  expect(mine(checkTraces(plant(`// ${scheme}//hub.example.org:8470 and /var/lib/althing\n`)))).toEqual([]);
});
