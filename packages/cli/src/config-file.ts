/**
 * Reads `althing.toml` and resolves the instance's settings: flags, then environment, then file, then defaults.
 *
 * Invariant: only a file of the caller's or of root's is read; a folder may be anybody's, and a file there would choose what is run and trusted. One file at most has a say: the one in the current folder, else the one in the data folder; two files that both speak would
 * leave the operator guessing. `resolveConfig` itself is pure and lives in the contract.
 */
import { AppError, isAppError, resolveConfig, settings, type ResolvedConfig } from "@althing/contract";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";
import { isTrustedOwner } from "./file-privacy.ts";

export interface LoadConfigOptions {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface LoadedConfig extends ResolvedConfig {
  /** The `althing.toml` that was read, absolute. */
  readonly file: string | undefined;
}

function readTrusted(path: string): string {
  const file = openSync(path, "r");
  try {
    const { uid } = fstatSync(file);
    if (!isTrustedOwner(uid, process.getuid?.())) {
      const detail = "it is read only when it is yours or root's; run the command as its owner, or from another folder";
      throw new AppError("config.invalid", { key: "althing.toml", source: path, observed: `owned by user ${uid}`, detail });
    }
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

function readToml(path: string): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  try {
    text = readTrusted(path);
  } catch (error) {
    if (isAppError(error)) throw error;
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    throw new AppError(
      "config.invalid",
      { key: "althing.toml", source: path, observed: "unreadable", detail: error instanceof Error ? error.message : "?" },
      { cause: error },
    );
  }
  try {
    return parse(text);
  } catch (error) {
    const detail = (error instanceof Error ? error.message : "?").split("\n")[0] ?? "?";
    throw new AppError("config.invalid", { key: "althing.toml", source: path, observed: "no TOML", detail }, { cause: error });
  }
}

/** @throws {config.unknown_key} {config.invalid} {config.insecure_bind} {config.auth_off} */
export function loadConfig({ flags, env, cwd }: LoadConfigOptions): LoadedConfig {
  const own = join(cwd, "althing.toml");
  const ownFile = readToml(own);
  if (ownFile !== undefined) return { ...resolveConfig({ flags, env, file: ownFile }), file: own };
  const data = typeof flags["data"] === "string" ? flags["data"] : (env[settings.data.env] ?? "./data");
  const inData = join(resolve(cwd, data), "althing.toml");
  const dataFile = readToml(inData);
  if (dataFile === undefined) return { ...resolveConfig({ flags, env, file: {} }), file: undefined };
  if (dataFile["data"] !== undefined) {
    throw new AppError("config.invalid", {
      key: "data",
      source: inData,
      observed: JSON.stringify(dataFile["data"]),
      detail: "a file inside the data folder cannot name another data folder",
    });
  }
  return { ...resolveConfig({ flags, env, file: dataFile }), file: inData };
}
