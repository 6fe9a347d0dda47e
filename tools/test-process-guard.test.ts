import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { survivorsOf } from "./test-process-guard.ts";

test("a process that carries the run's tag is found until it is gone, whoever its parent is", async () => {
  const tag = `planted-${process.pid}`;
  const child = spawn("sh", ["-c", "echo started; exec sleep 60"], {
    env: { ...process.env, TEST_RUN_TAG: tag },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const found = survivorsOf(tag).map(({ pid }) => pid);
  expect(found).toEqual(existsSync("/proc") ? [child.pid] : []);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(survivorsOf(tag)).toEqual([]);
});
