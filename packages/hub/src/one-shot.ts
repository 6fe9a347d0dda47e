/**
 * Modes in which the hub opens the data folder, does one thing and ends: `one-shot bootstrap --data DIR` makes the first admin;
 * `one-shot nats-config --data DIR` makes keys and fence, and tells the configuration for a nats-server that the operator runs; backup, restore, upgrade and
 * inspection are in backup/backup-tasks.ts.
 *
 * Invariant: the same lock, checks and rules as in a serving hub; JSON in on standard input, JSON out on standard output, a problem document and exit
 * code 1 when refused. No nats-server is needed: the state of a single node is SQLite. Whoever can open the folder has the right.
 */
import { createNewcomers, openCollections } from "@althing/bus";
import {
  AppError,
  bootstrapSchema,
  externalNats,
  faultsOf,
  isAppError,
  limits,
  toProblem,
  type ExternalNatsFiles,
  type User,
} from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { atRestModes, runAtRestTask, type AtRestMode } from "./at-rest/at-rest-tasks.ts";
import { backupModes, runBackupTask, type BackupMode } from "./backup/backup-tasks.ts";
import { requireUpgraded } from "./backup/require-upgraded.ts";
import { openDataFolder } from "./data-folder.ts";
import { readConfig } from "./hub-program.ts";
import { natsConfigText, natsFiles, writeNatsFiles } from "./nats-files.ts";
import { createRequestIds } from "./request-id.ts";
import { stateMigrations } from "./state-migrations.ts";
import { parseStrictJson } from "./strict-json.ts";

export interface OneShotOptions {
  /** Arguments after `one-shot`. */
  readonly args: readonly string[];
  readonly readInput: () => Promise<Uint8Array>;
  readonly writeOutput: (text: string) => void;
  readonly nowMs: () => number;
  /** Of this program; named in backups. */
  readonly version: string;
  /** One line for a person. */
  readonly progress: (text: string) => void;
  /** The caller gives up: what is half-done is removed. */
  readonly signal: AbortSignal;
}

type Mode = "bootstrap" | "nats-config" | BackupMode | AtRestMode;

const isAtRestMode = (mode: BackupMode | AtRestMode): mode is AtRestMode => atRestModes.some((known) => known === mode);

/** @returns the exit code */
export async function runOneShot(options: OneShotOptions): Promise<number> {
  try {
    const task = taskOf(options.args);
    const input = await options.readInput();
    const done = await runMode(task, input, options);
    options.writeOutput(`${JSON.stringify(done)}\n`);
    return 0;
  } catch (error) {
    const requestId = createRequestIds({ now: options.nowMs }).next();
    const known = isAppError(error) ? error : new AppError("system.internal", { requestId }, { cause: error });
    options.writeOutput(`${JSON.stringify(toProblem(known, requestId))}\n`);
    return 1;
  }
}

function runMode({ mode, data, atRestKeyFile }: Task, input: Uint8Array, options: OneShotOptions): Promise<unknown> {
  if (mode === "bootstrap") return bootstrap({ data, atRestKeyFile }, input, options.nowMs);
  if (mode === "nats-config") return prepareNats(data, input);
  const { nowMs, version, progress, signal } = options;
  const deps = { nowMs, program: version, progress, signal, migrations: stateMigrations, atRestKeyFile };
  if (isAtRestMode(mode)) return runAtRestTask(mode, data, parseStrictJson(input), deps);
  return runBackupTask(mode, data, parseStrictJson(input), deps);
}

interface Task {
  readonly mode: Mode;
  readonly data: string;
  /** A path; the key itself is in the file. */
  readonly atRestKeyFile: string | undefined;
}

/** @throws {cli.usage} */
function taskOf(args: readonly string[]): Task {
  const [name, flag, data, keyFlag, atRestKeyFile, ...more] = args;
  const mode = (["bootstrap", "nats-config", ...backupModes, ...atRestModes] as const).find((known) => known === name);
  const hasKey = keyFlag === "--at-rest-key-file" && atRestKeyFile !== undefined && atRestKeyFile !== "";
  if (mode === undefined || flag !== "--data" || data === undefined || data === "" || (keyFlag !== undefined && !hasKey) || more.length > 0)
    throw new AppError("cli.usage", { detail: "one-shot MODE --data DIR [--at-rest-key-file FILE]" });
  return { mode, data, atRestKeyFile };
}

/** Input: the settings, resolved. @throws {config.invalid} {data.locked} and what opening the folder throws */
async function prepareNats(data: string, input: Uint8Array): Promise<ExternalNatsFiles> {
  const config = readConfig(parseStrictJson(input));
  if (externalNats(config) === undefined)
    throw new AppError("config.invalid", {
      key: "nats_url",
      source: "the settings",
      observed: "absent",
      detail: "only a nats-server of your own is configured by hand",
    });
  const folder = await openDataFolder(data, config.store);
  try {
    await writeNatsFiles(config, folder);
    const { aclFile, fenceFile, pidFile } = natsFiles(config, folder);
    return { config: natsConfigText(config, folder), aclFile, fenceFile, pidFile };
  } finally {
    folder.close();
  }
}

/** @throws {bootstrap.closed} {user.exists} {user.handle_taken} {user.bad_key_proof} {data.locked} and what opening the folder throws */
async function bootstrap(task: Pick<Task, "data" | "atRestKeyFile">, input: Uint8Array, nowMs: () => number): Promise<User> {
  const parsed = bootstrapSchema.safeParse(parseStrictJson(input));
  if (!parsed.success)
    throw new AppError("request.invalid", { detail: "the input is not a newcomer with a key" }, { faults: faultsOf(parsed.error) });
  const folder = await openDataFolder(task.data, "sqlite", task.atRestKeyFile);
  try {
    const clock = { now: nowMs };
    const { sqlite } = folder.atRest;
    await requireUpgraded(folder.paths, stateMigrations, sqlite.key);
    const store = await openSqliteStore({ path: folder.paths.stateDb, migrations: stateMigrations, fsync: "always", clock, ...sqlite });
    try {
      await folder.markFounded();
      return await createNewcomers({ store, collections: openCollections(store), clock, limits }).bootstrap(parsed.data);
    } finally {
      await store.close();
    }
  } finally {
    folder.close();
  }
}
