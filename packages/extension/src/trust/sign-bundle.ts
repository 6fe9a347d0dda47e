/**
 * The author's side: publisher keys and signature files.
 *
 * Invariant: what is written here is what `verifyBundle` takes, and the publisher in the statement is the one that the key or certificate gives, so that
 * an author cannot sign for a name that verification would refuse. Private keys are PKCS #8 PEM and go to no log.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { weaknessOfKey } from "./algorithms.ts";
import { readCertificate } from "./certificate.ts";
import { writeEnvelope } from "./envelope.ts";
import { parsePem } from "./pem.ts";
import { type BundleStatement, encodeStatement } from "./statement.ts";
import { malformedSignature } from "./trust-failure.ts";
import { keyIdOf } from "./trust-store.ts";

export interface PublisherKey {
  /** PKCS #8 PEM; keep it in a file of mode 0600. */
  readonly privateKeyPem: string;
  /** SubjectPublicKeyInfo PEM: what an operator puts into the trust bundle. */
  readonly publicKeyPem: string;
  readonly publisherId: string;
}

export function newPublisherKey(): PublisherKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    publicKeyPem: publicKey.export({ format: "pem", type: "spki" }).toString(),
    publisherId: keyIdOf(publicKey),
  };
}

export interface BundleSigner {
  readonly privateKeyPem: string;
  /** PEM certificates, the signer's own first; leave it out for a bare publisher key. */
  readonly chainPem?: string;
}

function openSigner({ privateKeyPem, chainPem }: BundleSigner): { key: KeyObject; publisherId: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey(privateKeyPem);
  } catch {
    throw malformedSignature("the private key cannot be read");
  }
  const publicKey = createPublicKey(key);
  const weakness = weaknessOfKey(publicKey);
  if (weakness !== undefined) throw malformedSignature(weakness);
  if (chainPem === undefined) {
    if (publicKey.asymmetricKeyType !== "ed25519") throw malformedSignature("a publisher's own key is an Ed25519 key");
    return { key, publisherId: keyIdOf(publicKey) };
  }
  const [first] = parsePem(chainPem, ["CERTIFICATE"], malformedSignature);
  if (first === undefined) throw malformedSignature("the chain has no certificate");
  const certificate = readCertificate(first);
  if (!certificate.key.equals(publicKey)) throw malformedSignature("the first certificate is of another key");
  return { key, publisherId: `x509:${certificate.subjectText}` };
}

/** What the manifest of a bundle must name as its publisher. @throws {trust.malformed} */
export function publisherIdOf(signer: BundleSigner): string {
  return openSigner(signer).publisherId;
}

/**
 * The text of `<bundle>.sig.json`.
 * @throws {trust.malformed} the key or chain cannot be used, or the statement names another publisher
 */
export function signBundle(statement: BundleStatement, signer: BundleSigner): string {
  const { key, publisherId } = openSigner(signer);
  if (statement.publisher !== publisherId)
    throw malformedSignature(`the manifest names the publisher ${statement.publisher}, the key is ${publisherId}`);
  return writeEnvelope(encodeStatement(statement), key, keyIdOf(createPublicKey(key)), signer.chainPem);
}
