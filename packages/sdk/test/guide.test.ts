import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { buildAssemblyScript, buildProject, createProject, runProjectTests } from "../src/index.ts";
import { fakeStore, runComponent } from "./run-component.ts";

const guide = await readFile(join(repositoryRoot, "docs", "guides", "extension-authors.md"), "utf8");
const run = promisify(execFile);
const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));

/** The blocks that name a file, by its path. */
const files = new Map([...guide.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)].map(([, path = "", code = ""]) => [path, code]));

async function typeErrors(config: string): Promise<string> {
  const { stdout } = await run(process.execPath, [tsc, "-p", config]).catch((error: unknown) => {
    if (error instanceof Error && "stdout" in error) return { stdout: String(error.stdout) };
    throw error;
  });
  return stdout;
}

test("every block of code is a file that this test uses", () => {
  expect([...files.keys()]).toEqual(["manifest.json", "src/index.ts", "test/hello.test.ts", "ui/page.ts", "assembly/index.ts"]);
  expect([...guide.matchAll(/^```(?:ts|json|assemblyscript)/gm)].length).toBe(files.size);
});

test("the guest book has sound types, passing tests and a component that answers", async () => {
  await using dir = await tempDir();
  const folder = join(dir.path, "hello");
  await createProject({ template: "ui", name: "hello", folder });
  await writeFile(join(folder, "test", "notes.test.ts"), "");
  for (const [path, code] of files) {
    if (path === "assembly/index.ts") continue;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), code);
  }
  expect(await typeErrors(join(folder, "tsconfig.json"))).toBe("");
  expect(await typeErrors(join(folder, "ui", "tsconfig.json"))).toBe("");
  const tests = await runProjectTests({ folder });
  expect(tests, tests.output).toMatchObject({ passed: true });
  const { component } = await buildProject({ folder });
  const guest = await runComponent(component.component, dir.path);
  const store = fakeStore();
  const context = { actor: { id: "1", handle: "ada", permissions: [] }, settings: '{"maxLength":80}' };
  expect((await guest.http("PUT", "/lines/1", { body: "hello", host: store.functions, context })).status).toBe(200);
  const lines = await guest.http("GET", "/lines", { host: store.functions, context });
  expect(JSON.parse(lines.text)).toEqual({ lines: [{ text: "hello", by: "ada", at: "2026-05-01T12:00:00.000Z", weather: "unknown" }] });
}, 60_000);

test("the counter in AssemblyScript counts", async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, "index.ts"), files.get("assembly/index.ts") ?? "");
  const { component } = await buildAssemblyScript({ entry: join(dir.path, "index.ts") });
  const guest = await runComponent(component, dir.path);
  const store = fakeStore();
  await guest.http("POST", "/count", { host: store.functions });
  expect((await guest.http("POST", "/count", { host: store.functions })).text).toBe('{"count":2}');
}, 60_000);
