/**
 * How a command of the tree is declared: summary, examples, action with a context.
 *
 * Invariant: every command has at least one example in its help (a test walks the tree), and its action gets a context that is ended
 * whatever happens.
 */
import type { Command } from "commander";
import { createContext, type Context } from "./context.ts";
import { unmaskDashedId } from "./dashed-ids.ts";
import { exitCodeOf, type ExitCode } from "./exit-code.ts";
import type { CliHost } from "./host.ts";

/** The failure was printed already; only the exit code is left. */
export class Reported extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super("reported");
    this.exitCode = exitCode;
  }
}

export type Action = (context: Context, args: readonly string[]) => Promise<void>;

export interface CommandSpec {
  /** Name and arguments as commander writes them: `send <room> <text>`. */
  readonly use: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly action?: Action;
  /** What its group does when none of its commands is named. */
  readonly isDefault?: boolean;
}

/** Adds a command below `parent`; options are added by the caller on what is returned. */
export function addCommand(host: CliHost, parent: Command, spec: CommandSpec): Command {
  const command = parent.command(spec.use, { isDefault: spec.isDefault === true }).description(spec.summary);
  command.addHelpText("after", `\nExamples:\n${spec.examples.map((line) => `  $ ${line}`).join("\n")}\n`);
  const { action } = spec;
  if (action === undefined) return command;
  return command.action(async (...all: unknown[]) => {
    const args = all
      .slice(0, -2)
      .flat()
      .filter((value): value is string => typeof value === "string")
      .map(unmaskDashedId);
    const context = createContext(host, command.optsWithGlobals());
    try {
      await action(context, args);
      await context.end();
    } catch (error) {
      // What goes wrong while things are being closed must not hide why the command failed.
      await context.end().catch(() => undefined);
      if (error instanceof Reported) throw error;
      context.output.failure(error);
      throw new Reported(exitCodeOf(error));
    }
  });
}
