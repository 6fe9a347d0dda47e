import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { commandsPage } from "../../tools/docs/commands-page.ts";
import { frozenErrors, generatedFiles } from "../../tools/docs/generated-files.ts";
import { table } from "../../tools/docs/markdown.ts";

const files = await generatedFiles(repositoryRoot);

test.each(Object.entries(files))("%s is what the contract says (npm run docs writes it)", (path, contents) => {
  expect(existsSync(join(repositoryRoot, path))).toBe(true);
  expect(readFileSync(join(repositoryRoot, path), "utf8")).toBe(contents);
});

test("no page of the reference is written by hand", () => {
  const there = readdirSync(join(repositoryRoot, "docs/reference")).map((name) => `docs/reference/${name}`);
  expect(there.filter((path) => files[path] === undefined)).toEqual([]);
});

test("each code, route, topic and setting of the contract is on its page", async () => {
  const { errorCatalogue, eventTopics, routes, settings } = await import("@althing/contract");
  for (const code of Object.keys(errorCatalogue)) expect(files["docs/reference/errors.md"]).toContain(`### \`${code}\``);
  for (const route of Object.values(routes)) expect(files["docs/reference/routes.md"]).toContain(`\`${route.method} ${route.path}\``);
  for (const [topic, { data }] of Object.entries(eventTopics)) {
    const row = files["docs/reference/events.md"]?.split("\n").find((line) => line.startsWith(`| \`${topic}\` |`));
    for (const field of Object.keys(data.shape)) expect(row, topic).toContain(`\`${field}\``);
  }
  for (const name of Object.keys(settings)) expect(files["docs/reference/settings.md"]).toContain(`\`${name}\``);
});

test("a published code that changed its status or is gone stops the generator", () => {
  expect(() => frozenErrors({ "auth.required": 200 })).toThrow("append-only");
  expect(() => frozenErrors({ "planted.gone": 400 })).toThrow("append-only");
});

test("a bar in a cell cannot break a table, and a thing that is no program gives no page", () => {
  expect(table(["a"], [["x|y\nz"]])).toBe("| a |\n| --- |\n| x\\|y z |");
  expect(commandsPage(undefined)).toBeUndefined();
});
