/**
 * `index.json` of a static registry: what it offers, signed as a whole, with a number that only rises and a day on which it ends.
 *
 * Invariant: the three attacks on such a list have each their refusal: an older list (rollback), a list that never changes (freeze), files of other lists
 * (mix-and-match: every entry names its content hash). The payload type is its own, so that a signature over a bundle is never one over a list.
 * A list is judged by the trust store of this instance, and per address by what was seen there before. docs/architecture/registry.md.
 */
import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { AppError, contentHashSchema, extensionIdSchema, hasCode } from "@althing/contract";
import semver from "semver";
import { z } from "zod";
import { digestForKey } from "../trust/algorithms.ts";
import { readCertificate } from "../trust/certificate.ts";
import { checkChain } from "../trust/check-chain.ts";
import { isEnvelopeSignedBy, preAuthenticationEncoding, readEnvelope, type Envelope } from "../trust/envelope.ts";
import { parsePem } from "../trust/pem.ts";
import { publisherIdOf, type BundleSigner } from "../trust/sign-bundle.ts";
import { keyIdOf, type TrustStore } from "../trust/trust-store.ts";

export const registryIndexType = "application/vnd.althing.registry-index.v1+json";
export const registryIndexMaxBytes = 4 * 1024 * 1024;
/** Certificates of the signer. */
const chainMax = 16;

/** Beside the index or below it; nothing that leads elsewhere. */
const pathSchema = z
  .string()
  .max(500)
  .regex(/^(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*$/, "must be a relative path of plain segments");

export const registryIndexEntrySchema = z.strictObject({
  name: extensionIdSchema,
  version: z
    .string()
    .max(64)
    .refine((text) => semver.valid(text) === text, "must be a semantic version"),
  contentHash: contentHashSchema,
  bytes: z.int().positive().describe("Of the bundle's file"),
  path: pathSchema,
  signature: pathSchema,
  yanked: z.string().min(1).max(300).optional(),
});

export const registryIndexSchema = z
  .strictObject({ version: z.int().positive(), expires: z.iso.datetime(), packages: z.array(registryIndexEntrySchema).max(10_000) })
  .refine(
    ({ packages }) => new Set(packages.map(({ name, version }) => `${name} ${version}`)).size === packages.length,
    "names a version twice",
  );
export type RegistryIndex = z.infer<typeof registryIndexSchema>;
export type RegistryIndexInput = z.input<typeof registryIndexSchema>;
export type RegistryIndexEntry = RegistryIndex["packages"][number];

/** What was last seen at an address. */
export interface IndexPin {
  readonly version: number;
  /** sha256 of the payload, hexadecimal. */
  readonly digest: string;
  readonly signer: string;
}

export interface VerifiedIndex {
  readonly index: RegistryIndex;
  readonly pin: IndexPin;
}

function invalid(detail: string, cause?: unknown): AppError<"registry.index_invalid"> {
  return new AppError("registry.index_invalid", { detail }, cause === undefined ? {} : { cause });
}

/**
 * The text of `index.json`.
 * @throws {registry.index_invalid} the index is not of its form @throws {trust.malformed} the key or chain cannot be used
 */
export function signRegistryIndex(input: RegistryIndexInput, signer: BundleSigner): string {
  const parsed = registryIndexSchema.safeParse(input);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  // Refuses weak keys and chains of another key.
  publisherIdOf(signer);
  const key = createPrivateKey(signer.privateKeyPem);
  const payload = Buffer.from(JSON.stringify(parsed.data));
  const sig = sign(digestForKey(key), preAuthenticationEncoding(registryIndexType, payload), key).toString("base64");
  const envelope = {
    payloadType: registryIndexType,
    payload: payload.toString("base64"),
    signatures: [{ keyid: keyIdOf(createPublicKey(key)), sig }],
    ...(signer.chainPem === undefined ? {} : { chain: signer.chainPem }),
  };
  return `${JSON.stringify(envelope, null, 2)}\n`;
}

/** The same id of a signer as for bundles (trust.md). */
function signerOf(envelope: Envelope, trust: TrustStore, now: Date): string {
  if (envelope.chain.trim() === "") {
    const key = trust.publisherKeys.find((trusted: KeyObject) => isEnvelopeSignedBy(envelope, trusted));
    if (key === undefined) throw invalid("no key that this instance trusts signed it");
    return keyIdOf(key);
  }
  const blocks = parsePem(envelope.chain, ["CERTIFICATE"], invalid);
  if (blocks.length > chainMax) throw invalid(`its chain has more than ${chainMax} certificates`);
  const [signer, ...pool] = blocks.map(readCertificate);
  if (signer === undefined || !isEnvelopeSignedBy(envelope, signer.key))
    throw invalid("it is not signed by the first certificate of its chain");
  const chain = checkChain(signer, pool, trust, now);
  return `x509:${keyIdOf((chain.at(-1) ?? signer).key)}:${signer.subjectText}`;
}

/** May the signer that was seen last still sign anything here? If not, an admin took it away, and another may follow. */
function isStillTrusted(signer: string, { publisherKeys, anchors }: TrustStore): boolean {
  return publisherKeys.some((key) => keyIdOf(key) === signer) || anchors.some(({ key }) => signer.startsWith(`x509:${keyIdOf(key)}:`));
}

function openPayload(file: Uint8Array, trust: TrustStore, now: Date): { payload: Buffer; signer: string; index: RegistryIndex } {
  if (file.length > registryIndexMaxBytes) throw invalid(`it has more than ${registryIndexMaxBytes} bytes`);
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const envelope = readEnvelope(JSON.parse(decoder.decode(file)));
    if (envelope.payloadType !== registryIndexType) throw invalid("it is signed as something else");
    const signer = signerOf(envelope, trust, now);
    const { payload } = envelope;
    return { payload, signer, index: registryIndexSchema.parse(JSON.parse(decoder.decode(payload))) };
  } catch (error) {
    if (hasCode(error, "registry.index_invalid")) throw error;
    throw invalid(error instanceof AppError ? error.message : "it is no signed index", error);
  }
}

/**
 * @param seen what was last taken from this address
 * @throws {registry.index_invalid} {registry.index_stale} {registry.index_rolled_back}
 */
export function verifyRegistryIndex(
  file: Uint8Array,
  check: { readonly trust: TrustStore; readonly nowMs: number; readonly seen?: IndexPin | undefined },
): VerifiedIndex {
  const { trust, nowMs, seen } = check;
  const { payload, signer, index } = openPayload(file, trust, new Date(nowMs));
  const digest = createHash("sha256").update(payload).digest("hex");
  if (seen !== undefined) {
    if (seen.signer !== signer && isStillTrusted(seen.signer, trust))
      throw invalid(`it is signed by ${signer}, before it was ${seen.signer}, which is still trusted`);
    if (index.version < seen.version) throw new AppError("registry.index_rolled_back", { expected: seen.version, observed: index.version });
    if (index.version === seen.version && digest !== seen.digest) throw invalid(`its version ${index.version} was seen with other content`);
  }
  if (Date.parse(index.expires) <= nowMs) throw new AppError("registry.index_stale", { expires: index.expires });
  return { index, pin: { version: index.version, digest, signer } };
}
