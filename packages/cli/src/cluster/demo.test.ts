/** The demonstration as a person runs it: by itself, and by keys; real nodes, killed and started, and nothing left that was not asked for. */
import { endChild, repositoryRoot, tempDir } from "@althing/testkit";
import { spawn, type ChildProcess } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { expect, test } from "vitest";

const program = join(repositoryRoot, "packages/cli/src/main.ts");

function demo(cwd: string, args: readonly string[], temporary = cwd): ChildProcess {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_") || name === "ALTHING_NATS_SERVER");
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, "cluster", "demo", ...args], {
    ...{ cwd, env: { ...Object.fromEntries(kept), TMPDIR: temporary } },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

test(
  "by itself: the leader of the state is killed, messages go on, as many arrive as were sent, and nothing is left",
  { timeout: 300_000 },
  async () => {
    await using dir = await tempDir();
    const child = demo(dir.path, ["--auto", "--json"]);
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new TypeError("pipes were asked for");
    try {
      const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
      const [out, words, code] = await Promise.all([readStream(stdout), readStream(stderr), closed]);
      expect(code, words).toBe(0);
      const result: unknown = JSON.parse(out);
      expect(result).toMatchObject({ killed: expect.stringMatching(/^n[123]$/), doubled: 0 });
      const { sent, received, killed, nodes } = result as { sent: number; received: number; killed: string; nodes: string[] };
      expect(sent).toBe(received);
      expect(sent).toBeGreaterThan(50);
      expect(nodes.length).toBeGreaterThan(1);
      expect(words).toContain(`FAILOVER OBSERVED: ${killed} -> `);
      expect(await readdir(dir.path)).toEqual([]);
    } finally {
      await endChild(child, "SIGTERM", 20_000);
    }
  },
);

test(
  "by keys: a node is killed and comes back, the state is shown, and a folder that was given is used again",
  { timeout: 400_000 },
  async () => {
    await using dir = await tempDir();
    const data = join(dir.path, "demo");
    for (const start of ["first", "again"]) {
      const child = demo(dir.path, ["--data", data]);
      let words = "";
      child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (words += chunk));
      const says = (pattern: RegExp) => expect.poll(() => words, { timeout: 90_000, interval: 100 }).toMatch(pattern);
      try {
        await says(/keys: 1 2 3/);
        if (start === "first") {
          child.stdin?.write("2s");
          await says(/n2 was killed[\s\S]*no answer/);
          child.stdin?.write("2");
          await says(/n2 is ready/);
        }
        const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
        child.stdin?.write("q");
        expect(await closed, words).toBe(0);
      } finally {
        await endChild(child, "SIGTERM", 20_000);
      }
    }
    expect((await readdir(data)).sort()).toEqual(["nodes", "nodes.toml"]);
  },
);
