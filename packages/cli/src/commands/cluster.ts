/**
 * `althing cluster …`: several nodes that are one instance, for whoever runs them.
 *
 * Invariant: whatever touches other machines shows first what it would do; whatever writes files writes over none. See
 * docs/guides/cluster.md for the order in which the commands are used.
 */
import { AppError, clusterOf, instanceKeysFileSchema, type InstanceKeysFile } from "@althing/contract";
import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { addCommand } from "../command.ts";
import { instanceConfig, listOption, targetUrls, textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import type { DemoCluster } from "../cluster/demo-cluster.ts";
import type { ClusterPlan, PlannedNode } from "../cluster/nodes-file.ts";
import type * as Plans from "../cluster/plans.ts";
import type { Step } from "../cluster/steps.ts";

export function addCluster(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "cluster",
    summary: "several nodes that are one instance",
    examples: [
      "althing cluster demo --auto",
      "althing cluster init nodes.toml",
      "althing cluster status --url https://n1.example.org:8470",
    ],
  });
  const init = addCommand(host, group, {
    use: "init <nodes-file>",
    summary: "certificates, keys, settings and a unit for each node, one folder a node",
    examples: [
      "althing cluster init nodes.toml",
      "althing cluster init nodes.toml -o garden",
      "althing cluster init nodes.toml -o renewed --authority garden/authority",
      "althing cluster init nodes.toml --instance-of monday.backup   # from one machine to a cluster",
    ],
    action: initAction,
  });
  init.option("-o, --out <dir>", "folder to make (default: cluster-NAME)");
  init.option("--authority <dir>", "authorities and keys of an existing cluster: renews certificates, or prepares another node of it");
  init.option(
    "--instance-of <backup>",
    "the cluster gets the keys of this backup's instance, which is then brought in with `restore --into-cluster`",
  );
  init.option("--key-file <file>", "what opens that backup: an age identity, or the at-rest key of then, mode 0600");
  addCommand(host, group, {
    use: "status",
    summary: "ask every node: state, copies, majority, whom it hears, version",
    examples: ["althing cluster status", "althing cluster status --url https://n1.example.org:8470 --ca garden/authority/client-ca.pem"],
    action: statusAction,
  });
  const demo = addCommand(host, group, {
    use: "demo",
    summary: "three nodes on this machine; kill one and see the others go on",
    examples: ["althing cluster demo", "althing cluster demo --auto", "althing cluster demo --data ./demo --port 9000"],
    action: demoAction,
  });
  addWork(host, group);
  demo.option("--auto", "do the failover by itself, count what arrived, and end");
  demo.option("--port <n>", "first port; the nodes take 18 from there (default: free ones)", wholeNumber("--port", 1, 65_500));
}

/** Commands that work on the machines of a cluster: they show what they would do, and do it with --run. */
function addWork(host: CliHost, group: Command): void {
  const add = (
    use: string,
    summary: string,
    examples: readonly string[],
    work: (context: Context, args: readonly string[]) => Promise<void>,
  ) =>
    addCommand(host, group, { use, summary, examples, action: work })
      .option("--from <dir>", "what `cluster init` wrote (default: cluster-NAME)")
      .option("--run", "do it; without, the commands are only shown");
  add(
    "deploy <nodes-file>",
    "copy program, settings and certificates to the machines by ssh and rsync, and start them",
    [
      "althing cluster deploy nodes.toml",
      "althing cluster deploy nodes.toml --run",
      "althing cluster deploy nodes.toml --from renewed --rolling --run",
    ],
    (context, [file]) => workOn(context, file, ({ deployPlan }, input) => deployPlan(input, context.options["rolling"] === true)),
  ).option("--rolling", "start running nodes again afterwards, one by one, so that they take what was copied");
  add(
    "upgrade <nodes-file>",
    "bring this version to the machines, node by node: copy, stop, back up, swap, start, wait",
    [
      "althing cluster upgrade nodes.toml",
      "althing cluster upgrade nodes.toml --run",
      "althing cluster upgrade nodes.toml --start-at n2 --run   # after a failure on n2 was mended",
    ],
    (context, [file]) =>
      workOn(context, file, ({ upgradePlan }, input) => {
        const name = textOption(context.options, "startAt");
        return upgradePlan(input, name === undefined ? undefined : nodeNamed(input.plan, name));
      }),
  ).option("--start-at <node>", "go on with this node; those before it in the file are left as they are");
  add(
    "scale <nodes-file>",
    "give everything more copies, in place, node by node",
    ["althing cluster scale nodes.toml --replicas 3", "althing cluster scale nodes.toml --replicas 3 --run"],
    (context, [file]) => workOn(context, file, (plans, input) => plans.scalePlan(input, replicasOption(context, input.plan))),
  ).requiredOption("--replicas <n>", "how many nodes keep a copy: 1, 3 or 5", wholeNumber("--replicas", 1, 5));
  add(
    "at-rest <nodes-file>",
    "encrypt every node's data under a key of its own, node by node, while the others serve",
    ["althing cluster at-rest nodes.toml   # with at_rest_key_file in its [settings]", "althing cluster at-rest nodes.toml --run"],
    async (context, [file]) => {
      const { atRestPlan } = await import("../cluster/at-rest-plan.ts");
      return workOn(context, file, (_, input) => atRestPlan(input));
    },
  );
  add(
    "replace <nodes-file> <node>",
    "bring a lost node back on an empty machine; it fetches everything from the others",
    ["althing cluster replace nodes.toml n2", "althing cluster replace nodes.toml n2 --run"],
    (context, [file, name]) => workOn(context, file, ({ replacePlan }, input) => replacePlan(input, nodeNamed(input.plan, name ?? "?"))),
  );
}

