/**
 * The command tree of `althing`, and the run of one command line.
 *
 * Invariant: building the tree has no effect and loads no heavy library, so that the docs generator and completion can build it, too; what a
 * command needs is imported when it runs.
 */
import { Command, CommanderError } from "commander";
import { addAnnounce } from "./commands/announce.ts";
import { addAtRest } from "./commands/at-rest.ts";
import { addBackup } from "./commands/backup.ts";
import { addBlob } from "./commands/blob.ts";
import { addChat } from "./commands/chat.ts";
import { addCheck } from "./commands/check.ts";
import { addCluster } from "./commands/cluster.ts";
import { addCommunity } from "./commands/community.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addDelegate } from "./commands/delegate.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvents } from "./commands/events.ts";
import { addExt } from "./commands/ext.ts";
import { addIdentity } from "./commands/identity.ts";
import { addInstance } from "./commands/instance.ts";
import { addMember } from "./commands/member.ts";
import { addMembership } from "./commands/membership.ts";
import { addMigrateToKv } from "./commands/migrate-to-kv.ts";
import { addModeration } from "./commands/moderation.ts";
import { addModule } from "./commands/module.ts";
import { addPackage } from "./commands/package.ts";
import { addPolicy } from "./commands/policy.ts";
import { addProposal } from "./commands/proposal.ts";
import { addRegistry } from "./commands/registry.ts";
import { addRestore } from "./commands/restore.ts";
import { addRole } from "./commands/role.ts";
import { addRoom } from "./commands/room.ts";
import { addRunner } from "./commands/runner.ts";
import { addSmoke } from "./commands/smoke.ts";
import { addStatus } from "./commands/status.ts";
import { addStop } from "./commands/stop.ts";
import { addTrust } from "./commands/trust.ts";
import { addUp } from "./commands/up.ts";
import { addRollback, addUpgrade } from "./commands/upgrade.ts";
import { addUser } from "./commands/user.ts";
import { addVote } from "./commands/vote.ts";
import { addWorker } from "./commands/worker.ts";
import { Reported } from "./command.ts";
import { usageError } from "./context.ts";
import { maskDashedIds } from "./dashed-ids.ts";
import { exitCodeOf, exitCodes, type ExitCode } from "./exit-code.ts";
import type { CliHost } from "./host.ts";
import { createOutput } from "./output.ts";
import { nullHost } from "./process-host.ts";
import { productVersion } from "./product-version.ts";

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

function addCommonOptions(program: Command): void {
  program
    .option("--url <url>", "address of the instance; repeatable (default: ALTHING_URL, else the local instance)", collect)
    .option("--nats <url>", "address of its NATS; repeatable (default: what the hub says)", collect)
    .option("--ca <file>", "certificate authority of a private instance, PEM (ALTHING_CA)")
    .option("--as <file>", "identity to act as (ALTHING_IDENTITY)")
    .option("--passphrase-file <file>", "passphrase of the identity: first line of a file with mode 0600")
    .option("--data <dir>", "folder of the local instance (default: ./data)")
    .option("--json", "one JSON value on stdout, nothing else")
    .option("--yes", "do not ask before destructive commands")
    .option("--quiet", "no progress, no explanations");
}

/** The whole tree. Without a host it can be looked at, not run. */
export function buildProgram(host: CliHost = nullHost): Command {
  const program = new Command("althing")
    .description("Self-hosted ground for communities: talk end-to-end encrypted, decide together.")
    .version(productVersion, "--version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 unreachable, 130 interrupted.\n");
  addCommonOptions(program);
  for (const add of [addUp, addStop, addStatus, addDoctor, addConfig, addRunner, addSmoke, addCheck]) add(host, program);
  for (const add of [addBackup, addRestore, addUpgrade, addRollback, addMigrateToKv, addAtRest, addCluster]) add(host, program);
  for (const add of [addMembership, addIdentity, addUser, addRoom, addChat, addWorker, addBlob]) add(host, program);
  for (const add of [
    addCommunity,
    addMember,
    addRole,
    addPackage,
    addPolicy,
    addEvents,
    addExt,
    addRegistry,
    addTrust,
    addInstance,
    addModule,
    addModeration,
    addAnnounce,
    addProposal,
    addVote,
    addDelegate,
    addCompletion,
  ])
    add(host, program);
  return program;
}

/** commander prints help and its complaints through the host, too. */
function captureOutput(program: Command, host: CliHost, complaints: string[]): void {
  const visit = (command: Command): void => {
    command.configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void complaints.push(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
    command.commands.forEach(visit);
  };
  visit(program);
}

/** Runs one command line and says with what to exit. Everything that can go wrong has been printed when it returns. */
export async function runProgram(host: CliHost, argv: readonly string[]): Promise<ExitCode> {
  const program = buildProgram(host);
  const complaints: string[] = [];
  captureOutput(program, host, complaints);
  try {
    await program.parseAsync(maskDashedIds(argv), { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof Reported) return error.exitCode;
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    return reportOutside(host, argv, error, complaints);
  }
}

/** A failure before any command ran: a line that fits no command. */
function reportOutside(host: CliHost, argv: readonly string[], error: unknown, complaints: readonly string[]): ExitCode {
  const output = createOutput({ stdout: host.stdout, stderr: host.stderr, json: argv.includes("--json"), quiet: false });
  if (!(error instanceof CommanderError)) {
    output.failure(error);
    return exitCodeOf(error);
  }
  // commander answers a bare group ("althing room") with its help and the code of an error.
  if (error.code === "commander.help" && !output.json) {
    output.warn(complaints.join(""));
    return exitCodes.usage;
  }
  const detail = error.code === "commander.help" ? "a subcommand is missing" : error.message.replace(/^error: /, "").replace(/\.?\s*$/, "");
  output.failure(usageError(detail.replace(/\s*\n\s*/g, " ")));
  return exitCodes.usage;
}
