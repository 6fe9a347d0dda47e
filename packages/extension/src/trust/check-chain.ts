/**
 * The strict chain check: from a signer's certificate to an anchor of this instance.
 *
 * Invariant: every rule below holds at once for every certificate of the accepted chain, at one moment. It is ours because the libraries
 * accept wrong extended key usage, unknown critical extensions, broken path lengths and issuers that are no authorities; it is held to a set of vectors.
 * Search and judgement are apart: a wrong path is dropped and another tried, within a budget, so a pool of look-alikes ends. RFC 5280 §6.1 with the
 * stricter profile of docs/architecture/trust.md.
 */
import { isAppError } from "@althing/contract";
import { isKnownAlgorithm, weaknessOfKey } from "./algorithms.ts";
import { type Certificate, isSelfIssued, oids } from "./certificate.ts";
import { constraintBrokenBy } from "./name-constraints.ts";
import { checkRevocation } from "./revocation.ts";
import type { TrustStore } from "./trust-store.ts";
import { untrusted } from "./trust-failure.ts";

/** Certificates of a chain, anchor included. */
const maxChainLength = 8;
/** Signatures checked for one verdict. */
const maxAttempts = 64;

const evaluated: ReadonlySet<string> = new Set([
  oids.keyUsage,
  oids.subjectAltName,
  oids.basicConstraints,
  oids.nameConstraints,
  oids.extendedKeyUsage,
]);

type Rule = (certificate: Certificate) => string | false | undefined;

/** Each gives what is wrong, or nothing. */
const rulesForAll: readonly Rule[] = [
  ({ version }) => version !== 3 && "is not of version 3",
  ({ serial }) => (serial.length > 40 || /^(?:[89a-f]|(?:00)*$)/.test(serial)) && "has no positive serial number of 20 bytes at most",
  ({ extensions }) => new Set(extensions.map(({ oid }) => oid)).size !== extensions.length && "has an extension twice",
  ({ extensions }) => {
    const unknown = extensions.find(({ oid, critical }) => critical && !evaluated.has(oid));
    return unknown !== undefined && `has the critical extension ${unknown.oid}, which is not evaluated`;
  },
  ({ key }) => weaknessOfKey(key),
  ({ signatureOid }) => !isKnownAlgorithm(signatureOid) && `is signed with the algorithm ${signatureOid}, which does not count`,
  ({ hasOneSignatureAlgorithm }) => !hasOneSignatureAlgorithm && "names two signature algorithms",
  ({ alternativeNames }) => alternativeNames?.length === 0 && "has an empty list of names",
];

const rulesForAuthorities: readonly Rule[] = [
  ({ basicConstraints }) => basicConstraints?.cA !== true && "is no authority",
  ({ extensions }) =>
    !extensions.some(({ oid, critical }) => oid === oids.basicConstraints && critical) && "has basic constraints that are not critical",
  ({ keyUsage }) => keyUsage?.has("keyCertSign") !== true && "may not sign certificates",
  ({ extendedKeyUsage: usages }) =>
    usages !== undefined && !usages.includes(oids.codeSigning) && !usages.includes(oids.anyExtendedKeyUsage) && "is not for code signing",
  ({ subjectNames }) => subjectNames.length === 0 && "has no name",
  ({ subjectKeyId }) => subjectKeyId === undefined && "has no subject key identifier",
];

const rulesForSigners: readonly Rule[] = [
  ({ basicConstraints }) => basicConstraints?.cA === true && "is an authority, not a signer",
  ({ basicConstraints }) => basicConstraints?.pathLenConstraint !== undefined && "has a path length without being an authority",
  ({ keyUsage }) => keyUsage?.has("digitalSignature") !== true && "is not for digital signatures",
  ({ keyUsage }) => keyUsage?.has("keyCertSign") === true && "may sign certificates without being an authority",
  ({ extendedKeyUsage: usages }) => usages?.includes(oids.codeSigning) !== true && "is not for code signing",
  ({ nameConstraints }) => nameConstraints !== undefined && "has name constraints without being an authority",
  ({ subjectNames }) => subjectNames.length === 0 && "has no name",
];

