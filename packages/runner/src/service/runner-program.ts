/**
 * The life of a runner under its supervisor: one start, one stop, in either order.
 *
 * Invariant: a message is checked before it does anything; a stop that comes while the start is still at work waits for it and closes what it opened; a
 * start that failed says so with its code and ends the process, because the supervisor starts a clean one.
 */
import { AppError, isAppError, toRunnerSchema, type FromRunner, type ToRunner } from "@althing/contract";
import { createRunnerLog, type ServiceLog } from "./runner-log.ts";
import { startRunner, type Runner, type RunnerOptions } from "./start-runner.ts";

export interface RunnerProgramOptions {
  readonly send: (message: FromRunner) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
  /** Tests write the log elsewhere. */
  readonly log?: ServiceLog;
  /** Tests put in a runner with a network of their own. */
  readonly start?: (options: RunnerOptions) => Promise<Runner>;
}

export interface RunnerProgram {
  /** A message of the supervisor, unchecked. */
  receive(message: unknown): void;
  /** The supervisor is gone, or a signal came. */
  stop(): Promise<void>;
}

type StartMessage = Extract<ToRunner, { type: "start" }>;

export function createRunnerProgram(options: RunnerProgramOptions): RunnerProgram {
  const start = options.start ?? startRunner;
  let log = options.log ?? createRunnerLog({ level: "info", node: "starting" });
  let starting: Promise<Runner | undefined> | undefined;
  let stopping: Promise<void> | undefined;

  async function open(message: StartMessage): Promise<Runner | undefined> {
    log = options.log ?? createRunnerLog({ level: message.logLevel, node: message.node });
    try {
      const { type: _type, ...given } = message;
      const runner = await start({ ...given, log });
      const { internalUrl, publicUrl, isolation } = runner;
      options.send({ type: "ready", internalUrl, publicUrl, isolation });
      log.info({ isolation }, "ready");
      return runner;
    } catch (error) {
      const known = isAppError(error) ? error : new AppError("system.internal", { requestId: "start" }, { cause: error });
      log.error({ err: error }, "failed");
      options.send({ type: "failed", code: known.code, message: known.message, fix: known.fix });
      void stop(1);
      return undefined;
    }
  }

  async function shutDown(code: number): Promise<void> {
    // A start that failed is what stops: it cannot wait for itself.
    const runner = code === 0 ? await starting : undefined;
    await runner?.close().catch((err: unknown) => log.warn({ err }, "closing failed"));
    log.info({}, "stopped");
    options.exit(code);
  }

  function stop(code = 0): Promise<void> {
    stopping ??= shutDown(code);
    return stopping;
  }

  return {
    receive(message) {
      const parsed = toRunnerSchema.safeParse(message);
      if (!parsed.success) {
        log.error({}, "a message of the supervisor does not fit the protocol");
      } else if (parsed.data.type === "stop") void stop();
      else if (starting === undefined) starting = open(parsed.data);
      else log.error({}, "the supervisor started this runner twice");
    },
    stop: () => stop(),
  };
}
