/**
 * Runs one component in a child process of its own, within bounds of time and memory.
 *
 * Invariant: every child ends: after its one answer, at its deadline or above its memory (SIGKILL through its handle), when the
 * parent is gone (its standard input ends), and, should all of that fail, at the limit of processor time the system keeps for it.
 * `run` settles only when the child is gone. A spare child waits with the transpiler loaded, so that a preparation starts warm.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { AppError } from "@althing/contract";
import { answerSchema, decodeContent, encodeFrame, frameHeadBytes, type PreparationAnswer, printable } from "./child-protocol.ts";
import { type PreparationRule, refusePreparation } from "./refusal.ts";

export interface ChildLimits {
  readonly deadlineMs: number;
  /** Resident memory of the child. */
  readonly memoryBytes: number;
}

export interface PreparationChildren {
  /**
   * Gives `request` to a child and returns its answer, which is a refusal when the child refuses.
   * @throws {component.refused} `limit.time`, `limit.memory`, `limit.output-bytes`, `preparation.crashed`
   */
  run(request: object): Promise<Extract<PreparationAnswer, { ok: true }>>;
  /** Ends the spare child and refuses further ones. */
  close(): Promise<void>;
}

export interface ChildrenOptions {
  readonly limits: ChildLimits;
  /** Program of the child; tests put in ones that hang or crash. */
  readonly program?: string;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Watched {
  readonly child: Child;
  /** Settles when the process is gone and its pipes are read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  stderr: string;
  retire: NodeJS.Timeout | undefined;
}

/** How often memory is looked at. */
const watchEveryMs = 20;
/** Bytes of one answer: modules of a 64 MiB component grow by half. */
const maxAnswerBytes = 160 * 1024 * 1024;
/** A spare that nobody needed for this long is ended: it holds about 90 MB. */
const spareIdleMs = 60_000;
const stderrCharacters = 4_000;

/** The folder of an installed library, and what stands beside it where it is installed. */
function libraryFolder(name: string, entry: string): string {
  const file = fileURLToPath(entry);
  const marker = `/node_modules/${name}/`;
  const at = file.lastIndexOf(marker);
  // A workspace is linked into node_modules: the resolver gives the folder behind the link.
  return at < 0 ? `${dirname(dirname(file))}/` : file.slice(0, at + marker.length);
}

/** What the child may read: its own code and the libraries it loads. */
function readablePaths(): string[] {
  const source = dirname(dirname(fileURLToPath(import.meta.url)));
  const zod = libraryFolder("zod", import.meta.resolve("zod"));
  const installed = zod.slice(0, -"zod/".length);
  return [
    `${source}/`,
    `${dirname(source)}/package.json`,
    libraryFolder("@althing/contract", import.meta.resolve("@althing/contract")),
    zod,
    ...["@althing/contract", "cborg", "@bytecodealliance"].map((name) => `${installed}${name}/`),
  ];
}

/** The shell sets limits of the system, then becomes Node: seconds of processor time, no core dumps. */
const limitScript = 'ulimit -c 0; ulimit -t "$1"; shift; exec "$@"';

function start({ limits, program = fileURLToPath(new URL("child-main.ts", import.meta.url)) }: ChildrenOptions): Watched {
  const heapMb = Math.max(64, Math.floor(limits.memoryBytes / 2 / 1024 / 1024));
  const cpuSeconds = Math.ceil((limits.deadlineMs / 1000) * 4) + 10;
  const flags = [
    "--permission",
    ...[...readablePaths(), `${dirname(program)}/`].map((path) => `--allow-fs-read=${path}`),
    `--max-old-space-size=${heapMb}`,
    "--disallow-code-generation-from-strings",
    "--disable-sigusr1",
    "--no-warnings",
  ];
  const child = spawn("/bin/sh", ["-c", limitScript, "sh", String(cpuSeconds), process.execPath, ...flags, program], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {},
    cwd: "/",
  });
  const watched: Watched = {
    child,
    stderr: "",
    retire: undefined,
    ended: new Promise((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal }));
      child.once("error", () => resolve({ code: null, signal: null }));
    }),
  };
  child.stdin.on("error", () => undefined);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    watched.stderr = (watched.stderr + text).slice(-stderrCharacters);
  });
  return watched;
}

