import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { nodesOf, scriptFor } from "./commands/completion.ts";
import { buildProgram } from "./program.ts";

const nodes = nodesOf(buildProgram());

/** What bash would offer for these words, the last being incomplete. */
function complete(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${scriptFor("bash", nodes)}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _althing; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script], { cwd: "/proc", encoding: "utf8" })
    .split("\n")
    .filter((word) => word !== "");
}

describe("completion", () => {
  test("bash offers commands, subcommands, flags and choices", () => {
    expect(complete("althing", "sm")).toEqual(["smoke"]);
    expect(complete("althing", "room", "hist")).toEqual(["history"]);
    expect(complete("./althing", "--as", "x", "room", "ki")).toEqual(["kick"]);
    expect(complete("althing", "room", "create", "garden", "--no-e")).toEqual(["--no-encrypt"]);
    expect(complete("althing", "check", "--mode", "")).toEqual(["golden", "loop"]);
  });

  test.each(["bash", "zsh", "fish"])("%s names every command", (shell) => {
    const script = scriptFor(shell, nodes);
    for (const node of nodes) for (const { word } of node.words) expect(script).toContain(word);
  });
});
