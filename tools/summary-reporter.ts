/**
 * Counts tests as the last line of a run has them: `N passed, N failed, N skipped`.
 *
 * Invariant: whatever fails a run (a file that does not load, an unhandled rejection) counts as a failure, so the line never looks better than
 * the exit code. With TEST_SUMMARY_FILE the counts go to that file, those of each file that failed as well, because only the parent
 * (tools/run-tests.mjs) can print after everything else; without it the line is printed at once.
 */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function countModule(module: TestModule): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") counts.passed += 1;
    else if (state === "failed") counts.failed += 1;
    else counts.skipped += 1;
  }
  // Errors outside of tests: a file that did not load, a failed hook.
  counts.failed += module.errors().length;
  for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
  return counts;
}

class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const counts: Counts = { passed: 0, failed: unhandled.length, skipped: 0 };
    const broken: (Counts & { path: string })[] = [];
    for (const module of modules) {
      const { passed, failed, skipped } = countModule(module);
      counts.passed += passed;
      counts.failed += failed;
      counts.skipped += skipped;
      if (failed > 0) broken.push({ path: relative(process.cwd(), module.moduleId), passed, failed, skipped });
    }
    const file = process.env["TEST_SUMMARY_FILE"];
    if (file) writeFileSync(file, JSON.stringify({ ...counts, broken }));
    else process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}

export { SummaryReporter as default };