/** Resident bytes of a process, where the system tells. */
async function residentBytes(pid: number): Promise<number> {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

interface Verdict {
  readonly rule: PreparationRule;
  readonly detail: string;
}

/** Collects one frame; ends the child when it announces or sends more than it may. */
function collect(watched: Watched, end: (verdict: Verdict) => void): () => Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  watched.child.stdout.on("data", (chunk: Buffer) => {
    if (length < frameHeadBytes && length + chunk.length >= frameHeadBytes) {
      const announced = Buffer.concat([...chunks, chunk]).readUInt32BE(0);
      if (announced > maxAnswerBytes)
        end({ rule: "limit.output-bytes", detail: `the result has ${announced} bytes, more than ${maxAnswerBytes}` });
    }
    length += chunk.length;
    if (length > maxAnswerBytes + frameHeadBytes)
      end({ rule: "limit.output-bytes", detail: `the result has more than ${maxAnswerBytes} bytes` });
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks);
}

function watch(watched: Watched, limits: ChildLimits, end: (verdict: Verdict) => void): () => void {
  const deadline = setTimeout(() => end({ rule: "limit.time", detail: `not prepared within ${limits.deadlineMs} ms` }), limits.deadlineMs);
  let looking = false;
  const memory = setInterval(() => {
    const { pid } = watched.child;
    if (looking || pid === undefined) return;
    looking = true;
    void residentBytes(pid).then((bytes) => {
      looking = false;
      if (bytes > limits.memoryBytes)
        end({ rule: "limit.memory", detail: `preparing it takes more than ${limits.memoryBytes} bytes of memory` });
    });
  }, watchEveryMs);
  return () => {
    clearTimeout(deadline);
    clearInterval(memory);
  };
}

function parseAnswer(frame: Buffer): PreparationAnswer | undefined {
  if (frame.length < frameHeadBytes || frame.readUInt32BE(0) !== frame.length - frameHeadBytes) return undefined;
  try {
    const parsed = answerSchema.safeParse(decodeContent(frame.subarray(frameHeadBytes)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

async function runIn(watched: Watched, request: object, limits: ChildLimits): Promise<Extract<PreparationAnswer, { ok: true }>> {
  const { child } = watched;
  let verdict: Verdict | undefined;
  const end = (given: Verdict): void => {
    verdict ??= given;
    child.kill("SIGKILL");
  };
  const frame = collect(watched, end);
  const stop = watch(watched, limits, end);
  child.stdin.end(encodeFrame(request));
  const { code, signal } = await watched.ended;
  stop();
  if (verdict !== undefined) return refusePreparation(verdict.rule, verdict.detail);
  const answer = parseAnswer(frame());
  if (answer === undefined) {
    if (watched.stderr.includes("out of memory")) return refusePreparation("limit.memory", "the child ran out of memory");
    return refusePreparation("preparation.crashed", `the child ended (code ${code}, signal ${signal}) without an answer`);
  }
  if (answer.ok) return answer;
  throw new AppError("component.refused", { rule: answer.rule, detail: printable(answer.detail) });
}

/** Ends a child that runs nothing. */
async function discard(watched: Watched): Promise<void> {
  clearTimeout(watched.retire);
  // Who waits for the end must not run out of events before it.
  setReferenced(watched, true);
  watched.child.kill("SIGKILL");
  await watched.ended;
}

/** A spare must not keep the process alive. */
function setReferenced(watched: Watched, isReferenced: boolean): void {
  const method = isReferenced ? "ref" : "unref";
  watched.child[method]();
  for (const stream of watched.child.stdio) {
    if (stream instanceof Socket) stream[method]();
  }
}

export function createPreparationChildren(options: ChildrenOptions): PreparationChildren {
  let spare: Watched | undefined;
  let isClosed = false;
  const running = new Set<Watched>();

  const stock = (): void => {
    if (isClosed || spare !== undefined) return;
    const next = start(options);
    spare = next;
    setReferenced(next, false);
    next.retire = setTimeout(() => {
      if (spare === next) spare = undefined;
      next.child.kill("SIGKILL");
    }, spareIdleMs).unref();
    void next.ended.then(() => {
      if (spare === next) spare = undefined;
    });
  };

  const take = (): Watched => {
    const taken = spare ?? start(options);
    spare = undefined;
    clearTimeout(taken.retire);
    setReferenced(taken, true);
    return taken;
  };

  stock();
  return {
    async run(request) {
      if (isClosed) return refusePreparation("preparation.crashed", "preparation is closing");
      const watched = take();
      running.add(watched);
      try {
        return await runIn(watched, request, options.limits);
      } finally {
        running.delete(watched);
        stock();
      }
    },
    async close() {
      isClosed = true;
      const last = spare;
      spare = undefined;
      await Promise.all([...running, ...(last === undefined ? [] : [last])].map(discard));
    },
  };
}
