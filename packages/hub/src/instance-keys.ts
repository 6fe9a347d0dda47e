/**
 * Keys of a node and of its instance, in `<data>/keys`.
 *
 * Invariant: a key is made only while the store is empty; later a missing one is an error, because a new one would orphan the data; a damaged
 * file is left as it was. A node of a cluster never makes `instance.json`: its own would be another instance's. `hub.nkey` and `sys.nkey` are NATS user seeds of this node; `instance.json` holds what all nodes share:
 * the HMAC key of opaque names, the key of stored secrets, the key of receipts.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { newNkey, nkeyOfSeed } from "@althing/bus";
import { AppError, instanceKeysFileSchema, newInstanceKeys, type InstanceKeysFile } from "@althing/contract";
import { openText, sealText } from "./at-rest/instance-keys-seal.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

export interface InstanceKeys {
  /** NATS user seeds (`SU…`) of the hub and of its system account user. */
  readonly hubSeed: string;
  readonly sysSeed: string;
  readonly hubPublic: string;
  readonly sysPublic: string;
  /** 32 bytes each. */
  readonly nameKey: Uint8Array<ArrayBuffer>;
  readonly secretsKey: Uint8Array<ArrayBuffer>;
  readonly receiptKey: Uint8Array<ArrayBuffer>;
}

/**
 * @param storeEmpty may missing keys be made?
 * @param sealKey what `instance.json` is sealed with; absent: it is plain
 * @param isShared other nodes have `instance.json` already: it is never made here
 * @throws {data.key_missing} {data.corrupt} {data.mode}
 */
export async function openInstanceKeys(folder: string, storeEmpty: boolean, sealKey?: Uint8Array, isShared = false): Promise<InstanceKeys> {
  const paths = { hub: join(folder, "hub.nkey"), sys: join(folder, "sys.nkey"), instance: join(folder, "instance.json") };
  // All are read before any is made: a damaged file must not find new keys beside it.
  const found = {
    hub: await readPrivateFile(paths.hub),
    sys: await readPrivateFile(paths.sys),
    instance: await readPrivateFile(paths.instance),
  };
  for (const name of ["hub", "sys", "instance"] as const) {
    if (found[name] === undefined && !storeEmpty)
      throw new AppError("data.key_missing", { path: paths[name], detail: "the data folder is not empty" });
  }
  if (found.instance === undefined && isShared)
    throw new AppError("data.key_missing", {
      path: paths.instance,
      detail: "all nodes of a cluster have the same one, made by `althing cluster init`, and a start makes none",
    });
  const known = {
    hub: found.hub === undefined ? undefined : parseSeed(paths.hub, found.hub),
    sys: found.sys === undefined ? undefined : parseSeed(paths.sys, found.sys),
    instance: found.instance === undefined ? undefined : await openInstance(paths.instance, found.instance, { storeEmpty, sealKey }),
  };
  const hub = known.hub ?? (await makeSeed(paths.hub));
  const sys = known.sys ?? (await makeSeed(paths.sys));
  const instance = known.instance ?? (await makeInstance(paths.instance, sealKey));
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
  return {
    hubSeed: hub.seed,
    sysSeed: sys.seed,
    hubPublic: hub.publicKey,
    sysPublic: sys.publicKey,
    nameKey: bytes(instance.nameKey),
    secretsKey: bytes(instance.secretsKey),
    receiptKey: bytes(instance.receiptKey),
  };
}

interface NodeKey {
  readonly seed: string;
  readonly publicKey: string;
}

function parseSeed(path: string, text: string): NodeKey {
  const seed = text.trim();
  try {
    return { seed, publicKey: nkeyOfSeed(seed) };
  } catch {
    // The cause could quote the file, so it stays out.
    throw new AppError("data.corrupt", { path, detail: "it is no NATS user seed" });
  }
}

async function makeSeed(path: string): Promise<NodeKey> {
  const pair = newNkey();
  await writePrivateFile(path, `${pair.seed}\n`);
  return pair;
}

function parseInstance(path: string, text: string): InstanceKeysFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError("data.corrupt", { path, detail: "it is not JSON" });
  }
  const parsed = instanceKeysFileSchema.safeParse(value);
  if (!parsed.success) throw new AppError("data.corrupt", { path, detail: "it does not hold the instance's keys" });
  return parsed.data;
}

interface SealOptions {
  readonly storeEmpty: boolean;
  readonly sealKey: Uint8Array | undefined;
}

/** A plain one under an at-rest key is that of a node that was prepared and never started: it is sealed now. */
async function openInstance(path: string, text: string, { storeEmpty, sealKey }: SealOptions): Promise<InstanceKeysFile> {
  const opened = await openText(sealKey, text).catch((cause: unknown) => {
    throw new AppError("data.corrupt", { path, detail: "it does not open with the at-rest key" }, { cause });
  });
  if (opened !== undefined) return parseInstance(path, opened);
  const plain = parseInstance(path, text);
  if (sealKey === undefined) return plain;
  if (!storeEmpty) throw new AppError("data.corrupt", { path, detail: "it is not sealed, and the folder is encrypted" });
  await writePrivateFile(path, await sealText(sealKey, text));
  return plain;
}

async function makeInstance(path: string, sealKey: Uint8Array | undefined): Promise<InstanceKeysFile> {
  const made = newInstanceKeys(() => randomBytes(32).toString("base64url"));
  const text = `${JSON.stringify(made, null, 2)}\n`;
  await writePrivateFile(path, sealKey === undefined ? text : await sealText(sealKey, text));
  return made;
}
