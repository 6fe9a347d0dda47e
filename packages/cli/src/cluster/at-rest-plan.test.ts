/** Keys for all nodes: one node at a time, nothing stopped while another is away, keys made where they stay, and begun work gone on with. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { atRestPlan } from "./at-rest-plan.ts";
import { readNodesFile } from "./nodes-file.ts";
import type { PlanInput } from "./plans.ts";
import type { RunStep } from "./steps.ts";

const text = readFileSync(join(repositoryRoot, "deploy/nodes.toml"), "utf8")
  .replace("CHANGE-ME", "garden")
  .replaceAll("192.0.2.", "10.20.0.")
  .replaceAll("example.org", "althing.test");
const plain = readNodesFile("nodes.toml", text);
const withKey = (file: unknown): PlanInput => ({
  plan: { ...plain, settings: { ...plain.settings, at_rest_key_file: file } },
  ...{ from: "/srv/made/garden", programRoot: "/srv/made/althing", machine: "Linux x86_64", version: "1.2.3", instanceText: "{}\n" },
});
const steps = atRestPlan(withKey("/etc/althing/at-rest.key"));
const isRun = (step: (typeof steps)[number]): step is RunStep => step.kind === "run";

test("each node is stopped only after all others were ready, and the next one is touched when it hears all again", () => {
  const order = steps.map(
    (step) => `${step.node} ${step.kind === "run" ? step.what.split(":")[0] : step.withinMs < 60_000 ? "ready?" : "back?"}`,
  );
  expect(order.splice(0, 3)).toEqual([
    "n1 look that it can be worked on",
    "n2 look that it can be worked on",
    "n3 look that it can be worked on",
  ]);
  expect(order.slice(0, 8)).toEqual([
    "n2 ready?",
    "n3 ready?",
    "n1 make a key where there is none",
    "n1 stop it",
    "n1 encrypt it",
    "n1 name its key",
    "n1 start it",
    "n1 back?",
  ]);
  expect(order.map((line) => line.replace(/^n\d/, "")).slice(8, 16)).toEqual(order.map((line) => line.replace(/^n\d/, "")).slice(0, 8));
  expect(order).toHaveLength(24);
  expect(steps.at(-1)).toMatchObject({ node: "n3", until: { heard: 3 } });
});

test.each<[string, unknown]>([
  ["none", undefined],
  ["a path from nowhere", "at-rest.key"],
  ["one for the shell", "/etc/althing/$(id).key"],
  ["one with a space", "/etc/althing/at rest.key"],
  ["one that climbs", "/etc/../data.key"],
  ["one in the data", `${plain.nodes[0]?.home ?? ""}/data/at-rest.key`],
])("a key file that is %s is refused", (_, file) => {
  expect(() => atRestPlan(withKey(file))).toThrow(/at_rest_key_file/);
});

/** What a step says to a machine's shell, said to this one's, with programs of its own in the way. */
async function said(what: string, programs: Readonly<Record<string, string>>, files: Readonly<Record<string, string>> = {}) {
  await using dir = await tempDir();
  const step = steps.filter(isRun).find((each) => each.what.startsWith(what));
  const { home } = plain.nodes[0] ?? { home: "" };
  for (const folder of ["bin", "home", "etc"]) mkdirSync(join(dir.path, folder));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(dir.path, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(dir.path, "bin", name), 0o755);
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir.path, name), content);
  const command = (step?.args.at(-1) ?? "").replaceAll(home, join(dir.path, "home")).replaceAll("/etc/althing", join(dir.path, "etc"));
  const env = { PATH: `${join(dir.path, "bin")}:${process.env["PATH"] ?? ""}` };
  let code: unknown = 0;
  try {
    execFileSync("sh", ["-c", command.replaceAll(`${plain.program}/althing`, "althing")], { env, stdio: "pipe" });
  } catch (error) {
    code = error instanceof Error && "status" in error ? error.status : error;
  }
  const toml = files["home/althing.toml"] === undefined ? "" : readFileSync(join(dir.path, "home/althing.toml"), "utf8");
  return { code, toml: toml.replaceAll(join(dir.path, "etc"), "/etc/althing") };
}

test("a node that is encrypted already is no failure, and any other refusal is", async () => {
  expect((await said("encrypt it", { runuser: "exit 0" })).code).toBe(0);
  expect((await said("encrypt it", { runuser: `echo '{"error":{"code":"encryption.already"}}'; exit 2` })).code).toBe(0);
  expect((await said("encrypt it", { runuser: `echo '{"error":{"code":"encryption.node_needed"}}'; exit 2` })).code).toBe(1);
});

test("a key that is there is kept", async () => {
  const programs = { althing: "exit 7", chown: "exit 0" };
  expect((await said("make a key", programs, { "etc/at-rest.key": "kept" })).code).toBe(0);
  expect((await said("make a key", programs)).code).toBe(7);
});

test("the setting is written once, above the list of nodes", async () => {
  const line = 'at_rest_key_file = "/etc/althing/at-rest.key"\n';
  const list = 'node_name = "n1"\n\n[[cluster_nodes]]\nname = "n1"\n';
  expect((await said("name its key", {}, { "home/althing.toml": list })).toml).toBe(line + list);
  expect((await said("name its key", {}, { "home/althing.toml": `at_rest_key_file = "/old.key"\n${list}` })).toml).toBe(line + list);
});
