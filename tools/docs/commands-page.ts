/**
 * The page of commands, made by asking the program itself.
 *
 * Invariant: what `--help` says is what the page says, for every command down to the leaves. The program is built, never run.
 */
import { code, page } from "./markdown.ts";

/** What the page needs of a commander command. */
export interface CommandView {
  readonly commands: readonly CommandView[];
  name(): string;
  configureHelp(options: { helpWidth: number }): unknown;
  configureOutput(output: { writeOut: (text: string) => void; getOutHasColors: () => boolean }): unknown;
  outputHelp(): void;
}

function isCommand(value: unknown): value is CommandView {
  const view = value as Partial<CommandView> | null;
  return typeof view === "object" && view !== null && typeof view.outputHelp === "function" && Array.isArray(view.commands);
}

/** With the examples, which commander adds only when it prints. */
function helpOf(command: CommandView): string {
  let text = "";
  command.configureHelp({ helpWidth: 110 });
  command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false });
  command.outputHelp();
  return text.trimEnd();
}

function sections(command: CommandView, trail: readonly string[]): string[] {
  const path = [...trail, command.name()];
  const own = `## ${code(path.join(" "))}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``;
  const children = command.commands.filter((child) => child.name() !== "help");
  return [own, ...children.flatMap((child) => sections(child, path))];
}

/** @returns nothing for what is no program */
export function commandsPage(program: unknown): string | undefined {
  if (!isCommand(program)) return undefined;
  const introduction =
    "What `./althing` can do, as `--help` says it. Results go to stdout, everything else to stderr; every command takes `--json`.";
  return page("Commands", introduction, ...sections(program, []));
}
