/**
 * Packages for tests, made and signed at run time, and the bodies that carry them.
 *
 * Invariant: everything goes through the product's own writer and signer, so a package is wrong only where a test says so.
 */
import { bundleFile, packBundle, type BundleFile, type ContentHash } from "../src/bundle/index.ts";
import type { ManifestInput } from "../src/manifest/index.ts";
import { newPublisherKey, publisherIdOf, signBundle, type BundleSigner, type PublisherKey } from "../src/trust/index.ts";
import type { Upload } from "../src/upload/index.ts";

/** A component's header: enough for everything that does not run it. */
export const componentBytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

export interface MadePackage {
  readonly bundle: Uint8Array;
  readonly contentHash: ContentHash;
  readonly signature: string;
  readonly signer: BundleSigner;
  readonly name: string;
  readonly version: string;
}

export interface PackageToMake extends Partial<ManifestInput> {
  readonly signer?: BundleSigner;
  readonly files?: readonly BundleFile[];
  readonly component?: Uint8Array;
}

export const aPublisher: PublisherKey = newPublisherKey();

export async function makePackage(wanted: PackageToMake = {}): Promise<MadePackage> {
  const { signer = aPublisher, files = [], component = componentBytes, ...fields } = wanted;
  const publisher = publisherIdOf(signer);
  const manifest = {
    manifestVersion: 2,
    name: "org.example.greeter",
    version: "1.0.0",
    publisher: { id: publisher, name: "Example" },
    displayName: "Greeter",
    engine: "^1.0.0",
    ...fields,
  } satisfies ManifestInput;
  const all = [bundleFile("manifest.json", JSON.stringify(manifest)), bundleFile("extension.wasm", component), ...files];
  const { bundle, contentHash } = await packBundle(all);
  const { name, version } = manifest;
  const signature = signBundle({ contentHash, name, version, publisher }, signer);
  return { bundle, contentHash, signature, signer, name, version };
}

export interface Part {
  /** `undefined`: the part has no name. */
  readonly name: string | undefined;
  readonly bytes: Uint8Array | string;
  /** In place of Content-Disposition. */
  readonly head?: string;
}

const boundary = "althing-test-boundary";

export function multipartBytes(parts: readonly Part[], end = `--${boundary}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ name, bytes, head }) => [
    Buffer.from(`--${boundary}\r\n${head ?? `content-disposition: form-data; name="${name}"; filename="a;b \\"c\\".bin"`}\r\n\r\n`),
    Buffer.from(bytes),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(end)]);
}

/** Arrives in small pieces; `fail` ends it in the middle. */
export async function* inPieces(bytes: Uint8Array, size = 1_000, fail?: Error): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    if (fail !== undefined && at > bytes.length / 2) throw fail;
    yield bytes.subarray(at, at + size);
  }
}

export const uploadOf = (body: Uint8Array, size?: number): Upload => ({
  contentType: `multipart/form-data; boundary=${boundary}`,
  bytes: inPieces(body, size),
});

/** A bundle and, unless `null`, its signature. */
export function packageUpload({ bundle, signature }: Pick<MadePackage, "bundle"> & { readonly signature: string | null }): Upload {
  const parts = [{ name: "bundle", bytes: bundle }, ...(signature === null ? [] : [{ name: "signature", bytes: signature }])];
  return uploadOf(multipartBytes(parts));
}
