/** Work on machines: in which order, one node at a time, stopped at the first failure, and what reaches another machine's shell. */
import type { Health } from "@althing/contract";
import { repositoryRoot } from "@althing/testkit";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { healthOf } from "../../test/healthy-node.ts";
import { readNodesFile } from "./nodes-file.ts";
import { backCommand, deployPlan, programParts, replacePlan, scalePlan, swapTitle, upgradePlan, type PlanInput } from "./plans.ts";
import { runSteps, stepText, type RanProgram, type Step, type StepWorld } from "./steps.ts";

const text = readFileSync(join(repositoryRoot, "deploy/nodes.toml"), "utf8")
  .replace("CHANGE-ME", "garden")
  .replaceAll("192.0.2.", "10.20.0.")
  .replaceAll("example.org", "althing.test");
const input: PlanInput = {
  plan: readNodesFile("nodes.toml", text),
  from: "/srv/made/garden",
  programRoot: "/srv/made/althing",
  machine: "Linux x86_64",
  version: "1.2.3",
  instanceText: '{"version":1}\n',
};
const [first, second] = input.plan.nodes;
if (first === undefined || second === undefined) throw new TypeError("three nodes are planned");

interface Tried {
  readonly done: string[];
  readonly failure: unknown;
}

/** Runs the steps in a world where everything works but what a test breaks. */
async function tryOut(
  steps: readonly Step[],
  breaks: {
    readonly run?: (line: string) => RanProgram | undefined;
    readonly health?: (node: string, done: readonly string[]) => Health | undefined;
  } = {},
): Promise<Tried> {
  const done: string[] = [];
  let nowMs = 0;
  const world: StepWorld = {
    run: (program, args) => {
      const line = [program, ...args].join(" ");
      done.push(line);
      return Promise.resolve(breaks.run?.(line) ?? { code: 0, detail: "" });
    },
    health: (url) => {
      const node = /n\d/.exec(url)?.[0] ?? "";
      done.push(`health ${node}`);
      return Promise.resolve(breaks.health === undefined ? healthOf(node) : breaks.health(node, done));
    },
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    nowMs: () => nowMs,
    say: () => undefined,
  };
  const failure = await runSteps(steps, world).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { done, failure };
}

/** What changes something: not the look at a machine, nor the question whether a node is ready. */
const changes = (done: readonly string[]) => done.filter((line) => !line.startsWith("health") && !line.includes("uname"));

const short = (line: string): string =>
  line.startsWith("health")
    ? line
    : `${/@(n\d)\./.exec(line)?.[1] ?? "?"} ${/uname|systemctl \w+|cp -a|mv \S+\.new|:\/opt\/althing\.new\/$|rm -f \/opt\/althing\.upgrading$/.exec(line)?.[0] ?? line}`;

const [all, looks] = [
  ["health n1", "health n2", "health n3"],
  ["n1 uname", "n2 uname", "n3 uname"],
];

test("an upgrade looks at all, then goes node by node: copy, ask the others, stop, back up, swap, start, wait; in the end all are asked", async () => {
  const { done, failure } = await tryOut(upgradePlan(input));
  expect(failure).toBeUndefined();
  const one = (name: string) => [
    `${name} :/opt/althing.new/`,
    ...all.filter((line) => line !== `health ${name}`),
    ...["systemctl stop", "cp -a", "mv /opt/althing.new", "systemctl start"].map((part) => `${name} ${part}`),
    `health ${name}`,
    `${name} rm -f /opt/althing.upgrading`,
  ];
  expect(done.map(short)).toEqual([...all, ...looks, ...["n1", "n2", "n3"].flatMap((name) => one(name)), ...all]);
});

