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

type Mode = "bootstrap" | "nats-config" | BackupMode;

/** @returns the exit code */
export async function runOneShot(options: OneShotOptions): Promise<number> {
  try {
    const { mode, data } = taskOf(options.args);
    const input = await options.readInput();
    const done = await runMode(mode, data, input, options);
    options.writeOutput(`${JSON.stringify(done)}\n`);
    return 0;
  } catch (error) {
    const requestId = createRequestIds({ now: options.nowMs }).next();
    const known = isAppError(error) ? error : new AppError("system.internal", { requestId }, { cause: error });
    options.writeOutput(`${JSON.stringify(toProblem(known, requestId))}\n`);
    return 1;
  }
}

function runMode(mode: Mode, data: string, input: Uint8Array, options: OneShotOptions): Promise<unknown> {
  if (mode === "bootstrap") return bootstrap(data, input, options.nowMs);
  if (mode === "nats-config") return prepareNats(data, input);
  const { nowMs, version, progress, signal } = options;
  return runBackupTask(mode, data, parseStrictJson(input), { nowMs, program: version, progress, signal, migrations: stateMigrations });
}

/** @throws {cli.usage} */
function taskOf(args: readonly string[]): { readonly mode: Mode; readonly data: string } {
  const [name, flag, data, ...more] = args;
  const mode = (["bootstrap", "nats-config", ...backupModes] as const).find((known) => known === name);
  if (mode === undefined || flag !== "--data" || data === undefined || data === "" || more.length > 0)
    throw new AppError("cli.usage", { detail: "one-shot MODE --data DIR" });
  return { mode, data };
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
async function bootstrap(data: string, input: Uint8Array, nowMs: () => number): Promise<User> {
  const parsed = bootstrapSchema.safeParse(parseStrictJson(input));
  if (!parsed.success)
    throw new AppError("request.invalid", { detail: "the input is not a newcomer with a key" }, { faults: faultsOf(parsed.error) });
  const folder = await openDataFolder(data, "sqlite");
  try {
    const clock = { now: nowMs };
    await requireUpgraded(folder.paths, stateMigrations);
    const store = await openSqliteStore({ path: folder.paths.stateDb, migrations: stateMigrations, fsync: "always", clock });
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
