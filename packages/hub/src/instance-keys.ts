/**
 * Keys of a node and of its instance, in `<data>/keys`.
 *
 * Invariant: a key is made only while the store is empty; later a missing one is an error, because a new one would orphan the data; a damaged
 * file is left as it was. `hub.nkey` and `sys.nkey` are NATS user seeds of this node; `instance.json` holds what all nodes share:
 * the HMAC key of opaque names, the key of stored secrets, the key of receipts.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { newNkey, nkeyOfSeed } from "@althing/bus";
import { AppError } from "@althing/contract";
import { z } from "zod";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

const keySchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const instanceFileSchema = z.strictObject({ version: z.literal(1), nameKey: keySchema, secretsKey: keySchema, receiptKey: keySchema });

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
 * @throws {data.key_missing} {data.corrupt} {data.mode}
 */
export async function openInstanceKeys(folder: string, storeEmpty: boolean): Promise<InstanceKeys> {
  const paths = { hub: join(folder, "hub.nkey"), sys: join(folder, "sys.nkey"), instance: join(folder, "instance.json") };
  // All are read before any is made: a damaged file must not find new keys beside it.
  const found = {
    hub: await readPrivateFile(paths.hub),
    sys: await readPrivateFile(paths.sys),
    instance: await readPrivateFile(paths.instance),
  };
  for (const name of ["hub", "sys", "instance"] as const) {
    if (found[name] === undefined && !storeEmpty) throw new AppError("data.key_missing", { path: paths[name] });
  }
  const known = {
    hub: found.hub === undefined ? undefined : parseSeed(paths.hub, found.hub),
    sys: found.sys === undefined ? undefined : parseSeed(paths.sys, found.sys),
    instance: found.instance === undefined ? undefined : parseInstance(paths.instance, found.instance),
  };
  const hub = known.hub ?? (await makeSeed(paths.hub));
  const sys = known.sys ?? (await makeSeed(paths.sys));
  const instance = known.instance ?? (await makeInstance(paths.instance));
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

type InstanceFile = z.infer<typeof instanceFileSchema>;

function parseInstance(path: string, text: string): InstanceFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError("data.corrupt", { path, detail: "it is not JSON" });
  }
  const parsed = instanceFileSchema.safeParse(value);
  if (!parsed.success) throw new AppError("data.corrupt", { path, detail: "it does not hold the instance's keys" });
  return parsed.data;
}

async function makeInstance(path: string): Promise<InstanceFile> {
  const key = () => randomBytes(32).toString("base64url");
  const made: InstanceFile = { version: 1, nameKey: key(), secretsKey: key(), receiptKey: key() };
  await writePrivateFile(path, `${JSON.stringify(made, null, 2)}\n`);
  return made;
}
