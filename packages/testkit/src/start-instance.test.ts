import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { startInstance } from "./start-instance.ts";
import { tempDir } from "./temp-dir.ts";

test("an instance comes up healthy on ports of its own and leaves nothing behind", async () => {
  const instance = await startInstance();
  const health = await fetch(`${instance.url}/healthz`);
  expect(health.status).toBe(200);
  expect(instance.adminLink).toContain(instance.url);
  expect(new URL(instance.url).port).toBe(String(instance.ports.hub));
  await instance.stop();
  expect(() => process.kill(instance.pid, 0)).toThrow("ESRCH");
  await expect(stat(instance.data)).rejects.toThrow("ENOENT");
  await expect(fetch(`${instance.url}/healthz`)).rejects.toThrow("fetch failed");
});

test("an instance that refuses to start is an error with its own words, and the folder given stays", async () => {
  await using dir = await tempDir();
  await expect(startInstance({ data: dir.path, args: ["--store", "no-such-store"] })).rejects.toMatchObject({ code: "up.failed" });
  expect((await stat(dir.path)).isDirectory()).toBe(true);
});
