/**
 * The extension part of `althing smoke`: a package is made, signed, installed, invoked and removed in a community of its own.
 *
 * Invariant: the way is an author's and an admin's, nothing is prepared; key, community, install and data are gone at the end, whatever failed in
 * between, and their absence is part of the result.
 */
import type { PackagesClient } from "@althing/client";
import { AppError, hasCode } from "@althing/contract";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFiles, changedManifest, openProject, packFiles } from "./ext/project.ts";
import { signPacked, type Publisher } from "./ext/publisher-keys.ts";

type Run = (step: string, work: () => Promise<string>) => Promise<void>;

interface Made {
  readonly bundle: Uint8Array<ArrayBuffer>;
  readonly signature: string;
}

async function makePackage(publisher: Publisher): Promise<Made> {
  const { createProject } = await import("@althing/sdk");
  const folder = await mkdtemp(join(tmpdir(), "althing-smoke-"));
  try {
    await createProject({ template: "assemblyscript", name: "smoke", folder });
    const built = await buildFiles(folder);
    const { text, manifest } = await changedManifest(await openProject(folder), { publisherId: publisher.publisherId });
    const packed = await packFiles(new Map([...built.files, ["manifest.json", new TextEncoder().encode(text)]]));
    return { bundle: packed.bundle, signature: await signPacked(packed, manifest, publisher) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function walkPackage(client: PackagesClient, run: Run, community: string, made: Made): Promise<void> {
  let install: { readonly id: string; readonly extension: string; readonly contentHash: string } | undefined;
  await run("install a package", async () => {
    const uploaded = await client.upload(community, made);
    const params = { community, install: uploaded.id };
    install = await client.call("packages.change", { params, body: { consent: { contentHash: uploaded.contentHash }, active: true } });
    return `${uploaded.extension} ${uploaded.version}, ${uploaded.trust.verified ? "signature verified" : "unsigned"}`;
  });
  if (install === undefined) return;
  const { id, extension } = install;
  await run("invoke it", async () => {
    const beganMs = performance.now();
    const answer = await client.endpoint({ community, extension, method: "GET", path: "/hello/smoke" });
    const text = new TextDecoder().decode(answer.body);
    if (answer.status !== 200 || !text.includes("smoke"))
      throw new AppError("check.failed", { detail: `it answered ${answer.status} ${text.slice(0, 80)}` });
    const { executions } = await client.call("packages.log", { params: { community, install: id }, query: { limit: 1 } });
    return `${(performance.now() - beganMs).toFixed(1)} ms, ${executions[0]?.fuel ?? 0} units of fuel`;
  });
  await run("remove the package", async () => {
    await client.call("packages.remove", { params: { community, install: id }, query: { data: "purge" } });
    return "with its data, secrets and log";
  });
}

/** @throws {auth.forbidden} the caller is no admin of the instance, and what failed */
export async function smokePackage(client: PackagesClient, nonce: string, run: Run): Promise<void> {
  const { newPublisherKey } = await import("@althing/extension/trust");
  const { privateKeyPem, publicKeyPem, publisherId } = newPublisherKey();
  const name = `smoke-${nonce.toLowerCase()}`;
  const made = await makePackage({ publisherId, publicKeyPem, signer: { privateKeyPem } });
  let isFounded = false;
  try {
    await run("trust a key, found a community", async () => {
      await client.call("trust.add", { body: { pem: publicKeyPem } });
      await client.call("communities.create", { body: { name } });
      isFounded = true;
      return name;
    });
    await walkPackage(client, run, name, made);
  } finally {
    await client.call("trust.remove", { params: { id: publisherId } }).catch(() => undefined);
    if (isFounded) await closeCommunity(client, name);
  }
}

/** With whatever a failed step left in it. */
async function closeCommunity(client: PackagesClient, community: string): Promise<void> {
  const { packages } = await client.call("packages.list", { params: { community }, query: {} });
  for (const { id } of packages) await client.call("packages.remove", { params: { community, install: id }, query: { data: "purge" } });
  await client.call("communities.delete", { params: { community } });
  const isThere = await client.call("communities.get", { params: { community } }).then(
    () => true,
    (error: unknown) => !hasCode(error, "community.not_found"),
  );
  if (isThere) throw new AppError("check.failed", { detail: `the community ${community} is still there` });
}
