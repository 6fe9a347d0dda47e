/**
 * Makes the first admin through the data folder.
 *
 * Invariant: the right to do so is the right to the folder: the socket is 0600 inside it, and the one-shot hub opens its files. Which of the two
 * serves is found out by trying the socket, not by a run file that may be stale.
 */
import { AppError, fromProblem, problemSchema, userSchema, type User } from "@althing/contract";
import { spawn } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { hubFlags, hubProgram } from "./supervisor/hub-process.ts";

export interface BootstrapOptions {
  readonly data: string;
  /** Of an encrypted folder. */
  readonly atRestKeyFile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly body: {
    readonly handle: string;
    readonly signPub: string;
    readonly keys: { readonly kexPub: string; readonly sig: string };
    readonly demo?: boolean;
  };
}

const timeoutMs = 30_000;

/** The answer's user, or the error it holds. */
function readAnswer(text: string, where: string): User {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError("client.bad_answer", { detail: `${where} did not answer JSON` }, { cause: error });
  }
  const user = userSchema.safeParse(value);
  if (user.success) return user.data;
  const problem = problemSchema.safeParse(typeof value === "object" && value !== null && "error" in value ? value.error : value);
  throw (
    (problem.success ? fromProblem(problem.data) : undefined) ??
    new AppError("client.bad_answer", { detail: `${where}: ${text.slice(0, 200)}` })
  );
}

/** `undefined` when nobody listens on the socket. */
function askSocket(socketPath: string, body: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath,
        path: "/internal/bootstrap",
        method: "POST",
        headers: { host: "localhost", "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        timeout: timeoutMs,
      },
      (answer) => {
        readStream(answer).then(resolve, reject);
      },
    );
    call.once("timeout", () => call.destroy(new AppError("client.unreachable", { detail: `${socketPath} is silent` })));
    call.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "ENOTDIR") resolve(undefined);
      else reject(error);
    });
    call.end(body);
  });
}

function askOneShot(options: BootstrapOptions, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = Object.fromEntries(Object.entries(options.env).filter(([name]) => !name.startsWith("ALTHING_") && name !== "NODE_OPTIONS"));
    const keyArguments = options.atRestKeyFile === undefined ? [] : ["--at-rest-key-file", options.atRestKeyFile];
    const child = spawn(process.execPath, [...hubFlags, hubProgram, "one-shot", "bootstrap", "--data", options.data, ...keyArguments], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: timeoutMs,
    });
    const [out, err] = [readStream(child.stdout), readStream(child.stderr)];
    child.once("error", reject);
    child.once("close", (code) => {
      Promise.all([out, err]).then(([answer, complaint]) => {
        if (answer.trim() !== "") resolve(answer);
        else
          reject(
            new AppError("up.failed", {
              what: "the one-shot hub",
              detail: `exit code ${code ?? "?"} ${complaint.trim().split("\n").at(-1) ?? ""}`,
            }),
          );
      }, reject);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(body);
  });
}

/** @throws {bootstrap.closed} {user.exists} {user.handle_taken} {data.mode} {data.corrupt} */
export async function bootstrapInstance(options: BootstrapOptions): Promise<User> {
  const body = JSON.stringify(options.body);
  const answer = await askSocket(join(options.data, "run", "hub.sock"), body);
  if (answer !== undefined) return readAnswer(answer, "the hub");
  return readAnswer(await askOneShot(options, body), "the one-shot hub");
}
