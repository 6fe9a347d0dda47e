/**
 * Certificates for tests, made at run time: no key of anything is kept in the repository.
 *
 * Invariant: the maker signs whatever it is told, wrong things too; @peculiar/x509's builder checks nothing, which is why the strict check is ours.
 */
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

export interface MadeAuthority {
  readonly certificate: X509Certificate;
  readonly keys: CryptoKeyPair;
}

export interface CertificateToMake {
  readonly name: string;
  readonly issuer?: MadeAuthority;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly extensions?: readonly Extension[];
  readonly keys?: CryptoKeyPair;
}

let serial = 4_096;

export async function newKeys(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
}

export async function makeCertificate(wanted: CertificateToMake): Promise<MadeAuthority> {
  const { name, issuer, isAuthority = false, notBefore = "2026-01-01", notAfter = "2030-01-01", extensions = [] } = wanted;
  const keys = wanted.keys ?? (await newKeys());
  const usage = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: (++serial).toString(16),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new BasicConstraintsExtension(isAuthority, wanted.pathLength, true),
      new KeyUsagesExtension(usage, true),
      ...(isAuthority ? [] : [new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.3"])]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      await AuthorityKeyIdentifierExtension.create((issuer?.keys ?? keys).publicKey, false, crypto),
      ...extensions,
    ],
  });
  return { certificate, keys };
}

export async function makeRevocationList(
  issuer: MadeAuthority,
  serials: readonly string[],
  thisUpdate: string,
  nextUpdate: string,
): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(thisUpdate),
    nextUpdate: new Date(nextUpdate),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(thisUpdate) })),
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: { name: "Ed25519" },
  });
  // RFC 7468 names the block so; the library leaves the first word out.
  return list.toString("pem").replaceAll(" CRL-----", " X509 CRL-----");
}

export async function privatePemOf(keys: CryptoKeyPair): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return `-----BEGIN ${"PRIVATE"} KEY-----\n${pkcs8}\n-----END ${"PRIVATE"} KEY-----\n`;
}

export { CRLDistributionPointsExtension, Extension } from "@peculiar/x509";
