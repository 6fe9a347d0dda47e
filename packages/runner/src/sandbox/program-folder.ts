/**
 * The files of the sandbox's program, laid out in a folder of their own: the only files a sandbox process may read.
 *
 * Types are stripped here, once, because Node's stripper would cost each process 18 MB and 50 ms; and the folder can be read by
 * the unprivileged user of a sandbox also where the installation cannot. Made anew at each start of a pool and removed at its end;
 * its name has the process's id, so that what a killed process left is removed by the next one.
 */
import { rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ProgramFolder {
  readonly folder: string;
  readonly main: string;
  /** Empty; the working directory of sandbox processes. */
  readonly emptyFolder: string;
  remove(): Promise<void>;
}

/** Statements `import … from "x"` and `export … from "x"`; parentheses and quotes end the search, so nothing else matches. */
const importStatement = /^(\s*(?:import|export)\b[^;"'()]*?\bfrom\s*)(["'])([^"']+)\2/gm;

function targetOf(specifier: string, importer: URL): URL | undefined {
  if (specifier.startsWith("node:")) return undefined;
  return new URL(specifier.startsWith(".") ? new URL(specifier, importer) : import.meta.resolve(specifier));
}

const folderName = /^althing-sandbox-(\d+)-/;

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Removes folders of processes that are gone, if they are our user's. */
async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = folderName.exec(name)?.[1];
    if (pid === undefined || lives(Number(pid))) continue;
    const path = join(parent, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts?.uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
  }
}

/** Source text of a module graph with types stripped and imports rewritten, by file name. */
async function readProgram(entry: URL): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const queue: URL[] = [];
  const nameOf = (url: URL): string => {
    let name = names.get(url.href);
    if (name === undefined) {
      const base = url.pathname.slice(url.pathname.lastIndexOf("/") + 1).replace(/\.[a-z]+$/, "");
      name = `${names.size}-${base}.mjs`;
      names.set(url.href, name);
      queue.push(url);
    }
    return name;
  };
  nameOf(entry);
  const files = new Map<string, string>();
  for (let url = queue.shift(); url !== undefined; url = queue.shift()) {
    const source = await readFile(fileURLToPath(url), "utf8");
    const text = url.pathname.endsWith(".ts") ? stripTypeScriptTypes(source) : source;
    const importer = url;
    const rewritten = text.replace(importStatement, (whole: string, head: string, _quote: string, specifier: string) => {
      const target = targetOf(specifier, importer);
      return target === undefined ? whole : `${head}"./${nameOf(target)}"`;
    });
    files.set(nameOf(url), rewritten);
  }
  return files;
}

/**
 * Lays out a program.
 * @param entry the program's main module; the sandbox's own unless a test says otherwise
 */
export async function layOutProgram(entry: URL = new URL("./sandbox-main.ts", import.meta.url)): Promise<ProgramFolder> {
  const files = await readProgram(entry);
  const parent = await realpath(tmpdir());
  await removeStale(parent);
  const folder = await mkdtemp(join(parent, `althing-sandbox-${process.pid}-`));
  const atExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", atExit);
  const emptyFolder = join(folder, "empty");
  await mkdir(emptyFolder);
  await Promise.all([...files].map(([name, text]) => writeFile(join(folder, name), text)));
  // Said after the fact: the runner's umask takes from a mode that is asked for at the making.
  await Promise.all([...files.keys()].map((name) => chmod(join(folder, name), 0o444)));
  await chmod(emptyFolder, 0o555);
  await chmod(folder, 0o755);
  const [main = ""] = files.keys();
  return {
    folder,
    main: join(folder, main),
    emptyFolder,
    async remove() {
      process.off("exit", atExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
