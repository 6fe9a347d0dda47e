/**
 * A packed bundle on disk with the signature beside it, read as an instance would read it.
 *
 * Invariant: form, layout and manifest are judged by the platform's own readers before a byte is sent or a word is said about it.
 */
import { limits } from "@althing/contract";
import type { BundleEntry } from "@althing/extension/bundle";
import type { Manifest } from "@althing/extension/manifest";
import { textOption, type Context } from "../context.ts";
import { readIfThere, readInput } from "./read-input.ts";
import { judgeManifest } from "./project.ts";

export interface BundleOnDisk {
  readonly bundle: Uint8Array<ArrayBuffer>;
  /** The .sig.json; absent: unsigned. */
  readonly signature: Uint8Array<ArrayBuffer> | undefined;
  readonly contentHash: `sha256:${string}`;
  readonly entries: readonly BundleEntry[];
  readonly manifest: Manifest;
}

export function signatureNameOf(file: string): string {
  return `${file}.sig.json`;
}

/**
 * @param file the bundle; its signature is `--signature`, else the file beside it
 * @throws {cli.usage} {bundle.malformed} {bundle.too_large} {manifest.invalid}
 */
export async function readBundleFile(context: Context, file: string | undefined): Promise<BundleOnDisk> {
  const bundle = await readInput(context, file, limits.bundleMaxBytes);
  const given = textOption(context.options, "signature");
  const signature =
    given === undefined
      ? await readIfThere(context, signatureNameOf(file ?? ""), limits.signatureFileMaxBytes)
      : await readInput(context, given, limits.signatureFileMaxBytes);
  const { checkBundleLayout, manifestPath, readBundleFiles } = await import("@althing/extension/bundle");
  const { maxManifestBytes } = await import("@althing/extension/manifest");
  const { summary, files } = await readBundleFiles([bundle], { [manifestPath]: maxManifestBytes });
  checkBundleLayout(summary.entries);
  const manifest = await judgeManifest(files.get(manifestPath) ?? new Uint8Array());
  return { bundle, signature, contentHash: summary.contentHash, entries: summary.entries, manifest };
}
