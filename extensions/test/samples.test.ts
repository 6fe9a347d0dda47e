import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { readManifest } from "@althing/extension/manifest";
import { buildProject, createProject, runProjectTests, templates, writeEditorTypes } from "@althing/sdk";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { runComponent } from "../../packages/sdk/test/run-component.ts";

const run = promisify(execFile);
const tsc = join(repositoryRoot, "node_modules", "typescript", "bin", "tsc");
const folders = (await readdir(join(repositoryRoot, "extensions"), { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && entry.name !== "test")
  .map((entry) => entry.name);

async function typeErrors(config: string): Promise<string> {
  const { stdout } = await run(process.execPath, [tsc, "-p", config]).catch((error: unknown) => {
    if (error instanceof Error && "stdout" in error) return { stdout: String(error.stdout) };
    throw error;
  });
  return stdout;
}

test("the samples are those of the guide", async () => {
  const guide = await readFile(join(repositoryRoot, "docs", "guides", "extension-authors.md"), "utf8");
  expect([...guide.matchAll(/`extensions\/([a-z-]+)`/g)].map(([, name = ""]) => name).toSorted()).toEqual(folders.toSorted());
});

test.each(folders)(
  "%s has a valid manifest, sound types, passing tests and builds",
  async (name) => {
    await using dir = await tempDir();
    const folder = join(dir.path, name);
    await cp(join(repositoryRoot, "extensions", name), folder, { recursive: true });
    const { manifest, faults } = readManifest(await readFile(join(folder, "manifest.json")));
    expect(faults).toEqual([]);
    expect(manifest?.name).toBe(`org.althing.${name}`);
    const built = await buildProject({ folder });
    if (manifest?.ui !== undefined) expect([...built.files.keys()]).toContain(manifest.ui.entry);
    if (built.language === "AssemblyScript") return;
    const settings = await tempDir();
    await createProject({ template: "ui", name: "x", folder: join(settings.path, "x") });
    for (const file of ["tsconfig.json", "ui/tsconfig.json"]) await cp(join(settings.path, "x", file), join(folder, file));
    await settings.remove();
    await writeEditorTypes(folder);
    expect(await typeErrors(join(folder, "tsconfig.json"))).toBe("");
    if (manifest?.ui !== undefined) expect(await typeErrors(join(folder, "ui", "tsconfig.json"))).toBe("");
    const tests = await runProjectTests({ folder });
    expect(tests, tests.output).toMatchObject({ passed: true });
  },
  60_000,
);

test("checksum answers as the reference does, at every length around a block", async () => {
  await using dir = await tempDir();
  const { component } = await buildProject({ folder: join(repositoryRoot, "extensions", "checksum") });
  const guest = await runComponent(component.component, dir.path);
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000_000]) {
    const body = Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);
    expect((await guest.http("POST", "/sha256", { body })).text, String(length)).toBe(createHash("sha256").update(body).digest("hex"));
  }
}, 60_000);

test.each(templates)("the template %s has a valid manifest", async (template) => {
  await using dir = await tempDir();
  await createProject({ template, name: "trial", folder: dir.path });
  expect(readManifest(await readFile(join(dir.path, "manifest.json"))).faults).toEqual([]);
});

test("the manifest of the guide is valid", async () => {
  const guide = await readFile(join(repositoryRoot, "docs", "guides", "extension-authors.md"), "utf8");
  const text = /^```json manifest\.json\n([\s\S]*?)^```$/m.exec(guide)?.[1] ?? "";
  expect(readManifest(new TextEncoder().encode(text)).faults).toEqual([]);
});
