/** deploy/demo-deployment.sh as it stands: an update that fails goes back by itself, one that does not is tried, used, and taken back with its data. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts, instanceEnvironment, repositoryRoot, tempDir } from "@althing/testkit";
import { expect, test } from "vitest";

const script = join(repositoryRoot, "deploy/demo-deployment.sh");
const run = promisify(execFile);

async function environment(scratch: string): Promise<NodeJS.ProcessEnv> {
  const names = ["PORT", "RUNNER_PORT", "NATS_PORT", "NATS_WS_PORT", "ROUTES_PORT", "INTERNAL_PORT"];
  const ports = await freePorts(names.length);
  return instanceEnvironment({
    ...Object.fromEntries(names.map((name, i) => [`ALTHING_${name}`, String(ports[i] ?? 0)])),
    TMPDIR: scratch,
  });
}

test("a release is updated, smoked and rolled back, and nothing of it is left", { timeout: 300_000 }, async () => {
  await using dir = await tempDir();
  const { stdout } = await run(script, [], { env: await environment(dir.path), cwd: dir.path });
  expect(stdout.trim().split("\n").at(-1)).toBe("deployment ok");
  expect(stdout.match(/^\d\. /gm)).toHaveLength(4);
  expect(readdirSync(dir.path)).toEqual([]);
});

test("a folder that is no release is a failure and no deployment", { timeout: 60_000 }, async () => {
  await using dir = await tempDir();
  const env = await environment(dir.path);
  await expect(run(script, [dir.path], { env, cwd: dir.path })).rejects.toMatchObject({ code: expect.any(Number) });
  await expect(run(script, [join(dir.path, "nowhere")], { env, cwd: dir.path })).rejects.toMatchObject({ code: expect.any(Number) });
  expect(readdirSync(dir.path)).toEqual([]);
});
