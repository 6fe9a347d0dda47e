/**
 * The steps of `cluster deploy`, `upgrade`, `scale` and `replace`.
 *
 * Invariant: pure; whoever has more than one node at a time down has stopped the instance, so everything that takes a running node down is done node by
 * node, each after the one before is ready and hears all. Keys that are on a machine are never written over, and no folder there is deleted
 * but the program's own copies.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { lookAt, rsync, ssh } from "./far-steps.ts";
import type { ClusterPlan, PlannedNode } from "./nodes-file.ts";
import type { RunStep, Step, WaitStep } from "./steps.ts";

const readyWithinMs = 300_000;
const readyNowMs = 10_000;
/** A change of leader is over by then. */
const settledWithinMs = 60_000;
/** Much data passes between machines. */
const copiesWithinMs = 3_600_000;

/** What a node runs: a list and no whole folder, because a checkout may hold its owner's identities and this cluster's authority. */
export const programParts = [
  "althing",
  "package.json",
  "package-lock.json",
  "packages",
  "extensions",
  "deploy",
  "tools",
  "docs",
  "node_modules",
  ".tools",
] as const;

export interface PlanInput {
  readonly plan: ClusterPlan;
  /** What `cluster init` wrote. */
  readonly from: string;
  /** This checkout. */
  readonly programRoot: string;
  /** What it runs on, as `uname -sm` says it. */
  readonly machine: string;
  readonly version: string;
  /** The text of `instance.json`. */
  readonly instanceText: string;
}

function wait(node: PlannedNode, what: string, withinMs: number, until: WaitStep["until"] = {}): WaitStep {
  return { kind: "wait", node: node.name, what, url: node.entry.url, withinMs, until };
}

/**
 * Whoever the service runs as can read it, whatever the umask here was, and nobody but root can change it.
 * @param like a program on the machine: files that are the same are linked to it, not sent
 */
function copyProgram({ programRoot }: PlanInput, node: PlannedNode, to: string, like?: string): RunStep {
  const sources = programParts.map((part) => `${programRoot}/./${part}`);
  const linked = like === undefined ? [] : [`--link-dest=${like}`];
  const flags = ["-aR", "--delete", "--chown=root:root", "--chmod=D755,Fgo=rX", ...linked];
  return rsync(node, `copy the program to ${to}`, [...flags, ...sources, `${node.ssh}:${to}/`]);
}

/** Settings and certificates, keys where there are none, the unit. */
function copyFolder({ plan, from, instanceText }: PlanInput, node: PlannedNode): Step[] {
  const owner = `--chown=${plan.user}:${plan.user}`;
  const source = join(from, node.name);
  const keys = `${node.home}/data/keys/instance.json`;
  const hash = createHash("sha256").update(instanceText).digest("hex");
  return [
    ssh(
      node,
      "make user and folder",
      `id ${plan.user} >/dev/null 2>&1 || useradd --system --home-dir ${node.home} --shell /usr/sbin/nologin ${plan.user}; install -d -o ${plan.user} -g ${plan.user} -m 0700 ${node.home}`,
    ),
    ssh(
      node,
      "check that no other instance is there",
      `{ ! test -e ${keys} || ! grep -q nameKey ${keys} || echo '${hash}  ${keys}' | sha256sum -c --status -; } || { echo 'the keys of another instance are in ${node.home}/data; move that folder away' >&2; exit 1; }`,
    ),
    rsync(node, "copy settings and certificates", [
      "-a",
      "--chmod=D0700,F0600",
      owner,
      "--exclude=/data",
      "--exclude=/althing.service",
      `${source}/`,
      `${node.ssh}:${node.home}/`,
    ]),
    rsync(node, "copy the instance's keys where there are none", [
      "-a",
      "--ignore-existing",
      "--chmod=D0700,F0600",
      owner,
      `${source}/data/`,
      `${node.ssh}:${node.home}/data/`,
    ]),
    rsync(node, "copy the unit", [
      "-a",
      "--chmod=F0644",
      "--chown=root:root",
      `${source}/althing.service`,
      `${node.ssh}:/etc/systemd/system/althing.service`,
    ]),
  ];
}

const start = (node: PlannedNode): RunStep =>
  ssh(node, "start it, now and at each boot", "systemctl daemon-reload && systemctl enable --now althing");

/** Every other node must bear it that this one is away. */
function allReady({ plan }: PlanInput, except?: string, until: WaitStep["until"] = {}): WaitStep[] {
  const others = plan.nodes.filter(({ name }) => name !== except);
  return others.map((node) => wait(node, "look that it is ready before anything is done", readyNowMs, until));
}

/** One that came back hears all of them, and one of them may have shut itself since. */
function othersReady({ plan }: PlanInput, { name: turn }: PlannedNode, more: Pick<WaitStep, "orStarting"> = {}): WaitStep[] {
  const others = plan.nodes.filter(({ name }) => name !== turn);
  return others.map((node) => ({ ...wait(node, `look that it is ready before ${turn} is stopped`, settledWithinMs), turn, ...more }));
}

const looks = ({ machine }: PlanInput, nodes: readonly PlannedNode[]): RunStep[] => nodes.map((node) => lookAt(node, machine));

/** Restarts a running node, when the others bear it, and waits until it hears all. */
function restart(input: PlanInput, node: PlannedNode, others: Pick<WaitStep, "orStarting"> = {}): Step[] {
  return [
    ...othersReady(input, node, others),
    ssh(node, "start it again", "systemctl restart althing"),
    wait(node, "wait until it is back", readyWithinMs, { heard: input.plan.nodes.length }),
  ];
}

const haveCopies = (node: PlannedNode, replicas: number): WaitStep =>
  wait(node, `wait until everything has ${replicas} whole copies`, copiesWithinMs, { replicas });

