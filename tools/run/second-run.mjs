/**
 * A second run of the one or two files of a whole run in which something failed: by themselves, from nothing, on a machine that does nothing else.
 *
 * The suites hold thousands of tests over real servers, browsers and clusters on as little as two cores; once in many runs a server is not heard in time. What
 * fails twice is a fault and fails the run. What passes by itself is named, above the counts and with its first failure still in the log, because
 * it is a fault as well: of a test, or a rare one of the program. More files than that are never the machine's doing.
 */

/** @typedef {import("./run-vitest.mjs").Told & { status: number }} Run */

const filesMax = 2;

/**
 * @param {Run} first
 * @param {(args: readonly string[]) => Promise<Run>} run
 * @param {(line: string) => void} say
 * @returns {Promise<Run>} the counts of both, each file counted as its last run had it
 */
export async function secondRun(first, run, say) {
  const { broken } = first;
  const outside = first.failed - broken.reduce((sum, file) => sum + file.failed, 0);
  // A leaked process or an error outside of any file belongs to no file that could be run again.
  if (first.status === 0 || outside > 0 || broken.length === 0 || broken.length > filesMax) return first;
  const paths = broken.map(({ path }) => path);
  say(`something failed in ${paths.join(" and ")}: run once more, by ${paths.length === 1 ? "itself" : "themselves"}`);
  const second = await run(["--maxWorkers=1", ...paths]);
  const still = new Set(second.broken.map(({ path }) => path));
  for (const path of paths)
    if (second.status === 0 && !still.has(path)) say(`${path} failed among the others and passed by itself: look at why`);
  const without = (/** @type {"passed" | "skipped"} */ kind) => first[kind] - broken.reduce((sum, file) => sum + file[kind], 0);
  return {
    status: second.status,
    passed: without("passed") + second.passed,
    failed: second.failed,
    skipped: without("skipped") + second.skipped,
    broken: second.broken,
  };
}
