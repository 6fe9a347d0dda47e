import { createServer } from "node:net";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { createFakeClock, freePorts, tempDir } from "./index.ts";

test("a fake clock moves only when it is told to, and never backwards", () => {
  const clock = createFakeClock(1_000);
  const { now } = clock;
  expect(now()).toBe(1_000);
  clock.advance(500);
  expect(now()).toBe(1_500);
  expect(() => clock.advance(-1)).toThrow(RangeError);
  expect(() => clock.advance(Number.NaN)).toThrow(RangeError);
});

test("free ports differ and can be listened on", async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  const server = createServer();
  await new Promise<void>((done) => server.listen(ports[0], "127.0.0.1", done));
  await new Promise((done) => server.close(done));
});

test("a temporary folder is private and goes with what is in it", async () => {
  let path: string;
  {
    await using dir = await tempDir();
    path = dir.path;
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await mkdir(`${path}/deep/er`, { recursive: true });
    await writeFile(`${path}/deep/er/file`, "x");
  }
  await expect(stat(path)).rejects.toThrow("ENOENT");
});
