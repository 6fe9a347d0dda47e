/**
 * The author's project on disk: its manifest, its build, its packed bundle.
 *
 * Invariant: a manifest is judged by the platform's own validator before anything is built, packed or signed, so what leaves the project would not be
 * refused for it. The toolchain is loaded when something is built, not before.
 */
import { AppError, isAppError } from "@althing/contract";
import type { ProjectBuild } from "@althing/sdk";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { textOption, usageError, type Context } from "../context.ts";
import type { Manifest } from "@althing/extension/manifest";

export interface Project {
  readonly folder: string;
  /** `manifest.json` as it is written. */
  readonly manifestText: string;
  readonly manifest: Manifest;
}

export function projectFolder(context: Context): string {
  return resolve(context.host.cwd, textOption(context.options, "project") ?? ".");
}

/** Schedules are judged where they will run; here their form is. @throws {manifest.invalid} */
export async function judgeManifest(file: Uint8Array): Promise<Manifest> {
  const { parseManifest } = await import("@althing/extension/manifest");
  return parseManifest(file, { checkCron: () => undefined });
}

/** @throws {cli.usage} no project there @throws {manifest.invalid} */
export async function openProject(folder: string): Promise<Project> {
  const file = await readFile(join(folder, "manifest.json")).catch((error: unknown) => {
    throw usageError(
      `${folder} is no extension project: it has no readable manifest.json (${error instanceof Error ? error.message.slice(0, 40) : "?"})`,
    );
  });
  return { folder, manifestText: file.toString("utf8"), manifest: await judgeManifest(new Uint8Array(file)) };
}

/** The name of the project that a command runs in; `undefined` outside of one. */
export async function projectName(folder: string): Promise<string | undefined> {
  try {
    return (await openProject(folder)).manifest.name;
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

/** Builds everything that goes into the bundle. @throws {build.failed} with the places of the faults */
export async function buildFiles(folder: string, outFolder?: string): Promise<ProjectBuild> {
  const { buildProject } = await import("@althing/sdk");
  return buildProject({ folder, ...(outFolder === undefined ? {} : { outFolder }) });
}

export interface ManifestChange {
  readonly version?: string;
  readonly publisherId?: string;
}

/** The manifest with another version or publisher, its other fields as they were. @throws {manifest.invalid} */
export async function changedManifest(
  project: Project,
  change: ManifestChange,
): Promise<{ readonly text: string; readonly manifest: Manifest }> {
  const written: unknown = JSON.parse(project.manifestText);
  if (typeof written !== "object" || written === null) throw new AppError("manifest.invalid", { count: 1 });
  const { version = project.manifest.version, publisherId = project.manifest.publisher.id } = change;
  const next = { ...written, version, publisher: { ...project.manifest.publisher, id: publisherId } };
  const text = `${JSON.stringify(next, null, 2)}\n`;
  return { text, manifest: await judgeManifest(new TextEncoder().encode(text)) };
}

export interface Packed {
  readonly bundle: Uint8Array<ArrayBuffer>;
  readonly contentHash: `sha256:${string}`;
}

/** @throws {bundle.malformed} @throws {bundle.too_large} */
export async function packFiles(files: ReadonlyMap<string, Uint8Array>): Promise<Packed> {
  const { bundleFile, packBundle } = await import("@althing/extension/bundle");
  const { bundle, contentHash } = await packBundle([...files].map(([path, bytes]) => bundleFile(path, bytes)));
  return { bundle: new Uint8Array(bundle), contentHash };
}

export function packedName({ name, version }: Pick<Manifest, "name" | "version">): string {
  return `${name}-${version}.althing`;
}
