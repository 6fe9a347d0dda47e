/**
 * `althing ext new|build|pack|sign|verify|inspect` and `ext key …`: what an author does without an instance.
 *
 * Invariant: every bundle that is written here was judged by the platform's own readers, and its publisher is the one that the key gives; nothing that
 * exists is overwritten but the outputs of building and packing.
 */
import { AppError } from "@althing/contract";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { createPublicKey } from "node:crypto";
import { textOption, usageError, type Context } from "../context.ts";
import { readBundleFile, signatureNameOf } from "../ext/bundle-file.ts";
import { manifestWords } from "../ext/in-words.ts";
import { buildFiles, changedManifest, openProject, packedName, packFiles, projectFolder } from "../ext/project.ts";
import { createPublisherKey, publisherOption, readPublisher, signPacked } from "../ext/publisher-keys.ts";
import { readInputText } from "../ext/read-input.ts";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

const pemMaxBytes = 1024 * 1024;

/** A path as the person would type it from where they are. */
function fromHere({ host }: Context, path: string): string {
  const short = relative(host.cwd, path);
  return short === "" ? "." : short.length < path.length ? short : path;
}

export async function newProject(context: Context, [name = ""]: readonly string[]): Promise<void> {
  const { createProject, templates } = await import("@althing/sdk");
  const publisher = await publisherOption(context);
  const folder = resolve(context.host.cwd, textOption(context.options, "folder") ?? name);
  const wanted = textOption(context.options, "template");
  const template = templates.find((one) => one === wanted);
  if (template === undefined) throw usageError(`there is no template ${wanted ?? ""}: ${templates.join(", ")}`);
  const id = textOption(context.options, "id");
  const created = await createProject({
    ...{ name, template, folder },
    ...(id === undefined ? {} : { id }),
    ...(publisher === undefined ? {} : { publisher: { id: publisher.publisherId, name } }),
  });
  context.output.prose(`cd ${fromHere(context, folder)} and run it: althing ext dev --as IDENTITY`);
  context.output.result(created, `${created.id} is in ${fromHere(context, folder)}: ${created.files.join(", ")}`);
}

export async function build(context: Context): Promise<void> {
  const folder = projectFolder(context);
  const { manifest } = await openProject(folder);
  const built = await buildFiles(folder, join(folder, "dist"));
  const sizes = [...built.files].map(([path, bytes]) => [join("dist", path), `${bytes.length} bytes`]);
  const { bundleMs, componentMs } = built.component.timings;
  const took = `${Math.round(bundleMs + componentMs)} ms`;
  context.output.result(
    {
      name: manifest.name,
      version: manifest.version,
      language: built.language,
      files: Object.fromEntries([...built.files].map(([path, bytes]) => [path, bytes.length])),
    },
    `${table(sizes)}\n${manifest.name} ${manifest.version}, ${built.language}, built in ${took}`,
  );
}

/** Whole or not at all: a half-written bundle would look like a damaged one. */
async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, content);
  await rename(draft, path);
}

export async function pack(context: Context): Promise<void> {
  const folder = projectFolder(context);
  const project = await openProject(folder);
  const publisher = await publisherOption(context);
  const { text, manifest } =
    publisher === undefined
      ? { text: project.manifestText, manifest: project.manifest }
      : await changedManifest(project, { publisherId: publisher.publisherId });
  const built = await buildFiles(folder);
  const packed = await packFiles(new Map([...built.files, ["manifest.json", new TextEncoder().encode(text)]]));
  const path = resolve(context.host.cwd, textOption(context.options, "output") ?? join(folder, packedName(manifest)));
  const signature = publisher === undefined ? undefined : await signPacked(packed, manifest, publisher);
  await mkdir(resolve(path, ".."), { recursive: true });
  await replaceFile(path, packed.bundle);
  if (signature !== undefined) await replaceFile(signatureNameOf(path), signature);
  const shown = fromHere(context, path);
  if (signature === undefined) context.output.prose(`it is not signed: althing ext sign ${shown} --key FILE`);
  context.output.result(
    {
      file: path,
      name: manifest.name,
      version: manifest.version,
      contentHash: packed.contentHash,
      bytes: packed.bundle.length,
      signed: signature !== undefined,
    },
    `${shown} (${packed.bundle.length} bytes, ${packed.contentHash})`,
  );
}

export async function newKey(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const path = resolve(context.host.cwd, file);
  const { publisherId } = await createPublisherKey(path);
  const shown = fromHere(context, path);
  context.output.prose(`keep ${shown} safe: who has it signs in your name, and without it your packages' names are lost to you`);
  context.output.prose(`operators trust you with: althing trust add ${shown}.pub`);
  context.output.result({ file: path, publicFile: `${path}.pub`, publisherId }, publisherId);
}

