/**
 * Finds references that lead nowhere: pages that code names, links and scripts that documents name.
 *
 * Invariant: every `docs/….md` that a file mentions exists, every relative link of a Markdown file exists, and every `npm run x` of the guides
 * is a script. Links to other hosts are not followed: a check must not depend on a network.
 */
import { posix } from "node:path";
import { lineAt, type SourceTree } from "./source-tree.ts";

function missingPages(tree: SourceTree, path: string): string[] {
  const text = tree.read(path);
  return [...text.matchAll(/\bdocs\/(?:architecture|guides|reference)\/[\w-]+\.(?:md|json)\b/g)].flatMap((match) =>
    tree.paths.includes(match[0]) ? [] : [`${path}:${lineAt(text, match.index)}: ${match[0]} does not exist`],
  );
}

function brokenLinks(tree: SourceTree, path: string): string[] {
  const text = tree.read(path);
  return [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)].flatMap((match) => {
    const link = match[1] ?? "";
    if (/^[a-z]+:/.test(link)) return [];
    const target = posix.normalize(posix.join(posix.dirname(path), link)).replace(/\/$/, "");
    const isThere = tree.paths.includes(target) || tree.paths.some((other) => other.startsWith(`${target}/`));
    return isThere ? [] : [`${path}:${lineAt(text, match.index)}: the link ${link} leads nowhere`];
  });
}

function unknownScripts(tree: SourceTree, path: string): string[] {
  const text = tree.read(path);
  const { scripts } = JSON.parse(tree.read("package.json")) as { scripts: Record<string, string> };
  return [...text.matchAll(/\bnpm run ([\w:-]+)/g)].flatMap((match) =>
    Object.hasOwn(scripts, match[1] ?? "") ? [] : [`${path}:${lineAt(text, match.index)}: there is no script ${match[1] ?? ""}`],
  );
}

export function checkReferences(tree: SourceTree): string[] {
  const named = tree.paths.filter((path) => /\.(?:[cm]?[jt]sx?|md|sh|json)$/.test(path) && path !== "package-lock.json");
  const guides = tree.paths.filter((path) => path.endsWith(".md") && !/(?:^|\/)vectors\//.test(path));
  return [
    ...named.flatMap((path) => missingPages(tree, path)),
    ...guides.flatMap((path) => [...brokenLinks(tree, path), ...unknownScripts(tree, path)]),
  ];
}
