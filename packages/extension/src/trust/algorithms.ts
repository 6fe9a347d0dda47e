/**
 * Keys and signature algorithms that count.
 *
 * Invariant: an allow-list. Ed25519, ECDSA on P-256 and P-384, RSA of 3,072 bits and up (what the CA/Browser Forum asks of code signing),
 * always with SHA-256 or better; the algorithm that a certificate names must fit the key that checks it. All else is unknown here, so a
 * weak one cannot be forgotten.
 */
import { type KeyObject, verify } from "node:crypto";

const rsaMinBits = 3_072;
const curves: Readonly<Record<string, string>> = { prime256v1: "sha256", secp384r1: "sha384" };

/** OID → key type and digest (`null`: the scheme has its own). RFC 8410, RFC 5758, RFC 4055. */
const signatureAlgorithms: Readonly<Record<string, { readonly keyType: string; readonly digest: string | null }>> = {
  "1.3.101.112": { keyType: "ed25519", digest: null },
  "1.2.840.10045.4.3.2": { keyType: "ec", digest: "sha256" },
  "1.2.840.10045.4.3.3": { keyType: "ec", digest: "sha384" },
  "1.2.840.10045.4.3.4": { keyType: "ec", digest: "sha512" },
  "1.2.840.113549.1.1.11": { keyType: "rsa", digest: "sha256" },
  "1.2.840.113549.1.1.12": { keyType: "rsa", digest: "sha384" },
  "1.2.840.113549.1.1.13": { keyType: "rsa", digest: "sha512" },
};

/** What is wrong with a public key; `undefined` when nothing is. */
export function weaknessOfKey(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return undefined;
    case "ec":
      return Object.hasOwn(curves, details.namedCurve ?? "") ? undefined : `its curve is ${details.namedCurve ?? "not a named one"}`;
    case "rsa":
      if ((details.modulusLength ?? 0) < rsaMinBits) return `its RSA key has ${details.modulusLength ?? 0} bits, fewer than ${rsaMinBits}`;
      return (details.publicExponent ?? 0n) < 65_537n ? "its RSA exponent is small" : undefined;
    default:
      return `its key is of kind ${key.asymmetricKeyType ?? "unknown"}`;
  }
}

/** Is the algorithm one that counts? */
export function isKnownAlgorithm(oid: string): boolean {
  return Object.hasOwn(signatureAlgorithms, oid);
}

/** Checks a signature as X.509 structures carry it: the algorithm by OID, ECDSA in DER. */
export function verifyWithAlgorithm(oid: string, key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = isKnownAlgorithm(oid) ? signatureAlgorithms[oid] : undefined;
  if (algorithm === undefined || algorithm.keyType !== key.asymmetricKeyType || weaknessOfKey(key) !== undefined) return false;
  return safeVerify(algorithm.digest, key, bytes, signature);
}

/** The one digest that envelopes use with a key. */
export function digestForKey(key: KeyObject): string | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  return curves[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "sha256";
}

export function verifyWithKey(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  return weaknessOfKey(key) === undefined && safeVerify(digestForKey(key), key, bytes, signature);
}

/** OpenSSL answers some malformed signatures with an error instead of "no". */
function safeVerify(digest: string | null, key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(digest, bytes, key, signature);
  } catch {
    return false;
  }
}
