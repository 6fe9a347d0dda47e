/**
 * Certificate revocation lists beside the trust bundle (RFC 5280 §5, §6.3).
 *
 * Invariant: fail closed. Once an operator gives lists, every certificate below the anchor needs a current one that its own issuer signed; a list
 * that is expired, from the future, forged, partial (delta, distribution point, indirect) or has a critical part that we do not know counts for
 * nothing, and a certificate that any counting list names is revoked, whatever the reason or date beside it.
 */
import { AsnConvert } from "@peculiar/asn1-schema";
import { AuthorityKeyIdentifier, CertificateList, type Extension } from "@peculiar/asn1-x509";
import { verifyWithAlgorithm } from "./algorithms.ts";
import { type Certificate, hexOf, oids, parseExact } from "./certificate.ts";
import type { PemBlock } from "./pem.ts";
import { revoked } from "./trust-failure.ts";

export interface RevocationList {
  readonly issuer: string;
  readonly serials: ReadonlySet<string>;
  /** What makes the list useless by itself; `undefined` when nothing. */
  readonly flaw: string | undefined;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly authorityKeyId: string | undefined;
  isSignedBy(issuer: Certificate): boolean;
}

const deltaIndicator = "2.5.29.27";
const distributionPoint = "2.5.29.28";
const knownCritical: ReadonlySet<string> = new Set([oids.authorityKeyId]);

function flawIn(list: CertificateList): string | undefined {
  const { version, nextUpdate, crlExtensions = [], revokedCertificates = [], signature } = list.tbsCertList;
  const repeated = new Set(crlExtensions.map((extension) => extension.extnID)).size !== crlExtensions.length;
  const isUnknown = (extension: Extension) => extension.critical && !knownCritical.has(extension.extnID);
  if (version !== 1) return "it is not of version 2";
  if (nextUpdate === undefined) return "it does not say when the next one comes";
  if (repeated || crlExtensions.some(isUnknown)) return "it has a critical extension that is not known";
  if (crlExtensions.some(({ extnID }) => extnID === deltaIndicator || extnID === distributionPoint)) return "it is partial";
  if (revokedCertificates.some((entry) => (entry.crlEntryExtensions ?? []).some((extension) => extension.critical))) {
    return "an entry has a critical extension that is not known";
  }
  const isOneAlgorithm = hexOf(AsnConvert.serialize(signature)) === hexOf(AsnConvert.serialize(list.signatureAlgorithm));
  return isOneAlgorithm ? undefined : "it names two signature algorithms";
}

/** @throws Error when it is not one well-formed list */
export function readRevocationList({ der }: PemBlock): RevocationList {
  const list = parseExact(der, CertificateList);
  const { issuer, thisUpdate, nextUpdate, crlExtensions = [], revokedCertificates = [] } = list.tbsCertList;
  const raw = list.tbsCertListRaw;
  if (raw === undefined) throw new Error("it cannot be read");
  const keyId = crlExtensions.find(({ extnID }) => extnID === oids.authorityKeyId);
  const authorityKeyId = keyId === undefined ? undefined : parseExact(keyId.extnValue.buffer, AuthorityKeyIdentifier).keyIdentifier;
  return {
    issuer: hexOf(AsnConvert.serialize(issuer)),
    serials: new Set(revokedCertificates.map((entry) => hexOf(entry.userCertificate))),
    flaw: flawIn(list),
    thisUpdate: thisUpdate.getTime().getTime(),
    nextUpdate: nextUpdate?.getTime().getTime() ?? Number.NaN,
    authorityKeyId: authorityKeyId === undefined ? undefined : hexOf(authorityKeyId.buffer),
    isSignedBy: (signer) =>
      signer.keyUsage?.has("crlSign") === true &&
      verifyWithAlgorithm(list.signatureAlgorithm.algorithm, signer.key, new Uint8Array(raw), new Uint8Array(list.signature)),
  };
}

function flawAt(list: RevocationList, issuer: Certificate, nowMs: number): string | undefined {
  if (list.flaw !== undefined) return list.flaw;
  if (!(list.thisUpdate <= nowMs)) return "it is from the future";
  if (!(nowMs <= list.nextUpdate)) return "it is past its next update";
  if (list.authorityKeyId !== undefined && list.authorityKeyId !== issuer.subjectKeyId) return "it names another key of its issuer";
  return list.isSignedBy(issuer) ? undefined : "its issuer did not sign it";
}

/** @throws {trust.revoked} the certificate is on a list, or no current list covers it */
export function checkRevocation(lists: readonly RevocationList[], certificate: Certificate, issuer: Certificate, now: Date): void {
  let isCovered = false;
  let flaw = "no list of its issuer is there";
  for (const list of lists) {
    if (list.issuer !== certificate.issuer) continue;
    const found = flawAt(list, issuer, now.getTime());
    if (found !== undefined) {
      flaw = `the list of its issuer does not count: ${found}`;
    } else if (list.serials.has(certificate.serial)) {
      throw revoked(certificate.subjectText, "it is on its issuer's list");
    } else isCovered = true;
  }
  if (!isCovered) throw revoked(certificate.subjectText, flaw);
}
