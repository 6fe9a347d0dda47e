/**
 * `althing package …`: packages of a community, the tree of its commands.
 *
 * Invariant: declared here, done in files that are loaded when a command runs. A package is meant by its name (`org.example.hello`) or its install's id.
 */
import { executionStatuses } from "@althing/contract";
import { Option, type Command } from "commander";
import { addCommand, type Action } from "../command.ts";
import { wholeNumber } from "../context.ts";
import type { CliHost } from "../host.ts";

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
const installing =
  (name: "install" | "upgrade" | "consent"): Action =>
  async (context, args) =>
    (await import("./package-install.ts"))[name](context, args);
const managing =
  (name: "list" | "show" | "activate" | "deactivate" | "retry" | "rollback" | "versions" | "remove"): Action =>
  async (context, args) =>
    (await import("./package-manage.ts"))[name](context, args);

const inGarden = "--community garden --as alice.id";

export function addPackage(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "package",
    summary: "packages of a community: install, consent, settings, log",
    examples: [`althing package install org.example.hello-1.0.0.althing ${inGarden}`, `althing package list ${inGarden}`],
  });
  const add = (use: string, summary: string, examples: readonly string[], action: Action): Command =>
    addCommand(host, group, {
      use,
      summary,
      examples: examples.map((example) => `althing package ${example} ${inGarden}`),
      action,
    }).requiredOption("--community <community>", "name or id");
  addInstalling(add);
  addLife(add);
  addLooking(add);
  addHooks(add);
  addJobs(host, group);
}

/** `jobs PACKAGE` shows them; `jobs run PACKAGE JOB` runs one. */
function addJobs(host: CliHost, parent: Command): void {
  const examples = [`althing package jobs org.example.hello ${inGarden}`, `althing package jobs run org.example.hello digest ${inGarden}`];
  const group = addCommand(host, parent, {
    use: "jobs",
    summary: "jobs of a package: when they run, how they ran, a run by hand",
    examples,
  });
  const community = ["--community <community>", "name or id"] as const;
  addCommand(host, group, {
    use: "list <package>",
    summary: "when each runs next, or why not, and its last runs (what `jobs PACKAGE` does)",
    examples: [`althing package jobs list org.example.hello ${inGarden}`],
    isDefault: true,
    action: async (context, args) => (await import("./package-jobs.ts")).listJobs(context, args),
  }).requiredOption(...community);
  addCommand(host, group, {
    use: "run <package> <job>",
    summary: "run one now; its schedule stays as it is",
    examples: examples.slice(1),
    action: async (context, args) => (await import("./package-jobs.ts")).runJob(context, args),
  })
    .requiredOption(...community)
    .option("--wait <seconds>", "how long to wait for its end", wholeNumber("--wait", 0, 600), 30);
}

type Add = (use: string, summary: string, examples: readonly string[], action: Action) => Command;

function addHooks(add: Add): void {
  const doing =
    (name: "deadLetters" | "replay" | "discard"): Action =>
    async (context, args) =>
      (await import("./package-hooks.ts"))[name](context, args);
  const event = ["--event <index>", "only this event's", wholeNumber("--event", 1, Number.MAX_SAFE_INTEGER)] as const;
  add("dead-letters <package>", "events it could not take, oldest first", ["dead-letters org.example.hello"], doing("deadLetters"));
  add(
    "replay <package>",
    "tell it once more of its dead letters",
    ["replay org.example.hello", "replay org.example.hello --event 123"],
    doing("replay"),
  ).option(...event);
  add("discard <package>", "give up its dead letters for good", ["discard org.example.hello --event 123"], doing("discard")).option(
    ...event,
  );
}

function addInstalling(add: Add): void {
  const fromSource = (command: Command): Command =>
    command
      .option("--signature <file>", "its signature (default: the .sig.json beside it)")
      .option("--name <name>", "which package of that registry")
      .option("--at <version>", "which version (default: the newest)")
      .option("--no-activate", "upload only; consent comes later");
  const install = "install a bundle, or from a registry (https://… or registry:NAME); shows what it asks for and asks you";
  fromSource(
    add(
      "install <source>",
      install,
      ["install org.example.hello-1.0.0.althing", "install registry:org.example.hello --yes"],
      installing("install"),
    ),
  );
  const upgrade = "bring a newer version of what is installed; shows what changes and asks you";
  fromSource(add("upgrade <source>", upgrade, ["upgrade org.example.hello-1.1.0.althing"], installing("upgrade")));
  add("consent <package>", "grant what waits for consent, and activate it", ["consent org.example.hello"], installing("consent"))
    .option("--only <grant>", "grant only this capability, host, topic, job or endpoint; repeatable", collect)
    .option("--no-activate", "grant, but leave it as it is");
}

function addLife(add: Add): void {
  add("activate <package>", "let it answer, listen and run", ["activate org.example.hello"], managing("activate"));
  add("deactivate <package>", "stop it; its data stays", ["deactivate org.example.hello"], managing("deactivate"));
  add("retry <package>", "lift a quarantine after a new check", ["retry org.example.hello"], managing("retry"));
  add(
    "rollback <package> [version]",
    "back to an earlier version with its settings (default: the one before)",
    ["rollback org.example.hello", "rollback org.example.hello 1.0.0"],
    managing("rollback"),
  );
  add(
    "settings <package> [change...]",
    "show or change settings: key=value; key=default; secrets come from files",
    [
      "settings org.example.hello",
      "settings org.example.hello greeting=Hei",
      "settings org.example.hello --secret API_KEY=@key.txt --secret-host API_KEY=api.example.com",
    ],
    async (context, args) => (await import("./package-settings.ts")).settings(context, args),
  )
    .option("--secret <name=@file>", "a secret from a private file; repeatable", collect)
    .option("--secret-host <name=hosts>", "hosts that secret may be sent to, comma separated; repeatable", collect)
    .option("--forget <name>", "forget a secret; repeatable", collect);
  add("remove <package>", "uninstall", ["remove org.example.hello --keep", "remove org.example.hello --purge"], managing("remove"))
    .option("--keep", "keep its data for a later install")
    .option("--purge", "remove its data, secrets and logs for good");
}

function addLooking(add: Add): void {
  add("list", "packages and their state", ["list"], managing("list"));
  add("show <package>", "what it is, what it was granted, who signed it", ["show org.example.hello"], managing("show"));
  add("versions <package>", "versions that were installed here, newest first", ["versions org.example.hello"], managing("versions"));
  add(
    "log <package>",
    "executions: what was called, how it ended, what it logged",
    ["log org.example.hello", "log org.example.hello --status error", "log org.example.hello --follow"],
    async (context, args) => (await import("./package-log.ts")).log(context, args),
  )
    .option("--follow", "go on as they come; Ctrl-C ends it")
    .addOption(new Option("--status <status>", "only these").choices(executionStatuses))
    .option("--last <n>", "how many", wholeNumber("--last", 1, 500), 50);
  add("usage <package>", "usage beside its limits", ["usage org.example.hello"], async (context, args) =>
    (await import("./package-log.ts")).usage(context, args),
  ).option("--hours <n>", "hours back", wholeNumber("--hours", 1, 720), 24);
}
