/**
 * Writes what `cluster init` makes: one folder a node and the folder of the authorities.
 *
 * Invariant: the whole tree appears under its name or nothing does, and nothing that exists is written over. Folders are 0700, files 0600: there
 * is a private key in each.
 */
import { AppError, instanceKeysFileSchema, type InstanceKeysFile } from "@althing/contract";
import { randomUUID } from "node:crypto";
import { lstat, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readAuthority } from "./certificates.ts";
import { authorityFiles, makeClusterAuthority, nodeFiles, type ClusterAuthority, type Files } from "./node-files.ts";
import type { ClusterPlan } from "./nodes-file.ts";

const unitTemplatePath = fileURLToPath(new URL("../../../../deploy/althing.service", import.meta.url));

export interface InitClusterOptions {
  readonly plan: ClusterPlan;
  /** Must not exist. */
  readonly out: string;
  /** Folder of the authorities of an existing cluster; without it new ones are made. */
  readonly authority?: string | undefined;
  /** Keys of an instance that the cluster is to be; without them a new cluster gets new ones. */
  readonly instance?: InstanceKeysFile | undefined;
  readonly nowMs: number;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, text] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** @throws {cluster.authority} */
export async function readClusterAuthority(folder: string): Promise<ClusterAuthority> {
  const text = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const pair = async (name: string) => readAuthority({ certPem: await text(`${name}.pem`), keyPem: await text(`${name}.key`) });
  try {
    const instance = instanceKeysFileSchema.parse(JSON.parse(await text("instance.json")));
    return { clients: await pair("client-ca"), routes: await pair("route-ca"), instance };
  } catch (error) {
    // What a parser says could quote a key.
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "a file of it is damaged";
    throw new AppError("cluster.authority", { path: folder, detail: code });
  }
}

/** @throws {cluster.exists} {cluster.authority} and what a node's settings are refused with */
export async function initCluster({ plan, out, authority: given, instance, nowMs }: InitClusterOptions): Promise<void> {
  if (await exists(out)) throw new AppError("cluster.exists", { path: out });
  const unitTemplate = await readFile(unitTemplatePath, "utf8");
  const known = given === undefined ? await makeClusterAuthority(plan.name, nowMs) : await readClusterAuthority(given);
  const authority = instance === undefined ? known : { ...known, instance };
  const draft = `${out}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(out), { recursive: true, mode: 0o700 });
    await mkdir(draft, { mode: 0o700 });
    await writeFiles(join(draft, "authority"), authorityFiles(authority));
    for (const node of plan.nodes)
      await writeFiles(join(draft, node.name), await nodeFiles({ plan, authority, unitTemplate, nowMs }, node));
    if (await exists(out)) throw new AppError("cluster.exists", { path: out });
    await rename(draft, out);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
