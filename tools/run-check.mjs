/**
 * `npm run check`: types, lint with types, format, guards. Says what failed and ends in `N passed, N failed, N skipped`.
 *
 * Invariant: every part runs even when an earlier one failed, so that one run shows all there is to mend; each tool counts as one test,
 * the guards as many as they are. Pages are built for the browser's types too (packages/web has a tsconfig of its own).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runVisibly, runVitest, summaryLine } from "./run/run-vitest.mjs";
import { setUp } from "./setup.mjs";
import { projectNode, root } from "./setup/places.mjs";
import { SetupError, say } from "./setup/report.mjs";

const bin = (/** @type {string} */ name) => join(root, "node_modules", ".bin", name);
const webProject = join(root, "packages", "web", "tsconfig.json");

/** @type {readonly { name: string, args: readonly string[], fix: string }[]} */
const tools = [
  { name: "types", args: [bin("tsc"), "-p", "tsconfig.json"], fix: "correct the lines above" },
  ...(existsSync(webProject)
    ? [{ name: "types of the web pages", args: [bin("tsc"), "-p", webProject], fix: "correct the lines above" }]
    : []),
  {
    name: "types of the sample extensions",
    args: [bin("tsc"), "-p", join(root, "extensions", "tsconfig.json")],
    fix: "correct the lines above",
  },
  {
    name: "lint",
    args: [bin("oxlint"), "--type-aware", "--deny-warnings"],
    fix: "correct the lines above; a rule's page is named in them",
  },
  { name: "format", args: [bin("oxfmt"), "--check", "."], fix: "npm run format" },
];

async function check() {
  await setUp();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const failures = [];
  for (const { name, args, fix } of tools) {
    console.log(`\n== ${name}`);
    const status = await runVisibly(projectNode, ["--disable-warning=ExperimentalWarning", ...args]);
    if (status === 0) counts.passed += 1;
    else {
      counts.failed += 1;
      failures.push(`${name}: ${fix}`);
    }
  }
  console.log("\n== guards");
  const guards = await runVitest(["tests/guards"]);
  if (guards.status !== 0) failures.push("guards: each message says what to do");
  for (const failure of failures) console.log(`FAILED ${failure}`);
  counts.passed += guards.passed;
  counts.failed += guards.failed;
  counts.skipped += guards.skipped;
  return counts;
}

try {
  const counts = await check();
  console.log(summaryLine(counts));
  process.exitCode = counts.failed > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  console.log(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