function checkRules(certificate: Certificate, rules: readonly Rule[]): void {
  for (const rule of rules) {
    const fault = rule(certificate);
    if (typeof fault === "string") throw untrusted(`${certificate.subjectText} ${fault}`);
  }
}

function checkTime(certificate: Certificate, now: Date): void {
  if (!(certificate.notBefore.getTime() <= now.getTime())) throw untrusted(`${certificate.subjectText} is not valid yet`);
  if (!(now.getTime() <= certificate.notAfter.getTime())) throw untrusted(`${certificate.subjectText} has expired`);
}

function checkPathLength(path: readonly Certificate[], index: number): void {
  const allowed = path[index]?.basicConstraints?.pathLenConstraint;
  const between = path.slice(1, index).filter((certificate) => !isSelfIssued(certificate)).length;
  if (allowed !== undefined && between > allowed)
    throw untrusted(`${path[index]?.subjectText ?? ""} allows ${allowed} authorities below it`);
}

/** @param path the signer first, the anchor last */
function checkPath(path: readonly Certificate[], store: TrustStore, now: Date): void {
  for (const [index, certificate] of path.entries()) {
    checkRules(certificate, rulesForAll);
    checkTime(certificate, now);
    if (index === 0) checkRules(certificate, rulesForSigners);
    else {
      checkRules(certificate, rulesForAuthorities);
      checkPathLength(path, index);
    }
    for (const [below, other] of path.slice(0, index).entries()) {
      const fault = below > 0 && isSelfIssued(other) ? undefined : constraintBrokenBy(certificate, other);
      if (fault !== undefined) throw untrusted(fault);
    }
  }
  const lists = store.revocationLists;
  if (lists === undefined) return;
  for (const [index, certificate] of path.slice(0, -1).entries()) {
    const issuer = path[index + 1];
    if (issuer !== undefined) checkRevocation(lists, certificate, issuer, now);
  }
}

/** Names fit, and the key identifiers that tell keys of one name apart are there and equal. */
function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  return (
    certificate.issuer === issuer.subject && certificate.authorityKeyId !== undefined && certificate.authorityKeyId === issuer.subjectKeyId
  );
}

/**
 * @param pool intermediates in any order; what does not fit is left aside
 * @returns the chain, signer first, anchor last
 * @throws {trust.untrusted_signer} no chain to an anchor holds @throws {trust.revoked}
 */
export function checkChain(signer: Certificate, pool: readonly Certificate[], store: TrustStore, now: Date): readonly Certificate[] {
  checkRules(signer, [...rulesForAll, ...rulesForSigners]);
  checkTime(signer, now);
  const anchors = new Set(store.anchors);
  const candidates = [...store.anchors, ...store.intermediates, ...pool];
  let attempts = 0;
  let fault: unknown = untrusted(`no chain leads from ${signer.subjectText} to an anchor of this instance`);

  function judge(path: readonly Certificate[]): boolean {
    try {
      checkPath(path, store, now);
      return true;
    } catch (error) {
      if (!isAppError(error)) throw error;
      fault = error;
      return false;
    }
  }

  function search(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const last = path[path.length - 1] ?? signer;
    for (const issuer of candidates) {
      if (!mayHaveIssued(issuer, last) || path.some((other) => other.sha256 === issuer.sha256)) continue;
      if (++attempts > maxAttempts) throw untrusted(`more than ${maxAttempts} certificates would have to be tried`);
      if (!last.isSignedBy(issuer.key)) {
        if (!isKnownAlgorithm(last.signatureOid))
          fault = untrusted(`${last.subjectText} is signed with the algorithm ${last.signatureOid}`);
        continue;
      }
      const longer = [...path, issuer];
      const found = anchors.has(issuer)
        ? judge(longer)
          ? longer
          : undefined
        : longer.length < maxChainLength
          ? search(longer)
          : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  const found = search([signer]);
  if (found === undefined) throw fault;
  return found;
}
