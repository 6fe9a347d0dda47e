/**
 * The program as another version, in a folder of its own, and a node that runs it: what `cluster upgrade` puts in place of the one before.
 *
 * Invariant: the copy is the whole program (packages of the workspace; libraries are those of this checkout), with another version in its manifests, so that a node
 * says itself which program it is. What is started here is ended here.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fetchHealth } from "@althing/client";
import { instanceEnvironment, repositoryRoot, type TestNode } from "@althing/testkit";

export const otherVersion = "0.1.1-chaos";

export const programFolder = (scratch: string): string => join(scratch, "program");

export async function copyProgram(scratch: string): Promise<void> {
  const folder = programFolder(scratch);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "node_modules"), { recursive: true });
  const isCopied = (name: string): boolean => name === "packages" || name === "package.json";
  for (const name of await readdir(repositoryRoot)) {
    if (name === "node_modules" || name.startsWith(".git")) continue;
    if (isCopied(name)) await cp(join(repositoryRoot, name), join(folder, name), { recursive: true, verbatimSymlinks: true });
    else await symlink(join(repositoryRoot, name), join(folder, name));
  }
  for (const name of await readdir(join(repositoryRoot, "node_modules"))) {
    const [from, to] = [join(repositoryRoot, "node_modules", name), join(folder, "node_modules", name)];
    // Links of the workspace lead to the packages beside them.
    await (name === "@althing" ? cp(from, to, { recursive: true, verbatimSymlinks: true }) : symlink(from, to));
  }
  for (const part of ["cli", "hub", "runner"]) {
    const path = join(folder, "packages", part, "package.json");
    const text = await readFile(path, "utf8");
    const changed = text.replace(/"version": "[^"]*"/, `"version": "${otherVersion}"`);
    if (changed === text) throw new Error(`${path} has no version`);
    await writeFile(path, changed);
  }
}

export interface OtherProgram {
  /** In order, as Ctrl-C does; again is no error. */
  stop(): Promise<void>;
}

/** @param node is stopped @throws {Error} it ended, or says another version */
export async function startOther(folder: string, node: TestNode): Promise<OtherProgram> {
  const main = join(folder, "packages/cli/src/main.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "up", "--json"], {
    ...{ cwd: node.home, env: instanceEnvironment() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = new Promise<undefined>((resolve) => child.once("close", () => resolve(undefined)));
  const line = await Promise.race([
    new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    ended,
  ]);
  const stop = () => end(child, ended);
  try {
    const version = line === undefined ? "nothing" : (await fetchHealth(node.url)).version;
    if (version !== otherVersion) throw new Error(`${node.name} runs ${version}, not ${otherVersion}\n${text}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

async function end(child: ChildProcess, ended: Promise<undefined>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const impatience = setTimeout(() => child.kill("SIGKILL"), 30_000);
  await ended;
  clearTimeout(impatience);
}
