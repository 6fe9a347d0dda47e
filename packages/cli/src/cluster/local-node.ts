/**
 * A node of a demonstration on this machine: `althing up` in its folder, as a service would run it.
 *
 * Invariant: it ends with this program, however that ends; a kill takes the supervisor and, through it, everything it started. Its last words are
 * kept for the message of a failed start.
 */
import { AppError } from "@althing/contract";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { GuardedSpawn } from "../supervisor/guarded-spawn.ts";
import type { PlannedNode } from "./nodes-file.ts";

export const cliProgram = fileURLToPath(new URL("../main.ts", import.meta.url));
export const cliFlags = ["--disable-warning=ExperimentalWarning", cliProgram] as const;
const stopWithinMs = 20_000;
const tailLines = 6;

export interface LocalNode {
  readonly node: PlannedNode;
  readonly isRunning: () => boolean;
  /** The one-time link of the first admin, when its last start had one. */
  readonly adminLink: () => string | undefined;
  launch(): void;
  /** @throws {up.failed} it ended before it was ready */
  ready(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface LocalNodeOptions {
  readonly guard: GuardedSpawn;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line that the node prints for a person. */
  readonly onLine: (line: string) => void;
}

function environment(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("ALTHING_") || name === "ALTHING_NATS_SERVER"));
}

interface Life {
  readonly child: ChildProcess;
  readonly firstLine: Promise<string | undefined>;
  readonly exited: Promise<void>;
}

export function createLocalNode(node: PlannedNode, { guard, env, onLine }: LocalNodeOptions): LocalNode {
  let life: Life | undefined;
  let adminLink: string | undefined;
  const last: string[] = [];
  const note = (line: string): void => {
    last.push(line);
    if (last.length > tailLines) last.shift();
    onLine(line);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = life;
    if (running === undefined) return;
    running.child.kill(signal);
    const impatience = setTimeout(() => running.child.kill("SIGKILL"), stopWithinMs);
    await running.exited;
    clearTimeout(impatience);
  };
  return {
    node,
    isRunning: () => life !== undefined,
    adminLink: () => adminLink,
    launch() {
      if (life !== undefined) return;
      const child = guard.spawn(process.execPath, [...cliFlags, "up", "--json", "--quiet"], {
        ...{ cwd: node.home, env: environment(env) },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const exited = new Promise<void>((resolve) => {
        child.once("error", () => resolve());
        child.once("exit", () => resolve());
      });
      if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", note);
      const firstLine = new Promise<string | undefined>((resolve) => {
        if (child.stdout !== null) createInterface({ input: child.stdout }).once("line", resolve);
        void exited.then(() => resolve(undefined));
      });
      const own: Life = { child, firstLine, exited };
      life = own;
      void exited.then(() => {
        if (life === own) life = undefined;
      });
    },
    async ready() {
      const line = await life?.firstLine;
      const card = cardOf(line);
      if (card === undefined)
        throw new AppError("up.failed", { what: `node ${node.name}`, detail: refusalOf(line) ?? (last.join(" | ") || "it ended") });
      adminLink = card.adminLink;
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

/** What a failed `up --json` says instead. */
function refusalOf(line: string | undefined): string | undefined {
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(line ?? "")?.[1];
  return message?.replace(/\.$/, "");
}

/** The line that `up --json` prints when it is ready. */
function cardOf(line: string | undefined): { readonly adminLink: string | undefined } | undefined {
  try {
    const value: unknown = JSON.parse(line ?? "null");
    if (typeof value !== "object" || value === null || !("url" in value)) return undefined;
    const link: unknown = "adminLink" in value ? value.adminLink : undefined;
    return { adminLink: typeof link === "string" ? link : undefined };
  } catch {
    return undefined;
  }
}
