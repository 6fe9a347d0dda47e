/**
 * How every suite of the repository is run.
 *
 * Invariant: each test file has a process of its own (forks), so that a crash, a leaked handle or a native library of one cannot touch
 * another; two at a time, because the smallest machine we promise has two cores and the suites start real servers. What a run leaves
 * behind is an error (tools/test-process-guard.ts).
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/**/*.test.ts", "tests/**/*.test.ts", "tools/**/*.test.ts", "extensions/test/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", ".tools/**"],
    pool: "forks",
    maxWorkers: 2,
    // A browser test on a busy machine with two cores takes its time; nothing is judged by how long it took.
    testTimeout: 60_000,
    // A browser that waits for a busy machine is asked once more. These words are the browser's alone: what a server or a guard gets wrong fails at once.
    retry: { count: 1, condition: /Timeout \d+ms exceeded|cannot be reached by Tab/ },
    // For the same reason what is waited for is waited for: a second, as vitest has it, is a judgement of the machine.
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    globalSetup: ["tools/test-process-guard.ts"],
    restoreMocks: true,
    unstubEnvs: true,
    sequence: { hooks: "stack" },
  },
});