test("a node that came back and shut itself since is found before the next one, which may be the only one that serves, is stopped", async () => {
  const hasUpgraded = (so: readonly string[]) => so.some((line) => line.includes("@n3.") && line.includes(".new/"));
  const behind = { status: "unavailable", reason: "this node is behind the others" } as const;
  const { done, failure } = await tryOut(upgradePlan(input), {
    health: (node, so) => healthOf(node, node !== "n3" && hasUpgraded(so) ? behind : {}),
  });
  expect(failure).toMatchObject({
    code: "cluster.not_ready",
    params: { node: "n1", detail: "it is unavailable (this node is behind the others)" },
  });
  expect(done.filter((line) => line.includes("@n3.") && line.includes("systemctl stop"))).toEqual([]);
});

test("an upgrade does not begin while a node is away, and stops nothing", async () => {
  const { done, failure } = await tryOut(upgradePlan(input), { health: (node) => (node === "n3" ? undefined : healthOf(node)) });
  expect(failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n3", detail: "no answer" } });
  expect(done.filter((line) => !line.startsWith("health"))).toEqual([]);
});

test("an upgraded node that does not come back, comes back old, or hears too few, is the last that was touched", async () => {
  const cases: readonly (readonly [(node: string) => Health | undefined, string])[] = [
    [() => undefined, "no answer"],
    [(node) => healthOf(node, { status: "unavailable", reason: "no majority." }), "it is unavailable (no majority)"],
    [(node) => healthOf(node, { version: "1.2.2" }), "it has version 1.2.2"],
    [(node) => healthOf(node, {}, { heard: 2 }), "it hears 2 of 3"],
    [() => healthOf("n9"), "node n9 answers there"],
  ];
  for (const [broken, detail] of cases) {
    const { done, failure } = await tryOut(upgradePlan(input), {
      health: (node, so) => (so.some((line) => line.includes("systemctl start")) ? broken(node) : healthOf(node)),
    });
    expect(failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n1", detail } });
    expect(changes(done).filter((line) => line.includes("@n2.") || line.includes("@n3."))).toEqual([]);
  }
});

test("an upgrade goes on at the node that it is told to, which may be down; the others are asked", async () => {
  const isBack = (so: readonly string[]) => so.some((line) => line.includes("@n2.") && line.includes("systemctl start"));
  const { done, failure } = await tryOut(upgradePlan(input, input.plan.nodes[1]), {
    health: (node, so) => (node === "n2" && !isBack(so) ? undefined : healthOf(node)),
  });
  expect(failure).toBeUndefined();
  expect(done.slice(0, 4).map(short)).toEqual(["health n1", "health n3", "n2 uname", "n3 uname"]);
  expect(done.filter((line) => line.includes("@n1."))).toEqual([]);
  expect(done.filter((line) => line.includes("systemctl start"))).toHaveLength(2);
});

test("two nodes that are added are not waited for before the others have taken the longer list, which is when they have a majority", async () => {
  const isTold = (so: readonly string[]) => so.some((line) => line.includes("@n1.") && line.includes("systemctl restart"));
  const world = {
    health: (node: string, so: readonly string[]) =>
      node === "n3" && !isTold(so) ? healthOf(node, { status: "starting" }) : healthOf(node),
  };
  expect((await tryOut(deployPlan(input, true), world)).failure).toBeUndefined();
  expect((await tryOut(deployPlan(input, false), world)).failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n3" } });
});

test("the program is readable for the service and writable for root alone, and what is the same is linked, not sent", () => {
  const copies = (steps: readonly Step[]) => steps.map(stepText).filter((line) => line.includes("node_modules"));
  for (const line of [...copies(deployPlan(input, false)), ...copies(upgradePlan(input))])
    expect(line).toContain("--chown=root:root --chmod=D755,Fgo=rX");
  expect(copies(upgradePlan(input)).every((line) => line.includes("--link-dest=/opt/althing "))).toBe(true);
  expect(copies(deployPlan(input, false)).some((line) => line.includes("--link-dest"))).toBe(false);
});

test("the way back touches nothing where there is no program before", () => {
  const [node] = input.plan.nodes;
  expect(node === undefined ? "" : backCommand(input.plan, node)).toMatch(/'test -d \/opt\/althing\.old && systemctl stop/);
});

test.each(["systemctl stop", "cp -a", "mv /opt/althing.new", "systemctl start", "rsync"])(
  "when %s fails nothing is done after it",
  async (part) => {
    const { done, failure } = await tryOut(upgradePlan(input), {
      run: (line) => (line.includes("@n2.") && line.includes(part) ? { code: 23, detail: "no space left on device" } : undefined),
    });
    expect(failure).toMatchObject({ code: "cluster.step_failed", params: { node: "n2", detail: "no space left on device" } });
    expect(done.at(-1)).toContain(part);
    expect(changes(done).some((line) => line.includes("@n3."))).toBe(false);
  },
);

test("a first deployment copies everything before the first node starts, and starts all before it waits for one", () => {
  const kinds = deployPlan(input, false).map((step) =>
    step.kind === "wait" ? "wait" : stepText(step).includes("enable --now") ? "start" : stepText(step).includes("uname") ? "look" : "copy",
  );
  expect(kinds).toEqual([
    ...["look", "look", "look"],
    ...kinds.filter((kind) => kind === "copy"),
    "start",
    "start",
    "start",
    "wait",
    "wait",
    "wait",
  ]);
  const rolling = deployPlan(input, true).map((step) => `${step.node} ${step.kind}`);
  expect(rolling.slice(0, 6)).toEqual(["n1 wait", "n2 wait", "n3 wait", "n1 run", "n2 run", "n3 run"]);
  expect(rolling.slice(3 + kinds.length)).toEqual([
    ...["n2 wait", "n3 wait", "n1 run", "n1 wait"],
    ...["n1 wait", "n3 wait", "n2 run", "n2 wait"],
    ...["n1 wait", "n2 wait", "n3 run", "n3 wait"],
  ]);
});

test("a rolling deployment copies nothing to a cluster of which a node does not serve, and goes on where new ones are not there yet", async () => {
  const sick = await tryOut(deployPlan(input, true), {
    health: (node) => healthOf(node, node === "n2" ? { status: "unavailable", reason: "the disk is full" } : {}),
  });
  expect(sick.failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n2", detail: "it is unavailable (the disk is full)" } });
  expect(sick.done.filter((line) => !line.startsWith("health"))).toEqual([]);
  const isStarted = (so: readonly string[]) => so.some((line) => line.includes("@n3.") && line.includes("enable --now"));
  const grown = await tryOut(deployPlan(input, true), {
    health: (node, so) => (node === "n3" && !isStarted(so) ? undefined : healthOf(node)),
  });
  expect(grown.failure).toBeUndefined();
});

test.each([
  ["a rolling deployment", () => deployPlan(input, true)],
  ["more copies", () => scalePlan(input, 3)],
])("%s starts no node again while another does not serve", async (_name, planOf) => {
  const isAnew = (so: readonly string[]) => so.some((line) => line.includes("@n1.") && line.includes("systemctl restart"));
  const { done, failure } = await tryOut(planOf(), {
    health: (node, so) => healthOf(node, node === "n3" && isAnew(so) ? { status: "unavailable", reason: "it is behind" } : {}),
  });
  expect(failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n3", detail: "it is unavailable (it is behind)" } });
  expect(done.filter((line) => line.includes("systemctl restart")).map(short)).toEqual(["n1 systemctl restart"]);
});

test("more copies: one node at a time is started again, and each is looked at in the end", async () => {
  const { done } = await tryOut(scalePlan(input, 3));
  const restarts = done.filter((line) => /systemctl restart|health/.test(line)).map(short);
  expect(restarts).toEqual([
    ...["health n1", "health n2", "health n3"],
    // The others, then itself: ready, then copies.
    ...["n1", "n2", "n3"].flatMap((name) => [
      ...all.filter((line) => line !== `health ${name}`),
      ...[`${name} systemctl restart`, `health ${name}`, `health ${name}`],
    ]),
    ...["health n1", "health n2", "health n3"],
  ]);
});

test("more copies: while they are not whole, no other node is touched", async () => {
  const isAnew = (so: readonly string[]) => so.some((line) => line.includes("systemctl restart"));
  const { done, failure } = await tryOut(scalePlan(input, 3), {
    health: (node, so) => healthOf(node, {}, { replicas: isAnew(so) ? 2 : 1 }),
  });
  expect(failure).toMatchObject({ code: "cluster.not_ready", params: { node: "n1", detail: "2 of 3 copies are whole" } });
  expect(changes(done).filter((line) => /@n[23]\./.test(line))).toEqual([]);
});

test("fewer copies are refused before anything is touched", async () => {
  const { done, failure } = await tryOut(scalePlan(input, 1));
  expect(failure).toMatchObject({
    code: "cluster.not_ready",
    params: { node: "n1", detail: "it keeps 3 copies, and copies are not lowered in place" },
  });
  expect(done.filter((line) => !line.startsWith("health"))).toEqual([]);
});

test("a replacement needs the others ready and the machine empty, and touches no other machine", async () => {
  const { done, failure } = await tryOut(replacePlan(input, second), {
    health: (node, so) => (node === "n2" && !so.some((line) => line.includes("enable --now")) ? undefined : healthOf(node)),
  });
  expect(failure).toBeUndefined();
  expect(done.slice(0, 3).map(short)).toEqual(["health n1", "health n3", "n2 uname"]);
  expect(done[3]).toContain("test ! -e /srv/althing/data/format.json");
  expect(done.filter((line) => /@n[13]\./.test(line))).toEqual([]);
  const away = await tryOut(replacePlan(input, second), { health: (node) => (node === "n1" ? undefined : healthOf(node)) });
  expect(away.done.filter((line) => !line.startsWith("health"))).toEqual([]);
});

/** What the other machine's shell would do with a command, tried in a shell of this one with other places. */
function inShell(step: Step, home: string): number {
  if (step.kind !== "run") throw new TypeError("a step that runs");
  const command = (step.args.at(-1) ?? "").replaceAll("/srv/althing", home);
  try {
    execFileSync("sh", ["-c", command], { stdio: "ignore" });
    return 0;
  } catch {
    return 1;
  }
}

test("commands for other machines do in a shell what they say", async () => {
  const { tempDir } = await import("@althing/testkit");
  const { mkdir, writeFile, readFile } = await import("node:fs/promises");
  await using dir = await tempDir();
  const home = dir.path;
  const keys = join(home, "data", "keys", "instance.json");
  const steps = replacePlan(input, first);
  const named = (what: string, from: readonly Step[] = steps): Step => {
    const found = from.find((step) => step.what === what);
    if (found === undefined) throw new TypeError(what);
    return found;
  };
  const isOurs = named("check that no other instance is there");
  expect(inShell(isOurs, home)).toBe(0);
  await mkdir(join(home, "data", "keys"), { recursive: true });
  await writeFile(keys, input.instanceText);
  expect(inShell(isOurs, home)).toBe(0);
  await writeFile(keys, '{"nameKey":"of another"}');
  expect(inShell(isOurs, home)).toBe(1);
  expect(inShell(named("check that the machine is empty"), home)).toBe(0);
  await writeFile(join(home, "data", "format.json"), "{}");
  expect(inShell(named("check that the machine is empty"), home)).toBe(1);
  const edit = named("set replicas = 3", scalePlan(input, 3));
  const toml = join(home, "althing.toml");
  for (const before of [
    'store = "kv"\n\n[[cluster_nodes]]\nname = "n1"\n',
    'replicas = 1\nstore = "kv"\n\n[[cluster_nodes]]\nname = "n1"\n',
  ]) {
    await writeFile(toml, before);
    expect(inShell(edit, home)).toBe(0);
    expect(await readFile(toml, "utf8")).toBe('replicas = 3\nstore = "kv"\n\n[[cluster_nodes]]\nname = "n1"\n');
  }
  const backUp = named("back up its data", upgradePlan(input));
  expect(inShell(backUp, home)).toBe(0);
  expect(inShell(backUp, home)).toBe(0);
  expect(await readFile(join(home, "before-upgrade", "data", "format.json"), "utf8").catch(() => "not nested")).toBe("not nested");
  expect(await readFile(join(home, "before-upgrade", "format.json"), "utf8")).toBe("{}");
});

test("cut off at any word of the swap, the upgrade done again keeps the program before, and its data of before", async () => {
  const { tempDir } = await import("@althing/testkit");
  const { mkdir, writeFile, readFile } = await import("node:fs/promises");
  const steps = upgradePlan(input, first);
  for (const cutAt of ["", "mv PROGRAM PROGRAM.old", "touch", "mv PROGRAM.new PROGRAM"]) {
    await using dir = await tempDir();
    const [program, home] = [join(dir.path, "program"), join(dir.path, "home")];
    const put = async (folder: string, content: string) => {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "file"), content);
    };
    const read = (folder: string) => readFile(join(folder, "file"), "utf8").catch(() => "none");
    const act = (what: string, end = "") => {
      const step = steps.find((each) => each.node === "n1" && each.what === what);
      const text = step?.kind === "run" ? (step.args.at(-1) ?? "") : "exit 3";
      const here = text.replaceAll("/opt/althing", program).replaceAll("/srv/althing", home);
      // The connection is lost there, and the shell ends with it.
      const word = end.replaceAll("PROGRAM", program);
      const command = end === "" ? here : here.replace(word, `exit 9; ${word}`);
      if (end !== "") expect(command).not.toBe(here);
      execFileSync("sh", ["-c", command], { stdio: "ignore" });
    };
    const tryOnce = async (data: string, end?: string) => {
      // Whatever the copy is linked to, the program there afterwards is whole.
      await put(`${program}.new`, "new");
      await put(join(home, "data"), data);
      act("back up its data");
      act(swapTitle, end);
    };
    await put(program, "old");
    if (cutAt === "") await tryOnce("of before");
    else await expect(tryOnce("of before", cutAt)).rejects.toThrow();
    expect([await read(program), await read(`${program}.old`)], cutAt).toContain("old");
    const isBegun = existsSync(`${program}.upgrading`);
    await tryOnce(isBegun ? "touched by the new program" : "of before");
    expect({ runs: await read(program), old: await read(`${program}.old`), data: await read(join(home, "before-upgrade")) }, cutAt).toEqual(
      {
        ...{ runs: "new", old: "old", data: "of before" },
      },
    );
    act("note that it is done");
    expect(existsSync(`${program}.upgrading`)).toBe(false);
  }
});

test("what is shown can be typed; what a checkout may hold of its owner's is not copied", () => {
  for (const step of [...deployPlan(input, true), ...upgradePlan(input), ...scalePlan(input, 3), ...replacePlan(input, first)]) {
    if (step.kind !== "run") continue;
    const echoed = execFileSync("sh", ["-c", `${step.program}() { printf '%s\\n' "$@"; }\n${stepText(step)}`], { encoding: "utf8" });
    expect(echoed).toBe(`${step.args.join("\n")}\n`);
  }
  for (const part of programParts.filter((name) => !name.startsWith("."))) expect(existsSync(join(repositoryRoot, part)), part).toBe(true);
  expect(deployPlan(input, false).map(stepText).join("\n")).not.toMatch(/authority|\/srv\/made\/althing\/? /);
  expect(backCommand(input.plan, first)).toContain("mv /opt/althing.old /opt/althing");
});
