/**
 * Runs `test/*.test.ts` of a project by Node's own test runner.
 *
 * Invariant: a child process, because the tests are the author's code and may end or block theirs; no test at all is a failure. The child gets this
 * process's environment but Node's own settings, which would change what it runs.
 */
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ProjectTestsOptions {
  readonly folder: string;
  /** Called with what the runner prints, as it comes. */
  readonly onOutput?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface ProjectTestsResult {
  readonly passed: boolean;
  readonly files: number;
  readonly output: string;
}

const hooks = fileURLToPath(new URL("./register-faces.ts", import.meta.url));

function environment(): NodeJS.ProcessEnv {
  const own = /^(?:NODE_OPTIONS|NODE_TEST_CONTEXT|NODE_V8_COVERAGE|VITEST.*)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

/** @returns how it went; never throws for what tests do */
export async function runProjectTests(options: ProjectTestsOptions): Promise<ProjectTestsResult> {
  const folder = join(options.folder, "test");
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".test.ts")).toSorted();
  if (names.length === 0) return { passed: false, files: 0, output: "there is no test/*.test.ts\n" };
  const files = names.map((name) => join("test", name));
  const child = spawn(process.execPath, ["--import", hooks, "--test", "--test-reporter=spec", ...files], {
    cwd: options.folder,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let output = "";
  const take = (chunk: Buffer) => {
    output += chunk.toString("utf8");
    options.onOutput?.(chunk.toString("utf8"));
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.on("error", () => resolve(false));
  child.on("close", (code) => resolve(code === 0));
  return { passed: await promise, files: files.length, output };
}
