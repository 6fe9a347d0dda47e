/**
 * `althing backup`: one file that holds everything an instance needs, and the judgement of such a file.
 *
 * Invariant: made beside a running instance or from one that stands still; the file has its name only when it is whole, and nothing is overwritten.
 * docs/architecture/backup.md.
 */
import { backupReportSchema } from "@althing/contract";
import type { Command } from "commander";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { addCommand } from "../command.ts";
import { textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { addSettingOptions } from "./up.ts";

const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export function addBackup(host: CliHost, program: Command): void {
  const group = program.command("backup").description("copy the whole instance into one file, while it runs or not; verify one");
  group.addHelpText("after", "\nExamples:\n  $ althing backup monday.backup\n  $ althing backup verify monday.backup\n");
  const command = addCommand(host, group, {
    use: "create [file]",
    summary: "make a backup of the local instance (what `althing backup` does)",
    examples: [
      "althing backup create",
      "althing backup create monday.backup",
      "althing backup create monday.backup --encrypt --passphrase-file backup.passphrase",
      "althing backup create monday.backup --encrypt-to age1…   # opens with the age identity alone",
    ],
    action: create,
    isDefault: true,
  });
  addSettingOptions(command, ["at_rest_key_file"]);
  command
    .option("--encrypt", "under a passphrase: from --passphrase-file, else asked for")
    .option("--encrypt-to <recipient>", "to an age recipient; repeatable", collect)
    .option("--accept-missing", "also when the instance has lost objects; the backup names them");
  const verifying = addCommand(host, group, {
    use: "verify <file>",
    summary: "read a backup whole: hashes, references, every chain of events",
    examples: ["althing backup verify monday.backup", "althing backup verify monday.backup --key-file backup.key --json"],
    action: verify,
  });
  addSettingOptions(verifying, ["at_rest_key_file"]);
  verifying
    .option("--key-file <file>", "age identity that it was encrypted to, or the at-rest key, mode 0600")
    .option("--scratch <dir>", "where the state is unpacked meanwhile (default: the system's temporary folder)");
}

/** `althing-20261122T091500Z.backup` in the current folder. */
function defaultName(nowMs: number): string {
  return `althing-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}.backup`;
}

async function create(context: Context, [given]: readonly string[]): Promise<void> {
  const { encryptionFor } = await import("../backup/backup-keys.ts");
  const { localInstance, natsServerPath, runDataProgram } = await import("../backup/data-program.ts");
  const { reportText } = await import("../backup/backup-report.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given ?? defaultName(host.now()));
  const encryption = await encryptionFor(context);
  const { data, config, configFile, run } = await localInstance(context);
  const input = {
    config,
    file,
    ...(run === undefined ? { natsServer: await natsServerPath(context, config) } : {}),
    ...(encryption === undefined ? {} : { encryption }),
    ...(configFile === undefined ? {} : { configFile }),
    ...(context.options["acceptMissing"] === true ? { acceptMissing: true } : {}),
  };
  const report = await runDataProgram(context, "backup", data, input, backupReportSchema);
  output.result(report, reportText(report));
  if (!report.encrypted) output.prose("it holds the instance's keys: whoever can read it can be the instance");
}

async function verify(context: Context, [given = ""]: readonly string[]): Promise<void> {
  const { unlockFor } = await import("../backup/backup-keys.ts");
  const { runDataProgram } = await import("../backup/data-program.ts");
  const { reportText } = await import("../backup/backup-report.ts");
  const { host, output } = context;
  const file = resolve(host.cwd, given);
  const scratch = resolve(host.cwd, textOption(context.options, "scratch") ?? tmpdir());
  const input = { file, unlock: await unlockFor(context, file), scratch };
  // The folder is a matter of form here: nothing of an instance is looked at.
  const report = await runDataProgram(context, "backup-verify", scratch, input, backupReportSchema);
  output.result(report, `${reportText(report)}\nbackup ok`);
}
