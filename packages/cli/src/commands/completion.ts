/**
 * `althing completion bash|zsh|fish`: a script made of the command tree.
 *
 * Invariant: generated from the same tree that parses, so that completion cannot drift from the program; static, so that pressing Tab starts
 * no process and asks no server.
 */
import { Argument, type Command } from "commander";
import { addCommand } from "../command.ts";
import type { CliHost } from "../host.ts";

interface Node {
  /** Words from the root, `room send`; empty for the root. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly help: string }[];
  readonly flags: readonly {
    readonly flag: string;
    readonly help: string;
    readonly takesValue: boolean;
    readonly choices: readonly string[];
  }[];
}

export function addCompletion(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "completion",
    summary: "print a completion script for a shell",
    examples: [
      'eval "$(althing completion bash)"',
      "althing completion zsh > ~/.zfunc/_althing",
      "althing completion fish > ~/.config/fish/completions/althing.fish",
    ],
    action: async (context, [shell]) => {
      const script = scriptFor(shell ?? "", nodesOf(program));
      context.output.result({ shell, script }, script);
    },
  });
  command.addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh", "fish"]));
}

/** Every command of the tree, the root first. */
export function nodesOf(program: Command): Node[] {
  const nodes: Node[] = [];
  const common = program.options.filter((option) => option.long !== "--version");
  const visit = (command: Command, path: string): void => {
    const options = command === program ? program.options : [...command.options, ...common];
    nodes.push({
      path,
      words: command.commands.map((child) => ({ word: child.name(), help: child.description() })),
      flags: options.flatMap((option) =>
        option.long == null
          ? []
          : [
              {
                flag: option.long,
                help: option.description,
                takesValue: option.required || option.optional,
                choices: option.argChoices ?? [],
              },
            ],
      ),
    });
    for (const child of command.commands) visit(child, path === "" ? child.name() : `${path} ${child.name()}`);
  };
  visit(program, "");
  return nodes;
}

export function scriptFor(shell: string, nodes: readonly Node[]): string {
  if (shell === "bash") return bashScript(nodes);
  return shell === "zsh" ? zshScript(nodes) : fishScript(nodes);
}

const words = (node: Node): string =>
  [...node.words.map((entry) => entry.word), ...node.flags.map((entry) => entry.flag), "--help"].join(" ");

/** Which path the words before the cursor name: flags and their values are skipped. */
function walkFunction(nodes: readonly Node[]): string {
  const groups = nodes.filter((node) => node.words.length > 0);
  const cases = groups.map(
    (node) =>
      `      "${node.path}") case " ${node.words.map((entry) => entry.word).join(" ")} " in *" $word "*) path="\${path:+$path }$word";; esac;;`,
  );
  return ['    case "$path" in', ...cases, "    esac"].join("\n");
}

function bashScript(nodes: readonly Node[]): string {
  const choices = new Map(
    nodes.flatMap((node) =>
      node.flags.filter((flag) => flag.choices.length > 0).map((flag) => [flag.flag, flag.choices.join(" ")] as const),
    ),
  );
  const fileFlags = [
    ...new Set(nodes.flatMap((node) => node.flags.filter((flag) => flag.takesValue && flag.choices.length === 0).map((flag) => flag.flag))),
  ];
  return `# bash completion for althing
_althing() {
  local word path="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
${walkFunction(nodes)}
  done
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" list=""
  case "$previous" in
${[...choices].map(([flag, list]) => `    ${flag}) COMPREPLY=($(compgen -W "${list}" -- "$current")); return;;`).join("\n")}
    ${fileFlags.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return;;
  esac
  case "$path" in
${nodes.map((node) => `    "${node.path}") list="${words(node)}";;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$list" -- "$current") $(compgen -f -- "$current"))
}
complete -o filenames -F _althing althing ./althing
`;
}

const zshQuote = (text: string): string => text.replace(/'/g, "'\\''").replace(/:/g, "\\:");

function zshScript(nodes: readonly Node[]): string {
  return `#compdef althing ./althing
# zsh completion for althing
_althing() {
  local word path="" i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
${walkFunction(nodes)}
  done
  case "$path" in
${nodes
  .map((node) => {
    const entries = [
      ...node.words.map((entry) => `'${entry.word}:${zshQuote(entry.help)}'`),
      ...node.flags.map((entry) => `'${entry.flag}:${zshQuote(entry.help)}'`),
    ];
    return `    "${node.path}") entries=(${entries.join(" ")});;`;
  })
  .join("\n")}
  esac
  _describe 'althing' entries
  _files
}
if [ "$funcstack[1]" = "_althing" ]; then _althing "$@"; else compdef _althing althing ./althing; fi
`;
}

const fishQuote = (text: string): string => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;

function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap((node) => {
    const own = node.path === "" ? [] : node.path.split(" ");
    const inside = own.map((word) => `__fish_seen_subcommand_from ${word}`);
    const children = node.words.map((entry) => entry.word).join(" ");
    const outside = children === "" ? [] : [`not __fish_seen_subcommand_from ${children}`];
    const condition = [...inside, ...outside].join("; and ");
    const when = condition === "" ? "" : ` -n ${fishQuote(condition)}`;
    const flagsWhen = inside.length === 0 ? "" : ` -n ${fishQuote(inside.join("; and "))}`;
    return [
      ...node.words.map((entry) => `complete -c althing -f${when} -a ${entry.word} -d ${fishQuote(entry.help)}`),
      ...node.flags.map(
        (entry) =>
          `complete -c althing${flagsWhen} -l ${entry.flag.slice(2)}${entry.takesValue ? " -r" : ""}${entry.choices.length === 0 ? "" : ` -f -a ${fishQuote(entry.choices.join(" "))}`} -d ${fishQuote(entry.help)}`,
      ),
    ];
  });
  return `# fish completion for althing\n${[...new Set(lines)].join("\n")}\n`;
}
