/**
 * Starts an instance for a look: on loopback and free ports, until it says that it is ready, then ends it in order.
 *
 * Invariant: nobody else reaches it: people come back when the operator starts it. With an identity the whole path is tried, without one its health.
 */
import { AppError, type healthSchema } from "@althing/contract";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text as readStream } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { textOption, type Context } from "../context.ts";
import { freePorts } from "../free-ports.ts";
import { safeLine } from "../terminal-text.ts";

const program = fileURLToPath(new URL("../main.ts", import.meta.url));
const startTimeoutMs = 180_000;
const portFlags = ["--port", "--runner-port", "--nats-port", "--nats-ws-port", "--routes-port", "--internal-port"] as const;

function start(context: Context, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...args], {
    cwd: context.host.cwd,
    env: context.host.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return child;
}

/** @param more further flags of `up` @throws {up.failed} {check.failed} */
export async function tryInstance(
  context: Context,
  data: string,
  health: typeof healthSchema,
  more: readonly string[] = [],
): Promise<void> {
  const ports = await freePorts(portFlags.length);
  const flags = portFlags.flatMap((flag, n) => [flag, String(ports[n] ?? 0)]);
  const child = start(context, ["up", "--json", "--host", "127.0.0.1", "--data", data, ...flags, ...more]);
  const exited = once(child, "exit");
  const end = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  context.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) await end();
  });
  try {
    const url = await urlOf(child);
    // By the internal listener: the public one may have a certificate of another name than this machine's loopback.
    await askHealth(`http://127.0.0.1:${ports.at(-1) ?? 0}`, health);
    if (textOption(context.options, "as") !== undefined) await smoke(context, url);
  } finally {
    if (child.exitCode === null && child.signalCode === null) await end();
  }
}

async function urlOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new TypeError("the child has no pipes");
  const complaint = readStream(stderr);
  const timer = setTimeout(() => child.kill("SIGKILL"), startTimeoutMs);
  const line = await new Promise<string>((resolve) => {
    const lines = createInterface({ input: stdout });
    lines.once("line", resolve);
    lines.once("close", () => resolve(""));
  });
  clearTimeout(timer);
  const value = tryJson(line);
  const url = textIn(value, "url");
  if (url !== undefined) return url;
  const detail = messageIn(value) ?? (await complaint).trim().split("\n").at(-1) ?? "it said nothing";
  throw new AppError("up.failed", { what: "the instance", detail: detail.replace(/\.$/, "") });
}

async function askHealth(url: string, schema: typeof healthSchema): Promise<void> {
  const { fetchHealth } = await import("@althing/client");
  const health = schema.parse(await fetchHealth(url, {}));
  if (health.status !== "ready") throw new AppError("up.failed", { what: "the instance", detail: health.reason ?? health.status });
}

async function smoke(context: Context, url: string): Promise<void> {
  const as = textOption(context.options, "as") ?? "";
  const phrase = textOption(context.options, "passphraseFile");
  const child = start(context, [
    "smoke",
    "--json",
    "--url",
    url,
    "--as",
    as,
    ...(phrase === undefined ? [] : ["--passphrase-file", phrase]),
  ]);
  child.stderr?.resume();
  const [out] = await Promise.all([child.stdout === null ? "" : readStream(child.stdout), once(child, "close")]);
  if (child.exitCode === 0) {
    context.output.prose("the smoke test is green");
    return;
  }
  const detail = messageIn(tryJson(out)) ?? "it said nothing";
  throw new AppError("check.failed", { detail: safeLine(detail.replace(/\.$/, "")) });
}

function textIn(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : undefined;
}

/** Of the one JSON value that a failed command prints. */
function messageIn(value: unknown): string | undefined {
  return typeof value === "object" && value !== null && "error" in value ? textIn(value.error, "message") : undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
