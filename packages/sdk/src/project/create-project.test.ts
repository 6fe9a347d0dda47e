import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { buildProject, createProject, runProjectTests, templates, type Template } from "../index.ts";

const run = promisify(execFile);
const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/bin/tsc", import.meta.url));

async function typeErrors(config: string): Promise<string> {
  const { stdout } = await run(process.execPath, [tsc, "-p", config]).catch((error: unknown) => {
    if (error instanceof Error && "stdout" in error) return { stdout: String(error.stdout) };
    throw error;
  });
  return stdout;
}

test.each(templates)(
  "a project from the template %s has sound types, passing tests and a component, outside the checkout",
  async (template) => {
    await using dir = await tempDir();
    const folder = join(dir.path, "my-trial");
    const { files, id } = await createProject({ template, name: "my-trial", folder, publisher: { id: 'a"b', name: "A \\ B" } });
    expect(id).toBe("org.example.my-trial");
    const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as { displayName: string; publisher: unknown };
    expect([manifest.displayName, manifest.publisher]).toEqual(["My trial", { id: 'a"b', name: "A \\ B" }]);
    for (const file of files) expect(await readFile(join(folder, file), "utf8"), file).not.toContain("{{");
    for (const config of files.filter((file) => file.endsWith("tsconfig.json"))) expect(await typeErrors(join(folder, config))).toBe("");
    if (template !== "assemblyscript") {
      const tests = await runProjectTests({ folder });
      expect(tests, tests.output).toMatchObject({ passed: true, files: 1 });
    }
    const built = await buildProject({ folder, outFolder: join(folder, "dist") });
    expect([...built.files.keys()].slice(0, 2)).toEqual(["manifest.json", "extension.wasm"]);
    expect((await readdir(join(folder, "dist"))).toSorted().slice(0, 2)).toEqual(["extension.wasm", "manifest.json"]);
    if (template !== "ui") return;
    expect([...built.files.keys()].slice(2)).toEqual(["ui/index.html", "ui/page.css", "ui/page.js"]);
    expect(new TextDecoder().decode(built.files.get("ui/page.js"))).not.toMatch(/^import /m);
  },
  60_000,
);

test("nothing that exists is touched, and nothing is left half made", async () => {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "src"));
  await writeFile(join(dir.path, "src", "index.ts"), "mine");
  await expect(createProject({ template: "http", name: "hello", folder: dir.path })).rejects.toMatchObject({
    code: "project.exists",
    faults: [{ path: "src/index.ts" }],
  });
  expect(await readdir(dir.path)).toEqual(["src"]);
  expect(await readFile(join(dir.path, "src", "index.ts"), "utf8")).toBe("mine");
});

test.each([
  [{ name: "Hello" }, "project.invalid"],
  [{ name: "../hello" }, "project.invalid"],
  [{ name: "" }, "project.invalid"],
  [{ name: "hello", id: "hello" }, "project.invalid"],
  [{ name: "hello", id: 'org.x", "a": "' }, "project.invalid"],
  [{ name: "hello", template: "../../src" as Template }, "project.invalid"],
])("%j is refused", async (part, code) => {
  await using dir = await tempDir();
  await expect(createProject({ template: "http", folder: join(dir.path, "new"), ...part })).rejects.toMatchObject({ code });
  expect(await readdir(dir.path)).toEqual([]);
});

test("a failing test, a test that ends the process and no test at all are failures", async () => {
  await using dir = await tempDir();
  expect(await runProjectTests({ folder: dir.path })).toMatchObject({ passed: false, files: 0 });
  await mkdir(join(dir.path, "test"));
  const write = (source: string) => writeFile(join(dir.path, "test", "a.test.ts"), source);
  await write('import { equal, test } from "@althing/sdk/testing";\ntest("t", () => equal(1, 2));\n');
  const failed = await runProjectTests({ folder: dir.path });
  expect([failed.passed, failed.output.includes("Expected values to be strictly deep-equal")]).toEqual([false, true]);
  await write("process.exit(3);\n");
  expect((await runProjectTests({ folder: dir.path })).passed).toBe(false);
});

test("tests that never end are ended by the signal", async () => {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "test"));
  await writeFile(
    join(dir.path, "test", "a.test.ts"),
    'console.log("begun");\nsetInterval(() => undefined, 1000);\nawait new Promise(() => undefined);\n',
  );
  const controller = new AbortController();
  const result = runProjectTests({ folder: dir.path, signal: controller.signal, onOutput: () => controller.abort() });
  const timer = setTimeout(() => controller.abort(), 2_000);
  expect((await result).passed).toBe(false);
  clearTimeout(timer);
});

test("a folder that is no project says so", async () => {
  await using dir = await tempDir();
  await expect(buildProject({ folder: dir.path })).rejects.toMatchObject({ code: "build.failed", faults: [{ path: "manifest.json" }] });
});
