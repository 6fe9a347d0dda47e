/**
 * The start of a node that was given a key: `althing up` with its own settings and ports, because the other nodes must meet it again.
 *
 * Invariant: it ends with this program, however that ends; ended in order it leaves its cluster as at any stop. Its words are shown.
 */
import { AppError, healthSchema, type Cluster, type Config } from "@althing/contract";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.ts";
import { createGuardedSpawn, findSetpriv } from "../supervisor/guarded-spawn.ts";
import { safeLine } from "../terminal-text.ts";
import { cliFlags } from "./local-node.ts";

const heardWithinMs = 120_000;
const lookEveryMs = 250;

export interface StartedNode {
  /** As Ctrl-C does, and waits. */
  stop(): Promise<void>;
}

/** @throws {up.failed} with what it said */
export async function startNode(context: Context, data: string, keyFile: string): Promise<StartedNode> {
  const { host, output } = context;
  const guard = createGuardedSpawn(findSetpriv(host.env["PATH"] ?? ""));
  const child = guard.spawn(process.execPath, [...cliFlags, "up", "--json", "--data", data, "--at-rest-key-file", keyFile], {
    ...{ cwd: host.cwd, env: { ...host.env } },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  exited.catch(() => undefined);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async (): Promise<void> => {
    if (!hasEnded()) {
      child.kill("SIGTERM");
      await exited;
    }
    guard.close();
  };
  context.defer(stop);
  let last = "it said nothing";
  if (child.stderr !== null)
    createInterface({ input: child.stderr }).on("line", (line) => {
      last = line;
      output.prose(safeLine(line));
    });
  const first = new Promise<string>((resolve) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once("line", resolve);
    void exited.then(() => resolve("")).catch(() => resolve(""));
  });
  const line = await first;
  if (!line.includes('"url"')) throw new AppError("up.failed", { what: "the node", detail: refusalOf(line) ?? last.replace(/\.$/, "") });
  return { stop };
}

/** What a failed `up --json` says instead. */
function refusalOf(line: string): string | undefined {
  return /"message":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replace(/\.$/, "");
}

/** By the internal listener: the public one may have a certificate of another name than this machine's loopback. @throws {cluster.not_ready} */
export async function allHeard(config: Config, { self, size }: Cluster): Promise<void> {
  const { fetchHealth } = await import("@althing/client");
  const startedMs = performance.now();
  for (;;) {
    const health = await fetchHealth(`http://127.0.0.1:${config.ports.internal}`, {}).catch(() => undefined);
    const found = healthSchema.safeParse(health).data;
    if (found?.status === "ready" && found.posture.cluster.heard === size) return;
    const detail = found === undefined ? "it does not answer" : `it is ${found.status} and hears ${found.posture.cluster.heard} of ${size}`;
    if (performance.now() - startedMs > heardWithinMs) throw new AppError("cluster.not_ready", { node: self.name, detail });
    await sleep(lookEveryMs);
  }
}
