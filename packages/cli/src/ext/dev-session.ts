/**
 * One project, live in one community of a local instance.
 *
 * Invariant: nothing here is a way in of its own: bundles are packed, signed, uploaded and consented to like anybody's, under a key that lies in the project
 * and is pinned in the instance's trust bundle for everybody to see. It is for an instance on this machine only, because whoever has that key can sign
 * for all of its communities.
 */
import { AppError, hasCode, isLoopbackHost, type Community, type Install } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import { createHash } from "node:crypto";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { usageError, type Context } from "../context.ts";
import { buildFiles, changedManifest, openProject, packFiles } from "./project.ts";
import { createPublisherKey, publisherOption, readPublisher, signPacked, type Publisher } from "./publisher-keys.ts";

export interface DevSession {
  readonly client: PackagesClient;
  readonly community: Community;
  readonly publisher: Publisher;
  /** Was the key pinned just now? */
  readonly isNewlyTrusted: boolean;
  /** The project's own key of development, and not one that the author gave. */
  readonly isDevKey: boolean;
  /** Builds and brings it in. @returns `undefined` when nothing of the bundle changed */
  bring(signal: AbortSignal): Promise<DevRound | undefined>;
}

export interface DevRound {
  readonly install: Install;
  readonly buildMs: number;
  /** Upload, check, preparation, consent. */
  readonly installMs: number;
}

/** @throws {cli.usage} an address of another machine */
export function requireLoopback(urls: readonly string[]): void {
  const other = urls.find((url) => !isLoopbackHost(new URL(url).hostname));
  if (other !== undefined)
    throw usageError(
      `ext dev pins a key of the project and consents by itself, so it is for an instance on this machine, not ${other}; use ext publish or package install there`,
    );
}

async function devKey(context: Context, folder: string): Promise<Publisher> {
  const path = join(folder, ".althing", "dev.key");
  await mkdir(join(folder, ".althing"), { recursive: true, mode: 0o700 });
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere ? readPublisher(context, path) : createPublisherKey(path);
}

/** @throws {auth.forbidden} the caller is no admin of the instance */
async function pin(client: PackagesClient, { publisherId, publicKeyPem }: Publisher): Promise<boolean> {
  const { anchors } = await client.call("trust.list");
  // A certificate is vouched for by its authority, which only an admin's own decision pins.
  if (!publisherId.startsWith("ed25519:")) return false;
  if (anchors.some(({ id }) => id === publisherId)) return false;
  await client.call("trust.add", { body: { pem: publicKeyPem } });
  return true;
}

async function ownCommunity(client: PackagesClient, name: string): Promise<Community> {
  try {
    const community = await client.call("communities.get", { params: { community: name } });
    if (community.roles === undefined) throw usageError(`the community ${name} is not yours: --community NAME takes or founds another`);
    return community;
  } catch (error) {
    if (!hasCode(error, "community.not_found")) throw error;
    return client.call("communities.create", { body: { name } });
  }
}

/** `1.2.3` → `1.2.3-dev.<n>`; a pre-release's own suffix makes room. */
export function devVersion(version: string, count: number): string {
  return `${version.split("-")[0] ?? version}-dev.${count}`;
}

function fingerprint(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [path, bytes] of files) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return hash.digest("hex");
}

/** Consents to exactly what was uploaded. */
async function consent(client: PackagesClient, uploaded: Install, signal: AbortSignal): Promise<Install> {
  const contentHash = uploaded.pending?.contentHash ?? uploaded.contentHash;
  const params = { community: uploaded.community, install: uploaded.id };
  return client.call("packages.change", { params, body: { consent: { contentHash }, active: true } }, { signal });
}

/**
 * @throws {auth.forbidden} {cli.usage} {client.unreachable}
 */
export async function openDevSession(context: Context, client: PackagesClient, folder: string, communityName: string): Promise<DevSession> {
  const given = await publisherOption(context);
  const publisher = given ?? (await devKey(context, folder));
  const isNewlyTrusted = await pin(client, publisher);
  const community = await ownCommunity(client, communityName);
  let last = "";
  let count = 0;
  return {
    client,
    community,
    publisher,
    isNewlyTrusted,
    isDevKey: given === undefined,
    async bring(signal) {
      const startedAtMs = performance.now();
      const project = await openProject(folder);
      const built = await buildFiles(folder);
      const print = fingerprint(built.files);
      if (print === last) return undefined;
      const buildMs = performance.now() - startedAtMs;
      count = Math.max(context.host.now(), count + 1);
      const { text, manifest } = await changedManifest(project, {
        version: devVersion(project.manifest.version, count),
        publisherId: publisher.publisherId,
      });
      const packed = await packFiles(new Map([...built.files, ["manifest.json", new TextEncoder().encode(text)]]));
      const signature = await signPacked(packed, manifest, publisher);
      const uploaded = await client.upload(community.id, { bundle: packed.bundle, signature }, { signal });
      const install = await consent(client, uploaded, signal);
      if (install.contentHash !== packed.contentHash)
        throw new AppError("install.consent_stale", { expected: packed.contentHash, observed: install.contentHash });
      last = print;
      return { install, buildMs, installMs: performance.now() - startedAtMs - buildMs };
    },
  };
}
