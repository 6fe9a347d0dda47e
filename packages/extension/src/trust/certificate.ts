/**
 * One X.509 certificate, read into what the chain check asks for.
 *
 * Invariant: reading judges form only (DER without rest, known shapes of the extensions we evaluate); whether it may stand in a chain is decided in
 * `check-chain.ts`. Two independent parsers must both take it: OpenSSL's, which gives key and subject, and @peculiar/asn1-x509, which gives the
 * extensions as they were written. RFC 5280.
 */
import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate as AsnCertificate,
  ExtendedKeyUsage,
  type GeneralName,
  KeyUsage,
  type KeyUsageType,
  type Name,
  NameConstraints,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { isOneDerValue, type PemBlock } from "./pem.ts";
import { verifyWithAlgorithm } from "./algorithms.ts";

export const oids = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  anyExtendedKeyUsage: "2.5.29.37.0",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  emailAddress: "1.2.840.113549.1.9.1",
  commonName: "2.5.4.3",
} as const;

export interface Certificate {
  /** RFC 2253 text, for people and for the signer's id. */
  readonly subjectText: string;
  /** DER of the names, hexadecimal: compared byte for byte. */
  readonly subject: string;
  readonly issuer: string;
  /** The subject's relative names, each in the one text that equal names share (`relativeNames`). */
  readonly subjectNames: readonly string[];
  readonly subjectAttributes: readonly { readonly type: string; readonly value: string }[];
  readonly serial: string;
  readonly sha256: string;
  readonly version: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: KeyObject;
  readonly signatureOid: string;
  readonly hasOneSignatureAlgorithm: boolean;
  /** All extensions in order: OID and whether critical. */
  readonly extensions: readonly { readonly oid: string; readonly critical: boolean }[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsageType> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  readonly alternativeNames: readonly GeneralName[] | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  isSignedBy(key: KeyObject): boolean;
}

export function hexOf(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString("hex");
}

export function parseExact<T>(der: ArrayBuffer | Uint8Array, type: new () => T): T {
  const bytes = Buffer.from(bytesOf(der));
  if (!isOneDerValue(bytes)) throw new Error("not one DER value");
  return AsnConvert.parse(bytes, type);
}

function bytesOf(der: ArrayBuffer | Uint8Array): Uint8Array {
  return der instanceof Uint8Array ? der : new Uint8Array(der);
}

/** `undefined` for a part of the validity that cannot be read fails closed: it compares false with everything. */
function timeOf(read: () => Date): Date {
  try {
    return read();
  } catch {
    return new Date(Number.NaN);
  }
}

/** @throws Error when it is not one well-formed certificate; callers say whose it is */
export function readCertificate({ der }: PemBlock): Certificate {
  const opened = new X509Certificate(der);
  if (!opened.raw.equals(der)) throw new Error("bytes follow the certificate, or it is not in DER");
  const asn = parseExact(der, AsnCertificate);
  const tbs = asn.tbsCertificate;
  const raw = asn.tbsCertificateRaw;
  if (raw === undefined) throw new Error("it cannot be read");
  const list = tbs.extensions ?? [];
  const read = <T>(oid: string, type: new () => T): T | undefined => {
    const found = list.find((extension) => extension.extnID === oid);
    return found === undefined ? undefined : parseExact(found.extnValue.buffer, type);
  };
  const keyUsage = read(oids.keyUsage, KeyUsage);
  const keyId = read(oids.subjectKeyId, SubjectKeyIdentifier);
  const authorityKeyId = read(oids.authorityKeyId, AuthorityKeyIdentifier)?.keyIdentifier;
  const extendedKeyUsage = read(oids.extendedKeyUsage, ExtendedKeyUsage);
  const alternativeNames = read(oids.subjectAltName, SubjectAlternativeName);
  return {
    subjectText: opened.subject?.split("\n").join(", ") ?? "",
    subject: hexOf(AsnConvert.serialize(tbs.subject)),
    issuer: hexOf(AsnConvert.serialize(tbs.issuer)),
    subjectNames: relativeNames(tbs.subject),
    subjectAttributes: tbs.subject.flatMap((rdn) => rdn.map(({ type, value }) => ({ type, value: value.toString() }))),
    serial: hexOf(tbs.serialNumber),
    sha256: createHash("sha256").update(der).digest("hex"),
    version: tbs.version + 1,
    notBefore: timeOf(() => tbs.validity.notBefore.getTime()),
    notAfter: timeOf(() => tbs.validity.notAfter.getTime()),
    key: opened.publicKey,
    signatureOid: asn.signatureAlgorithm.algorithm,
    hasOneSignatureAlgorithm: hexOf(AsnConvert.serialize(asn.signatureAlgorithm)) === hexOf(AsnConvert.serialize(tbs.signature)),
    extensions: list.map(({ extnID, critical }) => ({ oid: extnID, critical })),
    basicConstraints: read(oids.basicConstraints, BasicConstraints),
    keyUsage: keyUsage === undefined ? undefined : new Set(keyUsage.toJSON()),
    extendedKeyUsage: extendedKeyUsage === undefined ? undefined : [...extendedKeyUsage],
    subjectKeyId: keyId === undefined ? undefined : hexOf(keyId.buffer),
    authorityKeyId: authorityKeyId === undefined ? undefined : hexOf(authorityKeyId.buffer),
    alternativeNames: alternativeNames === undefined ? undefined : [...alternativeNames],
    nameConstraints: read(oids.nameConstraints, NameConstraints),
    isSignedBy: (key) =>
      verifyWithAlgorithm(asn.signatureAlgorithm.algorithm, key, new Uint8Array(raw), new Uint8Array(asn.signatureValue)),
  };
}

/**
 * A name as texts that compare equal where RFC 5280 §7.1 says so: kind of string, case and runs of spaces make no difference. For constraints
 * only, where comparing bytes would let an excluded name come back in another string type.
 */
export function relativeNames(name: Name): string[] {
  const textOf = (value: string) => value.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  return name.map((rdn) =>
    rdn
      .map(({ type, value }) => `${type}=${textOf(value.toString())}`)
      .toSorted()
      .join("\0"),
  );
}

export function isSelfIssued(certificate: Certificate): boolean {
  return certificate.subject === certificate.issuer;
}