export async function showKey(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const { publisherId, publicKeyPem } = await readPublisher(context, file, textOption(context.options, "chain"));
  context.output.result({ publisherId, publicKeyPem }, `${publisherId}\n${publicKeyPem}`);
}

export async function useKey(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const { publisherId } = await readPublisher(context, file, textOption(context.options, "chain"));
  const project = await openProject(projectFolder(context));
  const { text } = await changedManifest(project, { publisherId });
  await replaceFile(join(project.folder, "manifest.json"), text);
  context.output.result({ name: project.manifest.name, publisherId }, `${project.manifest.name} is published by ${publisherId}`);
}

export async function sign(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const publisher = await publisherOption(context);
  if (publisher === undefined) throw usageError("give the key to sign with: --key FILE (althing ext key new makes one)");
  const { bundle, contentHash, manifest } = await readBundleFile(context, file);
  const path = signatureNameOf(resolve(context.host.cwd, file));
  await replaceFile(path, await signPacked({ bundle, contentHash }, manifest, publisher));
  const { name, version } = manifest;
  context.output.result(
    { file: path, name, version, contentHash, publisherId: publisher.publisherId },
    `${fromHere(context, path)}: ${name} ${version} by ${publisher.publisherId}`,
  );
}

export async function registry(context: Context, [folder = ""]: readonly string[]): Promise<void> {
  const publisher = await publisherOption(context);
  if (publisher === undefined) throw usageError("give the key to sign the list with: --key FILE");
  const { writeStaticRegistry } = await import("../ext/static-registry.ts");
  const written = await writeStaticRegistry(context, resolve(context.host.cwd, folder), publisher, Number(context.options["days"] ?? 30));
  const { file, version, expires, packages } = written;
  context.output.prose(`put the folder on any web server over https, and write the list anew before ${expires}`);
  context.output.result(
    written,
    `${fromHere(context, file)}: version ${version}\n${table(packages.map(({ name, version: of, bytes }) => [name, of, `${bytes} bytes`]))}`,
  );
}

/** The key that a signature names, as a trust bundle; whether anybody trusts it is another question. */
function namedKeyPem(keyId: string | undefined): string | undefined {
  const raw = /^ed25519:([0-9a-f]{64})$/.exec(keyId ?? "")?.[1];
  if (raw === undefined) return undefined;
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw, "hex").toString("base64url") }, format: "jwk" });
  return key.export({ format: "pem", type: "spki" }).toString();
}

export async function verify(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const { contentHash, manifest, signature } = await readBundleFile(context, file);
  const { assertTrusted, openTrustStore, parseEnvelope, verifyBundle } = await import("@althing/extension/trust");
  if (signature === undefined) throw new AppError("trust.unsigned");
  const [given, crl] = [textOption(context.options, "trust"), textOption(context.options, "crl")];
  const envelope = parseEnvelope(signature);
  if (given === undefined && envelope.chain.trim() !== "")
    throw usageError("it is signed by a certificate: give the authorities with --trust FILE");
  const pem = given === undefined ? namedKeyPem(envelope.signatures[0]?.keyId) : await readInputText(context, given, pemMaxBytes);
  const trust = openTrustStore(pem ?? "", crl === undefined ? undefined : await readInputText(context, crl, pemMaxBytes));
  const { name, version, publisher } = manifest;
  const statement = { contentHash, name, version, publisher: publisher.id };
  const result = assertTrusted(
    verifyBundle({ envelope: signature, bundle: statement, trust, required: true, now: new Date(context.host.now()) }),
  );
  const by = safeLine(result.signer?.publisherId ?? "?");
  if (given === undefined)
    context.output.prose("whether an instance trusts this signer is its own decision; --trust FILE asks with a trust bundle");
  context.output.result(
    { ...statement, ...result, reason: result.reason ?? null },
    `${name} ${version}: signed by ${by}; the content is what was signed`,
  );
}

export async function inspect(context: Context, [file = ""]: readonly string[]): Promise<void> {
  const { bundle, contentHash, entries, manifest, signature } = await readBundleFile(context, file);
  const files = entries.map(({ path, sizeBytes }) => [`  ${safeLine(path)}`, `${sizeBytes} bytes`]);
  const text = [
    ...manifestWords(manifest),
    "files",
    table(files),
    `${bundle.length} bytes packed, ${contentHash}, ${signature === undefined ? "not signed" : "with a signature (althing ext verify checks it)"}`,
  ].join("\n");
  context.output.result({ manifest, contentHash, bytes: bundle.length, entries, signed: signature !== undefined }, text);
}
