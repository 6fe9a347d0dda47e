/**
 * Every file that `npm run docs` writes, with its contents.
 *
 * Invariant: the guard and the generator use this one list, so a page cannot be written and not watched. The list of published error
 * codes is here as well: it only grows, and what was published keeps its status.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCatalogue } from "@althing/contract";
import { commandsPage } from "./commands-page.ts";
import { eventsPage } from "./events-page.ts";
import { errorsPage, limitsPage, openApiFile, permissionsPage, routesPage, settingsPage } from "./reference-pages.ts";

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** @throws {Error} a published code is gone or changed its status */
export function frozenErrors(before: Readonly<Record<string, number>>): string {
  const now: Record<string, number> = Object.fromEntries(Object.entries(errorCatalogue).map(([name, row]) => [name, row.status]));
  for (const [name, status] of Object.entries(before)) {
    if (now[name] !== status) throw new Error(`${name} was published with status ${status}: codes are append-only`);
  }
  const all = { ...before, ...now };
  return `${JSON.stringify(
    Object.fromEntries(
      Object.keys(all)
        .sort()
        .map((name) => [name, all[name]]),
    ),
    null,
    2,
  )}\n`;
}

/** Nothing when the command line does not load: its own suites say why, and the page on disk is then reported as nobody's. */
async function program(): Promise<unknown> {
  const cli: Readonly<Record<string, unknown>> = await import("@althing/cli").catch(() => ({}));
  const build = cli["buildProgram"];
  return typeof build === "function" ? Reflect.apply(build, undefined, []) : undefined;
}

/** @returns contents by path relative to the root */
export async function generatedFiles(root: string): Promise<Readonly<Record<string, string>>> {
  const { version } = JSON.parse(read(join(root, "package.json"))) as { version: string };
  const frozenPath = "tests/guards/frozen-errors.json";
  const before = JSON.parse(read(join(root, frozenPath)) || "{}") as Record<string, number>;
  const commands = commandsPage(await program());
  return {
    "docs/reference/errors.md": errorsPage(),
    "docs/reference/routes.md": routesPage(),
    "docs/reference/settings.md": settingsPage(),
    "docs/reference/permissions.md": permissionsPage(),
    "docs/reference/limits.md": limitsPage(),
    "docs/reference/events.md": eventsPage(),
    "docs/reference/openapi.json": openApiFile(version),
    ...(commands === undefined ? {} : { "docs/reference/commands.md": commands }),
    [frozenPath]: frozenErrors(before),
  };
}