function nodeNamed({ file, nodes }: ClusterPlan, name: string): PlannedNode {
  const node = nodes.find((each) => each.name === name);
  if (node === undefined) throw usageError(`${file} has no node ${name} (${nodes.map((each) => each.name).join(", ")})`);
  return node;
}

function replicasOption(context: Context, { nodes }: ClusterPlan): number {
  const replicas = Number(context.options["replicas"]);
  if (replicas !== 1 && replicas !== 3 && replicas !== 5)
    throw usageError("--replicas is 1, 3 or 5: with an even number a majority needs one more");
  if (replicas > nodes.length) throw usageError(`--replicas is ${replicas}, and there are ${nodes.length} nodes`);
  return replicas;
}

async function workOn(
  context: Context,
  file: string | undefined,
  makeSteps: (plans: typeof Plans, input: Plans.PlanInput) => Step[],
): Promise<void> {
  const { doSteps, readPlanInput } = await import("../cluster/remote-work.ts");
  const plan = await readPlan(context, file);
  const from = resolve(context.host.cwd, textOption(context.options, "from") ?? `cluster-${plan.name}`);
  const steps = makeSteps(await import("../cluster/plans.ts"), await readPlanInput(plan, from));
  await doSteps(context, steps, { plan, from });
}

async function readPlan(context: Context, file: string | undefined): Promise<ClusterPlan> {
  if (file === undefined) throw usageError("name the nodes file");
  const path = resolve(context.host.cwd, file);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw usageError(`${path} cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "?"})`);
  });
  const { readNodesFile } = await import("../cluster/nodes-file.ts");
  return readNodesFile(file, text);
}

/** A cluster that is to be the instance of a backup. */
async function instanceKeysOf(context: Context, backup: string | undefined): Promise<InstanceKeysFile | undefined> {
  if (backup === undefined) return undefined;
  const { unlockFor } = await import("../backup/backup-keys.ts");
  const { runDataProgram } = await import("../backup/data-program.ts");
  const file = resolve(context.host.cwd, backup);
  const input = { file, unlock: await unlockFor(context, file) };
  return runDataProgram(context, "backup-keys", dirname(file), input, instanceKeysFileSchema);
}

async function initAction(context: Context, [file]: readonly string[]): Promise<void> {
  const plan = await readPlan(context, file);
  const out = resolve(context.host.cwd, textOption(context.options, "out") ?? `cluster-${plan.name}`);
  const given = textOption(context.options, "authority");
  const { initCluster } = await import("../cluster/init-cluster.ts");
  const authority = given === undefined ? undefined : resolve(context.host.cwd, given);
  const instance = await instanceKeysOf(context, textOption(context.options, "instanceOf"));
  if (instance !== undefined && authority !== undefined)
    throw usageError("--authority has keys of an instance already; leave one of the two out");
  await initCluster({ plan, out, authority, instance, nowMs: context.host.now() });
  const nodes = plan.nodes.map(({ name, entry, home }) => ({ ...entry, folder: join(out, name), home }));
  const lines = [
    `made ${out}`,
    ...nodes.map(({ name, folder, home }) => `  ${name}  ${folder}  goes to ${home} of its machine`),
    `  keep ${join(out, "authority")} away from the nodes: whoever has it can make another node`,
  ];
  context.output.result({ out, authority: join(out, "authority"), nodes }, lines.join("\n"));
}

