/**
 * The one-shot modes of encryption at rest: what a folder is, encrypting it, changing its key, and the end of both.
 *
 * Invariant: `enable` and `rotate` leave the folder of before beside the new one; who asked for them starts the new one for a look and then asks for `settle`
 * or `undo`. Cut off anywhere, the same command goes on from there.
 */
import { existsSync } from "node:fs";
import { AppError, faultsOf } from "@althing/contract";
import { z } from "zod";
import type { TaskDeps } from "../backup/backup-tasks.ts";
import { dataPaths, readDataFormat, readUnlocked, type Format } from "../data-folder.ts";
import { beforePlace, readAtRest, requireNoCutOff, type AtRest } from "./at-rest.ts";
import { finishCutOff, putBack, removeBefore, rewriteData, type RewriteReport } from "./rewrite-data.ts";

export const atRestModes = ["at-rest-status", "at-rest-enable", "at-rest-rotate", "at-rest-undo", "at-rest-settle"] as const;
export type AtRestMode = (typeof atRestModes)[number];

const path = z.string().min(1).max(4_096);
const enableSchema = z.strictObject({ natsServer: path });
const rotateSchema = z.strictObject({ natsServer: path, newKeyFile: path });

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError("request.invalid", { detail: "the input is not that of this mode" }, { faults: faultsOf(parsed.error) });
}

interface Changed {
  /** Absent: it was changed before, and only the look and the end were missing. */
  readonly written?: RewriteReport;
  readonly store: Format["store"];
  /** The folder as it was. */
  readonly before: string;
}

/** @throws what the mode's function throws */
export async function runAtRestTask(mode: AtRestMode, data: string, input: unknown, deps: TaskDeps): Promise<unknown> {
  const { root } = dataPaths(data);
  const finished = mode === "at-rest-status" || mode === "at-rest-enable" || mode === "at-rest-rotate" ? await finishCutOff(root) : false;
  requireNoCutOff(root);
  switch (mode) {
    case "at-rest-status":
      return statusOf(root, deps.atRestKeyFile, finished);
    case "at-rest-enable":
      return enable(data, parse(enableSchema, input), deps);
    case "at-rest-rotate":
      return rotate(data, parse(rotateSchema, input), deps);
    case "at-rest-undo":
      await putBack(data);
      return { data: root };
    case "at-rest-settle":
      return { data: root, removed: await removeBefore(data) };
  }
}

async function statusOf(root: string, keyFile: string | undefined, finished: boolean): Promise<unknown> {
  const { atRest: recorded } = await readDataFormat(root);
  const { fingerprint } = await readAtRest(keyFile, root);
  const key = fingerprint === undefined ? "absent" : fingerprint === recorded ? "right" : "wrong";
  const before = beforePlace(root);
  return { data: root, atRest: recorded === undefined ? "off" : "on", key, finished, before: existsSync(before) ? before : null };
}

/** A change that was made, and cut off before its end. */
function resumed(root: string, { store }: Format): Changed {
  const before = beforePlace(root);
  if (!existsSync(before)) throw new AppError("encryption.already", { path: root });
  return { store, before };
}

async function enable(data: string, { natsServer }: z.infer<typeof enableSchema>, deps: TaskDeps): Promise<Changed> {
  const { root } = dataPaths(data);
  const format = await readDataFormat(root);
  const { atRest: recorded } = format;
  const to = await readAtRest(deps.atRestKeyFile, root);
  if (to.fingerprint === undefined) throw new AppError("cli.usage", { detail: "encrypting needs a key: --at-rest-key-file FILE" });
  if (recorded === to.fingerprint) return resumed(root, format);
  const { atRest: from } = await readUnlocked(root, recorded === undefined ? undefined : deps.atRestKeyFile);
  return change(data, { from, to, natsServer, deps, store: format.store });
}

async function rotate(data: string, { natsServer, newKeyFile }: z.infer<typeof rotateSchema>, deps: TaskDeps): Promise<Changed> {
  const { root } = dataPaths(data);
  const format = await readDataFormat(root);
  const { atRest: recorded } = format;
  const to = await readAtRest(newKeyFile, root);
  if (recorded === to.fingerprint) return resumed(root, format);
  const { atRest: from } = await readUnlocked(root, deps.atRestKeyFile);
  if (from.fingerprint === undefined) throw new AppError("encryption.not_enabled", { path: root });
  return change(data, { from, to, natsServer, deps, store: format.store });
}

interface Change {
  readonly from: AtRest;
  readonly to: AtRest;
  readonly natsServer: string;
  readonly deps: TaskDeps;
  readonly store: Format["store"];
}

async function change(data: string, { from, to, natsServer, deps, store }: Change): Promise<Changed> {
  const { progress, signal } = deps;
  const written = await rewriteData({ data, from, to, natsServer, progress, signal });
  return { written, store, before: beforePlace(dataPaths(data).root) };
}