/**
 * First all files, then all nodes, in any order: none of them waits for another's health. With `rolling` a new node need only be starting before those that run
 * are started again: by their old list they do not hear it, and without them it has no majority of the new one. A node that answers and does not serve is found
 * before anything is copied.
 */
export function deployPlan(input: PlanInput, rolling: boolean): Step[] {
  const { plan } = input;
  const files = plan.nodes.flatMap((node) => [...copyFolder(input, node), copyProgram(input, node, plan.program)]);
  const started = plan.nodes.map(start);
  const ready = plan.nodes.map((node) =>
    rolling
      ? { ...wait(node, "wait until it is ready, or starting where it is new", readyWithinMs), orStarting: true }
      : wait(node, "wait until it is ready", readyWithinMs),
  );
  const anew = rolling ? plan.nodes.flatMap((node) => restart(input, node, { orStarting: true })) : [];
  const sound = rolling ? allReady(input).map((step) => ({ ...step, orStarting: true, orAbsent: true })) : [];
  return [...sound, ...looks(input, plan.nodes), ...files, ...started, ...ready, ...anew];
}

/** From here on a node is down until it is started again. */
export const stopTitle = "stop it";
/** From here on a node runs the new program. */
export const swapTitle = "swap the program";

/** Is there from the swap until the node is back: the program before and its data are kept already, and are not to be written over by a second try. */
const begunMark = (program: string) => `${program}.upgrading`;

/**
 * Wherever a node was left by a try before, its steps done again finish it: the copy is completed, a stopped service is stopped, and the program before is
 * moved away once.
 * @param first the node to go on with after a failure: those before it in the file have the new program already, and it may be down itself
 */
export function upgradePlan(input: PlanInput, first?: PlannedNode): Step[] {
  const { plan, version } = input;
  const { program } = plan;
  const begun = begunMark(program);
  const nodes = plan.nodes.slice(first === undefined ? 0 : plan.nodes.indexOf(first));
  const each = nodes.flatMap((node): Step[] => {
    const [kept, part] = [`${node.home}/before-upgrade`, `${node.home}/before-upgrade.part`];
    const forget = node === first ? "" : `rm -f ${begun} && `;
    const keepOld = `{ ! test -e ${program} || { rm -rf ${program}.old && mv ${program} ${program}.old; }; } && touch ${begun}`;
    const putAway = `rm -rf ${program}.failed && { ! test -e ${program} || mv ${program} ${program}.failed; }`;
    return [
      copyProgram(input, node, `${program}.new`, program),
      ...othersReady(input, node),
      ssh(node, stopTitle, `${forget}systemctl stop althing`),
      ssh(
        node,
        "back up its data",
        `test -e ${begun} || { rm -rf ${part} && cp -a --reflink=auto ${node.home}/data ${part} && rm -rf ${kept} && mv ${part} ${kept}; }`,
      ),
      ssh(node, swapTitle, `if test -e ${begun}; then ${putAway}; else ${keepOld}; fi && mv ${program}.new ${program}`),
      ssh(node, "start it", "systemctl start althing"),
      wait(node, "wait until it is back", readyWithinMs, { version, heard: plan.nodes.length }),
      ssh(node, "note that it is done", `rm -f ${begun}`),
    ];
  });
  const last = plan.nodes.map((node) => wait(node, "look that it is ready in the end", settledWithinMs, { version }));
  return [...allReady(input, first?.name), ...looks(input, nodes), ...each, ...last];
}

/** How a node whose upgrade failed goes back, for a person to type; where there is no program before, nothing is touched. */
export function backCommand(plan: ClusterPlan, node: PlannedNode): string {
  const { program } = plan;
  return `ssh ${node.ssh} 'test -d ${program}.old && systemctl stop althing && rm -rf ${program}.failed && { ! test -e ${program} || mv ${program} ${program}.failed; } && mv ${program}.old ${program} && rm -f ${begunMark(program)} && systemctl start althing'`;
}

/**
 * A node that starts with the larger number gives every stream its copies. Before the next one is touched they must be whole: until then what was acknowledged is on one node only,
 * and that may be the next one. Done again after a failure it does no harm: what has its copies keeps them.
 */
export function scalePlan(input: PlanInput, replicas: number): Step[] {
  const { plan } = input;
  const each = plan.nodes.flatMap((node): Step[] => {
    const file = `${node.home}/althing.toml`;
    const edit = `{ grep -q '^replicas = ' ${file} && sed -i 's/^replicas = .*/replicas = ${replicas}/' ${file} || sed -i '1i replicas = ${replicas}' ${file}; }`;
    return [ssh(node, `set replicas = ${replicas}`, edit), ...restart(input, node), haveCopies(node, replicas)];
  });
  const fewerNow = allReady(input, undefined, { replicasAtMost: replicas });
  return [...fewerNow, ...looks(input, plan.nodes), ...each, ...plan.nodes.map((node) => haveCopies(node, replicas))];
}

/** A machine that is lost comes back empty under its name, and catches up from the others. */
export function replacePlan(input: PlanInput, node: PlannedNode): Step[] {
  const { plan } = input;
  const data = `${node.home}/data`;
  return [
    ...allReady(input, node.name),
    ...looks(input, [node]),
    ssh(
      node,
      "check that the machine is empty",
      `test ! -e ${data}/format.json || { echo '${data} holds data; move it away first, the node fetches everything from the others' >&2; exit 1; }`,
    ),
    ...copyFolder(input, node),
    copyProgram(input, node, plan.program),
    start(node),
    wait(node, "wait until it is ready", readyWithinMs, { heard: plan.nodes.length }),
    haveCopies(node, plan.replicas ?? 3),
  ];
}
