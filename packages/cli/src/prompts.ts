/**
 * Questions to a person.
 *
 * Invariant: without a terminal nothing is asked: a script is told which flag answers instead of hanging. Prompts write to stderr, so that stdout
 * stays the result's.
 */
import { AppError } from "@althing/contract";
import { usageError, type Context } from "./context.ts";
import { safeLine } from "./terminal-text.ts";

function canAsk(context: Context): boolean {
  return context.host.stdin.isTTY === true && context.host.stderr.isTTY === true;
}

/** Asks before something that cannot be undone. @throws {cli.declined} @throws {cli.usage} no terminal and no --yes */
export async function confirmOrStop(context: Context, question: string): Promise<void> {
  if (context.options["yes"] === true) return;
  if (!canAsk(context)) throw usageError("this asks first and there is no terminal to ask on: give --yes");
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: safeLine(question), initialValue: false, output: process.stderr });
  if (isCancel(answer) || !answer) throw new AppError("cli.declined");
}

/** @throws {cli.declined} @throws {cli.usage} no terminal */
export async function askPassphrase(context: Context, question: string, confirmAgain: boolean): Promise<string> {
  const first = await askSecret(context, question, "--passphrase-file FILE");
  if (!confirmAgain) return first;
  if ((await askSecret(context, `${question}, again`, "--passphrase-file FILE")) !== first) throw usageError("the two passphrases differ");
  return first;
}

/** @param instead the flag that answers where there is no terminal */
export async function askSecret(context: Context, question: string, instead: string): Promise<string> {
  if (!canAsk(context)) throw usageError(`${question}: there is no terminal to ask on; give ${instead}`);
  const { password, isCancel } = await import("@clack/prompts");
  const answer = await password({ message: safeLine(question), mask: "*", output: process.stderr });
  if (isCancel(answer)) throw new AppError("cli.declined");
  return answer ?? "";
}
