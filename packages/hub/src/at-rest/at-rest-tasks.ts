/**
 * The one-shot modes of encryption at rest: what a folder is, encrypting it, changing its key, and the end of both.
 *
 * Invariant: `enable` and `rotate` leave the folder of before beside the new one; who asked for them starts the new one for a look and then asks for `settle`
 * or `undo`. Cut off anywhere, the same command goes on from there.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { AppError, faultsOf, type Config } from "@althing/contract";
import { z } from "zod";
import type { TaskDeps } from "../backup/backup-tasks.ts";
import { temporaryName } from "../backup/temporary-names.ts";
import { dataPaths, readDataFormat, readUnlocked, type Format } from "../data-folder.ts";
import { readConfig } from "../hub-program.ts";
import { beforePlace, readAtRest, requireNoCutOff, type AtRest } from "./at-rest.ts";
import { clusterOfNode, requireCaughtUp, requireOthersWhole } from "./cluster-node.ts";
import { finishCutOff, putBack } from "./folder-places.ts";
import { removeBefore, rewriteData, type RewriteReport } from "./rewrite-data.ts";

export const atRestModes = ["at-rest-status", "at-rest-enable", "at-rest-rotate", "at-rest-undo", "at-rest-settle"] as const;
export type AtRestMode = (typeof atRestModes)[number];

const path = z.string().min(1).max(4_096);
/** Of a node of a cluster: its settings, resolved. */
const config = z.unknown().optional();
const enableSchema = z.strictObject({ natsServer: path, config });
const rotateSchema = z.strictObject({ natsServer: path, config, newKeyFile: path });
const settleSchema = z.union([z.strictObject({}), z.strictObject({ config: z.unknown(), keyFile: path })]);

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
      await putBack(root, beforePlace(root));
      return { data: root };
    case "at-rest-settle":
      return settle(data, parse(settleSchema, input), deps);
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

/** A node of a cluster must have everything again, and it runs meanwhile; any other was started for a look by who asks. */
async function settle(data: string, input: z.infer<typeof settleSchema>, { progress, signal }: TaskDeps): Promise<unknown> {
  const { root } = dataPaths(data);
  if (!("config" in input)) return { data: root, removed: await removeBefore(data) };
  const compared = await requireCaughtUp({ config: nodeConfig(input.config, data), keyFile: input.keyFile, progress, signal });
  return { data: root, removed: await removeBefore(data), compared };
}

/** The folder that was locked by name is the one that is meant, whatever the settings say. */
const nodeConfig = (given: unknown, data: string): Config => ({ ...readConfig(given), data });

async function enable(data: string, { natsServer, config: given }: z.infer<typeof enableSchema>, deps: TaskDeps): Promise<Changed> {
  const { root } = dataPaths(data);
  const format = await readDataFormat(root);
  const { atRest: recorded } = format;
  const to = await readAtRest(deps.atRestKeyFile, root);
  if (to.fingerprint === undefined) throw new AppError("cli.usage", { detail: "encrypting needs a key: --at-rest-key-file FILE" });
  if (recorded === to.fingerprint) return resumed(root, format);
  const { atRest: from } = await readUnlocked(root, recorded === undefined ? undefined : deps.atRestKeyFile);
  return change(data, { from, to, natsServer, deps, store: format.store, config: given });
}

async function rotate(
  data: string,
  { natsServer, newKeyFile, config: given }: z.infer<typeof rotateSchema>,
  deps: TaskDeps,
): Promise<Changed> {
  const { root } = dataPaths(data);
  const format = await readDataFormat(root);
  const { atRest: recorded } = format;
  const to = await readAtRest(newKeyFile, root);
  if (recorded === to.fingerprint) return resumed(root, format);
  const { atRest: from } = await readUnlocked(root, deps.atRestKeyFile);
  if (from.fingerprint === undefined) throw new AppError("encryption.not_enabled", { path: root });
  return change(data, { from, to, natsServer, deps, store: format.store, config: given });
}

interface Change {
  readonly from: AtRest;
  readonly to: AtRest;
  readonly natsServer: string;
  readonly deps: TaskDeps;
  readonly store: Format["store"];
  readonly config: unknown;
}

async function change(data: string, { from, to, natsServer, deps, store, config: given }: Change): Promise<Changed> {
  const { progress, signal } = deps;
  const common = { data, from, to, natsServer, progress, signal };
  if (given === undefined) return { written: await rewriteData(common), store, before: beforePlace(dataPaths(data).root) };
  const own = nodeConfig(given, data);
  clusterOfNode(own);
  const scratch = join(dirname(dataPaths(data).root), temporaryName("spool"));
  const look = { config: own, natsServer, atRest: from, scratch, progress, signal };
  const written = await rewriteData({ ...common, onEmptying: () => requireOthersWhole(look) });
  return { written, store, before: beforePlace(dataPaths(data).root) };
}
