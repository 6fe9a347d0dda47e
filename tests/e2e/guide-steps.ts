/**
 * A guide, read as what its reader does: lines to type and files to write, in order.
 *
 * Invariant: every fenced block is something: a shell block (no language, or `sh`) is lines, a block that names a file is that file, and any other is
 * returned with its language, so that a test has to say what it does about it. A block with indented lines is one script. A comment `# → …` states what
 * the line prints.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@althing/testkit";

export type GuideStep =
  | { readonly kind: "line"; readonly line: string; readonly prints?: string }
  | { readonly kind: "file"; readonly path: string; readonly text: string }
  | { readonly kind: "other"; readonly language: string; readonly text: string };

function lineStep(typed: string): GuideStep | undefined {
  const [, line = "", comment] = /^(.*?)(?:(?:^|\s+)#(?:\s+(.*))?)?$/.exec(typed) ?? [];
  if (line.trim() === "") return undefined;
  const prints = comment?.startsWith("→ ") === true ? comment.slice(2).trim() : undefined;
  return { kind: "line", line: line.trim(), ...(prints === undefined ? {} : { prints }) };
}

export function guideSteps(guide: string): GuideStep[] {
  const text = readFileSync(join(repositoryRoot, "docs/guides", guide), "utf8");
  return [...text.matchAll(/^```(\S*)(?: (\S+))?\n([\s\S]*?)^```$/gm)].flatMap(([, language = "", path, body = ""]): GuideStep[] => {
    if (path !== undefined) return [{ kind: "file", path, text: body }];
    if (language !== "" && language !== "sh") return [{ kind: "other", language, text: body }];
    if (/^[ \t]+\S/m.test(body)) return [{ kind: "line", line: body }];
    return body.split("\n").flatMap((typed) => lineStep(typed) ?? []);
  });
}
