/**
 * `npm test`: the set-up, then every suite, then `N passed, N failed, N skipped` alone on the last line.
 *
 * Invariant: the exit status is 0 only when nothing failed. Arguments go to vitest: `npm test -- packages/store -t "batch"`.
 * Runs on any Node from 20 on; the tests run on the project's own.
 */
import { runVitest, summaryLine } from "./run/run-vitest.mjs";
import { secondRun } from "./run/second-run.mjs";
import { setUp } from "./setup.mjs";
import { SetupError, say } from "./setup/report.mjs";

try {
  await setUp();
  const args = process.argv.slice(2);
  const first = await runVitest(args);
  const { status, ...counts } =
    args.length > 0 ? first : await secondRun(first, runVitest, (line) => process.stderr.write(`tests: ${line}\n`));
  console.log(summaryLine(counts));
  process.exitCode = status === 0 && counts.failed > 0 ? 1 : status;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  console.log(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
