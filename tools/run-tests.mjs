/**
 * `npm test`: the set-up, then every suite, then `N passed, N failed, N skipped` alone on the last line.
 *
 * Invariant: the exit status is 0 only when nothing failed. Arguments go to vitest: `npm test -- packages/store -t "batch"`.
 * Runs on any Node from 20 on; the tests run on the project's own.
 */
import { runVitest, summaryLine } from "./run/run-vitest.mjs";
import { setUp } from "./setup.mjs";
import { SetupError, say } from "./setup/report.mjs";

try {
  await setUp();
  const { status, ...counts } = await runVitest(process.argv.slice(2));
  console.log(summaryLine(counts));
  process.exitCode = status === 0 && counts.failed > 0 ? 1 : status;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  console.log(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