interface Asked {
  readonly urls: readonly string[];
  /** PEM; without it what Node trusts. */
  readonly ca: string | undefined;
}

/** Of --url or ALTHING_URL; else the nodes that this machine's settings name, by the authority that lies beside its certificate; else the local instance. */
async function askedNodes(context: Context): Promise<Asked> {
  const { authorityPem } = await import("../open-client.ts");
  const given = await authorityPem(context);
  const isNamed = listOption(context.options, "url").length > 0 || (context.host.env["ALTHING_URL"] ?? "") !== "";
  const config = isNamed ? undefined : instanceConfig(context).config;
  const cluster = config === undefined ? undefined : clusterOf(config);
  if (cluster === undefined) return { urls: await targetUrls(context), ca: given };
  const beside = config?.tls_cert === undefined ? undefined : join(dirname(config.tls_cert), "client-ca.pem");
  const own = beside === undefined ? undefined : await readFile(beside, "utf8").catch(() => undefined);
  return { urls: cluster.nodes.map(({ url }) => url), ca: given ?? own };
}

async function statusAction(context: Context): Promise<void> {
  const { askCluster, contradictions, statusTable } = await import("../cluster/ask-nodes.ts");
  const { urls, ca } = await askedNodes(context);
  const answers = await askCluster(urls, ca);
  if (answers.every(({ health }) => health === undefined))
    throw new AppError("client.unreachable", { detail: answers.map(({ url, failure }) => `${url}: ${failure ?? "?"}`).join("; ") });
  const faults = contradictions(answers);
  context.output.result({ nodes: answers, faults }, [statusTable(answers), ...faults.map((fault) => `look: ${fault}`)].join("\n"));
  const wrong = answers.find(({ health }) => health?.status !== "ready");
  if (wrong === undefined) return;
  const node = wrong.health === undefined ? wrong.url : wrong.health.node;
  throw new AppError("cluster.not_ready", {
    node,
    detail: (wrong.health?.reason ?? wrong.failure ?? "?").replace(/\.( \[[a-z._]+\])?$/, ""),
  });
}

async function demoAction(context: Context): Promise<void> {
  const { openDemoCluster, startNodes } = await import("../cluster/demo-cluster.ts");
  const { host, options, output } = context;
  const port = typeof options["port"] === "number" ? options["port"] : undefined;
  const cluster = await openDemoCluster(context, { data: textOption(options, "data"), port });
  output.prose(`starting three nodes in ${cluster.folder}`);
  await startNodes(cluster.nodes);
  const addresses = cluster.nodes.map(({ node }) => `  ${node.name}  ${node.entry.url}  ${node.entry.nats}`);
  output.prose(`three nodes are one instance:\n${addresses.join("\n")}`);
  if (options["auto"] === true) return failover(context, cluster);
  const link = cluster.nodes.map((node) => node.adminLink()).find((text) => text !== undefined);
  // As with `up`: only a person at a terminal sees the link.
  if (link !== undefined && host.stderr.isTTY === true)
    output.warn(`become the first admin in the browser (works once, for one hour):\n  ${link}`);
  output.prose("keys: 1 2 3 kill or start that node, s state of all, q end");
  const { followKeys } = await import("../cluster/demo-keys.ts");
  await followKeys({
    ...{ input: host.stdin, nodes: cluster.nodes, say: (text) => output.prose(text) },
    showStatus: async () => {
      const { askCluster, statusTable } = await import("../cluster/ask-nodes.ts");
      output.prose(
        statusTable(
          await askCluster(
            cluster.nodes.map(({ node }) => node.entry.url),
            undefined,
          ),
        ),
      );
    },
  });
  output.prose("ending the nodes");
}

async function failover(context: Context, cluster: DemoCluster): Promise<void> {
  const { demonstrateFailover } = await import("../cluster/demo-failover.ts");
  const result = await demonstrateFailover(context, cluster).catch((error: unknown) => {
    cluster.keep();
    throw error;
  });
  const { killed, sent, received, doubled, nodes } = result;
  context.output.result(
    result,
    `demo ok: ${killed}, which led the state stream, was killed; sent ${sent}, received ${received}, doubled ${doubled}, nodes ${nodes.join(" ")}`,
  );
}
