/**
 * A shell in a workplace whose `./althing` runs in this process.
 *
 * Lines are typed into a real `sh`, so that quotes, pipes and `$( … )` mean what they mean to a reader; but `./althing` is a few lines that send arguments, folder
 * and input through a socket to the same program in the test's process, because starting it takes half a second and a guide has a hundred lines. With
 * `GUIDE_REAL=1` it is the program itself: for lines that go on until somebody interrupts them.
 */
import { runProgram, type CliHost } from "@althing/cli";
import { execFile, spawn } from "node:child_process";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text as readAll } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, type Ran, type Workplace } from "./althing-process.ts";

export interface GuideShell {
  /** Types a line; the folder it ends in is where the next one begins. */
  type(line: string): Promise<Ran>;
  /** Types a line, waits until it has shown something, and presses Ctrl-C. */
  typeUntil(line: string, shows: RegExp, timeoutMs: number, meanwhile?: () => Promise<unknown>): Promise<Ran>;
  /** Types a line, waits until it has shown something, and leaves it running until the shell is closed. */
  typeInBackground(line: string, shows: RegExp, timeoutMs: number): Promise<void>;
  /** Where the shell is. */
  folder(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Sent {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly input: string;
}

const sender = (socket: string): string => `
import { connect } from "node:net";
import { text } from "node:stream/consumers";
const input = await text(process.stdin);
const socket = connect(${JSON.stringify(socket)});
socket.end(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), input }));
const { code, stdout, stderr } = JSON.parse(await text(socket));
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = code;
`;

async function answer(socket: Socket, env: NodeJS.ProcessEnv): Promise<void> {
  // Read without closing it: the answer goes back the same way.
  const { args, cwd, input } = JSON.parse(await readAll(socket.iterator({ destroyOnReturn: false }))) as Sent;
  let [stdout, stderr] = ["", ""];
  const host: CliHost = {
    ...{ terminal: undefined, stdin: Readable.from([input]), env, cwd, now: Date.now },
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  const code = await runProgram(host, args);
  socket.end(JSON.stringify({ code, stdout, stderr }));
}

export async function openGuideShell(place: Workplace): Promise<GuideShell> {
  const path = join(place.path, "althing.sock");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    answer(socket, place.env).catch((error: unknown) => socket.end(JSON.stringify({ code: 99, stdout: "", stderr: String(error) })));
  });
  await new Promise<void>((done) => server.listen(path, done));
  const [launcher, real, script] = [join(place.path, "althing"), join(place.path, "althing-real"), join(place.path, "althing-sent.mjs")];
  await writeFile(real, await readFile(launcher, "utf8"));
  await writeFile(script, sender(path));
  await writeFile(launcher, `#!/bin/sh\n[ -z "$GUIDE_REAL" ] || exec "${real}" "$@"\nexec "${process.execPath}" "${script}" "$@"\n`);
  await chmod(real, 0o755);

  const where = join(place.path, "althing-folder");
  let folder = place.path;
  const jobs: Job[] = [];
  return {
    folder: () => folder,
    async type(line) {
      const whole = `${line}\nended=$?\npwd > "${where}"\nexit $ended`;
      const ran = await new Promise<Ran>((done) => {
        const child = execFile("sh", ["-c", whole], { cwd: folder, env: place.env, maxBuffer: 64 * 1024 * 1024 }, (_, stdout, stderr) =>
          done({ code: child.exitCode ?? -1, stdout, stderr }),
        );
        child.stdin?.end();
      });
      folder = (await readFile(where, "utf8")).trim();
      return ran;
    },
    async typeUntil(line, shows, timeoutMs, meanwhile) {
      const job = startJob(line, folder, place.env);
      try {
        // Nobody tells when a reader has begun to read: it is done again until it was seen.
        const deadline = performance.now() + timeoutMs;
        while (meanwhile !== undefined && !job.shows(shows) && performance.now() < deadline) {
          await meanwhile();
          await Promise.race([job.shown(shows, timeoutMs), sleep(500)]);
        }
        await job.shown(shows, timeoutMs);
      } finally {
        await job.interrupt();
      }
      return job.ran();
    },
    async typeInBackground(line, shows, timeoutMs) {
      const job = startJob(line, folder, place.env);
      jobs.push(job);
      await job.shown(shows, timeoutMs);
    },
    async [Symbol.asyncDispose]() {
      for (const job of jobs) await job.interrupt();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

interface Job {
  shows(shows: RegExp): boolean;
  shown(shows: RegExp, timeoutMs: number): Promise<void>;
  interrupt(): Promise<void>;
  ran(): Promise<Ran>;
}

/** A line of a job of its own, as a terminal makes one: Ctrl-C reaches all of it. */
function startJob(line: string, cwd: string, inherited: NodeJS.ProcessEnv): Job {
  const env = { ...inherited, GUIDE_REAL: "1" };
  const child = spawn("sh", ["-c", line], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let code: number | undefined;
  const exited = new Promise<void>((done) =>
    child.once("close", (status) => {
      code = status ?? 130;
      done();
    }),
  );
  const isShown = (shows: RegExp): boolean => shows.test(stdout + stderr);
  return {
    shows: isShown,
    async shown(shows, timeoutMs) {
      await eventually(() => code !== undefined || isShown(shows), `${line} shows ${String(shows)}`, timeoutMs);
      if (code !== undefined) throw new Error(`${line} ended by itself with ${code}\n${stderr}${stdout}`);
    },
    async interrupt() {
      if (code === undefined && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
      await exited;
    },
    async ran() {
      await exited;
      return { code: code ?? -1, stdout, stderr };
    },
  };
}
