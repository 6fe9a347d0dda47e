/**
 * `npm run chaos`: the set-up, then every chaos scenario as often as its budget says. `npm run chaos -- --only "kill two" --rounds 5` runs that one five times; `--minutes 30`
 * begins no round after half an hour.
 *
 * Invariant: the exit status is 0 only when no round failed; what this machine cannot do is said in the table. Runs on any Node from 20 on; the suite runs
 * on the project's own. It takes an hour and more; `npm test` has the short part.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { projectNode, root } from "./setup/places.mjs";
import { SetupError, say } from "./setup/report.mjs";
import { setUp } from "./setup.mjs";

try {
  await setUp();
  const program = join(root, "tests/chaos/run-chaos.ts");
  const child = spawn(projectNode, ["--disable-warning=ExperimentalWarning", program, ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode = await new Promise((resolve) => {
    child.once("error", () => resolve(127));
    child.once("close", (status) => resolve(status ?? 1));
  });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
