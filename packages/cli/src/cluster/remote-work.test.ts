/** `cluster deploy|upgrade|scale|replace` as commands: shown without --run, done with it by the programs on PATH, stopped at the first failure. */
import { repositoryRoot, tempDir } from "@althing/testkit";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { z } from "zod";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";

const nodes = readFileSync(join(repositoryRoot, "deploy/nodes.toml"), "utf8")
  .replace("CHANGE-ME", "garden")
  .replaceAll("192.0.2.", "10.20.0.")
  .replaceAll("example.org", "althing.invalid");

/** A place with a prepared cluster, and an ssh and an rsync that write down what they are asked; ssh fails where the command has `failing` in it. */
async function prepare(dir: string, failing = "nothing at all") {
  const [bin, log] = [join(dir, "bin"), join(dir, "log")];
  await mkdir(bin);
  await writeFile(log, "");
  await writeFile(join(dir, "nodes.toml"), nodes);
  const script = `#!/bin/sh\nprintf '%s %s\\n' "$(basename "$0")" "$*" >> '${log}'\ncase "$*" in *"${failing}"*) echo 'disk on fire' >&2; exit 9;; esac\n`;
  for (const name of ["ssh", "rsync"]) {
    await writeFile(join(bin, name), script);
    await chmod(join(bin, name), 0o755);
  }
  const run = async (...words: readonly string[]) => {
    let [out, said] = ["", ""];
    const host: CliHost = {
      ...{ terminal: undefined, stdin: Readable.from([]), cwd: dir, now: () => Date.now() },
      env: { PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` },
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (said += text) },
      onInterrupt: () => () => undefined,
      takeSignals: () => undefined,
    };
    const code = await runProgram(host, words);
    const done = (await readFile(log, "utf8")).split("\n").filter(Boolean);
    return { code, out, words: said, done };
  };
  expect((await run("cluster", "init", "nodes.toml")).code).toBe(0);
  return run;
}

test.each([["deploy"], ["upgrade"], ["scale", "--replicas", "3"], ["replace"]])(
  "%s without --run shows and does nothing",
  async (name, ...flags) => {
    await using dir = await tempDir();
    const run = await prepare(dir.path);
    const rest = name === "replace" ? ["n2"] : [];
    const { code, out, words, done } = await run("cluster", name, "nodes.toml", ...rest, ...flags);
    expect(code).toBe(0);
    expect(out).toMatch(/^ssh -o BatchMode=yes .*root@n\d\.althing\.invalid/m);
    expect(words).toContain("nothing was done");
    expect(done).toEqual([]);
    const json = await run("cluster", name, "nodes.toml", ...rest, ...flags, "--json");
    expect(JSON.parse(json.out)).toMatchObject({ ran: false });
  },
);

test("with --run what was shown is run in its order, up to the first failure, which is told with its words", async () => {
  await using dir = await tempDir();
  const run = await prepare(dir.path, "root@n2.althing.invalid id ");
  const shown = await run("cluster", "deploy", "nodes.toml", "--json");
  const { steps } = z.object({ steps: z.array(z.object({ node: z.string(), what: z.string() })) }).parse(JSON.parse(shown.out));
  const { code, words, done } = await run("cluster", "deploy", "nodes.toml", "--run");
  expect(code).toBe(1);
  expect(words).toContain("n2: make user and folder failed: disk on fire. Nothing was done after it. [cluster.step_failed]");
  expect(words).toContain("nodes that were not reached run as before");
  expect(done).toHaveLength(steps.findIndex(({ node, what }) => node === "n2" && what === "make user and folder") + 1);
  expect(done.filter((line) => line.includes("n3.althing.invalid")).every((line) => line.includes("uname"))).toBe(true);
});

test("a node that is no node, a folder that was not made, and too many copies are wrong usage", async () => {
  await using dir = await tempDir();
  const run = await prepare(dir.path);
  const usage: readonly (readonly [readonly string[], string])[] = [
    [["replace", "nodes.toml", "n9"], "no node n9 (n1, n2, n3)"],
    [["deploy", "nodes.toml", "--from", "elsewhere"], "`althing cluster init` writes it"],
    [["scale", "nodes.toml", "--replicas", "5"], "there are 3 nodes"],
    [["scale", "nodes.toml", "--replicas", "2"], "1, 3 or 5"],
    [["deploy", "no-such-file.toml"], "cannot be read (ENOENT)"],
  ];
  for (const [words, part] of usage) {
    const { code, words: said, done } = await run("cluster", ...words, "--run");
    expect(code, said).toBe(2);
    expect(said).toContain(part);
    expect(done).toEqual([]);
  }
});
