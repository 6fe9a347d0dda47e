/**
 * Name constraints of an authority (RFC 5280 §4.2.1.10) over the names of a certificate below it.
 *
 * Invariant: mail, DNS, URI and directory names are compared; a constraint of any other kind refuses every certificate that has a name
 * of that kind, and a subtree with a distance other than the default refuses all. The subject's e-mail attribute counts as a mail name, and a
 * common name that looks like a host counts as a DNS name when there is none, as OpenSSL does.
 */
import type { GeneralName, GeneralSubtree } from "@peculiar/asn1-x509";
import { type Certificate, oids, relativeNames } from "./certificate.ts";

type Kind = "dns" | "mail" | "uri" | "directory" | "other";

interface CheckedName {
  readonly kind: Kind;
  /** Kinds of "other" are told apart by this. */
  readonly detail: string;
  readonly text: string;
  readonly directory?: readonly string[];
}

function checkedName(name: GeneralName): CheckedName {
  if (name.dNSName !== undefined) return { kind: "dns", detail: "", text: name.dNSName.toLowerCase() };
  if (name.rfc822Name !== undefined) return { kind: "mail", detail: "", text: name.rfc822Name };
  if (name.uniformResourceIdentifier !== undefined) return { kind: "uri", detail: "", text: name.uniformResourceIdentifier };
  if (name.directoryName !== undefined) return { kind: "directory", detail: "", text: "", directory: relativeNames(name.directoryName) };
  const detail = Object.entries(name).find(([, value]) => value !== undefined)?.[0] ?? "unknown";
  return { kind: "other", detail, text: "" };
}

function hostOf(uri: string): string {
  return URL.canParse(uri) ? new URL(uri).hostname.toLowerCase() : "";
}

/** A constraint `example.org` covers the host and all below it; of mail and URI the host itself, with a leading dot only what is below. */
function isHostWithin(host: string, base: string): boolean {
  return base.startsWith(".") ? host.endsWith(base) : host === base;
}

function isMailWithin(address: string, base: string): boolean {
  const at = address.lastIndexOf("@");
  const host = address.slice(at + 1).toLowerCase();
  if (!base.includes("@")) return isHostWithin(host, base.toLowerCase());
  const baseAt = base.lastIndexOf("@");
  return address.slice(0, at) === base.slice(0, baseAt) && host === base.slice(baseAt + 1).toLowerCase();
}

function isWithin(name: CheckedName, base: CheckedName): boolean {
  switch (name.kind) {
    case "dns":
      return base.text === "" || name.text === base.text || name.text.endsWith(base.text.startsWith(".") ? base.text : `.${base.text}`);
    case "mail":
      return base.text === "" || isMailWithin(name.text, base.text);
    case "uri":
      return base.text === "" || isHostWithin(hostOf(name.text), base.text.toLowerCase());
    case "directory":
      return (base.directory ?? []).every((rdn, index) => name.directory?.[index] === rdn);
    case "other":
      return false;
  }
}

function namesOf(certificate: Certificate): CheckedName[] {
  const names = (certificate.alternativeNames ?? []).map(checkedName);
  if (certificate.subjectNames.length > 0) names.push({ kind: "directory", detail: "", text: "", directory: certificate.subjectNames });
  const hasDns = names.some((name) => name.kind === "dns");
  for (const { type, value } of certificate.subjectAttributes) {
    if (type === oids.emailAddress) names.push({ kind: "mail", detail: "", text: value });
    const looksLikeHost = /^(?:[a-z0-9_*](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z0-9-]+\.?$/i.test(value);
    if (type === oids.commonName && !hasDns && looksLikeHost) names.push({ kind: "dns", detail: "", text: value.toLowerCase() });
  }
  return names;
}

function hasDistance(subtree: GeneralSubtree): boolean {
  return subtree.minimum !== 0 || subtree.maximum !== undefined;
}

/** What the authority's constraints say against a certificate below it; `undefined` when nothing. */
export function constraintBrokenBy(authority: Certificate, certificate: Certificate): string | undefined {
  const constraints = authority.nameConstraints;
  if (constraints === undefined) return undefined;
  const permitted = [...(constraints.permittedSubtrees ?? [])];
  const excluded = [...(constraints.excludedSubtrees ?? [])];
  if (permitted.length + excluded.length === 0 || [...permitted, ...excluded].some(hasDistance)) {
    return `${authority.subjectText} has name constraints that cannot be evaluated`;
  }
  const matching = (subtrees: readonly GeneralSubtree[], name: CheckedName) =>
    subtrees.map((subtree) => checkedName(subtree.base)).filter((base) => base.kind === name.kind && base.detail === name.detail);
  for (const name of namesOf(certificate)) {
    const bases = matching(permitted, name);
    const isPermitted = bases.length === 0 || bases.some((base) => isWithin(name, base));
    const barred = matching(excluded, name);
    const isExcluded = barred.some((base) => name.kind === "other" || isWithin(name, base));
    if (!isPermitted || isExcluded) return `a name of ${certificate.subjectText} is outside of what ${authority.subjectText} may certify`;
  }
  return undefined;
}
