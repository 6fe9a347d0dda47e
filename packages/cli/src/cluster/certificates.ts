/**
 * A cluster's two authorities and the certificates of its nodes.
 *
 * Invariant: one authority vouches for what clients meet, another for who is a node: a certificate of the first opens no route. Each signs end
 * certificates only (`pathLen 0`). ECDSA P-256, because Ed25519 certificates are refused by common TLS libraries. Serials are short, random and
 * positive. An authority lasts ten years, a certificate two; `cluster init --authority` makes new ones for the same cluster.
 */
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
const authorityDays = 3_650;
const leafDays = 730;
/** Clocks of machines differ; a certificate made now is valid on one that is behind. */
const backdateMs = 3_600_000;

export interface PemPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Authority extends PemPair {
  readonly certificate: X509Certificate;
  readonly key: CryptoKey;
}

export type LeafUse = "server" | "route";

/** 64 bits, the first of them zero: a longer number would be negative or padded. */
function newSerial(): string {
  const bytes = randomBytes(8);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

/** A name in a subject is text, never syntax: what could end it is not in the grammar of nodes and clusters. */
function subjectOf(name: string): string {
  if (!/^[A-Za-z0-9 .:-]{1,128}$/.test(name)) throw new TypeError("not a name for a certificate");
  return `CN=${name}`;
}

function validity(nowMs: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - backdateMs), notAfter: new Date(nowMs + days * dayMs) };
}

async function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function keyPemOf(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

const certPemOf = (certificate: X509Certificate): string => `${certificate.toString("pem")}\n`;

/** @param name as it shows in a certificate's issuer */
export async function makeAuthority(name: string, nowMs: number): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: newSerial(), name: subjectOf(name), keys, signingAlgorithm: algorithm, ...validity(nowMs, authorityDays) },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: certPemOf(certificate), keyPem: await keyPemOf(keys.privateKey), certificate, key: keys.privateKey };
}

/** @throws {Error} it is no certificate of an authority with its key */
export async function readAuthority({ certPem, keyPem }: PemPair): Promise<Authority> {
  const certificate = new X509Certificate(certPem);
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) throw new Error("the certificate is no authority's");
  const key = await crypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(keyPem), algorithm, true, ["sign"]);
  const probe = new TextEncoder().encode("althing");
  const signature = await crypto.subtle.sign(algorithm, key, probe);
  const publicKey = await certificate.publicKey.export(algorithm, ["verify"]);
  if (!(await crypto.subtle.verify(algorithm, publicKey, signature, probe))) throw new Error("key and certificate do not belong together");
  return { certPem, keyPem, certificate, key };
}

export interface LeafOptions {
  readonly name: string;
  /** DNS names and IP addresses, as they are dialled. */
  readonly hosts: readonly string[];
  readonly use: LeafUse;
  readonly nowMs: number;
}

const usesOf: Readonly<Record<LeafUse, readonly ExtendedKeyUsage[]>> = {
  server: [ExtendedKeyUsage.serverAuth],
  // A route is dialled by either side.
  route: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
};

export async function issueCertificate(authority: Authority, { name, hosts, use, nowMs }: LeafOptions): Promise<PemPair> {
  const keys = await newKeys();
  const names = [...new Set(hosts.map((host) => host.replace(/^\[|\]$/g, "")))];
  const certificate = await X509CertificateGenerator.create({
    ...{ serialNumber: newSerial(), subject: subjectOf(name), issuer: authority.certificate.subject },
    ...{ publicKey: keys.publicKey, signingKey: authority.key, signingAlgorithm: algorithm, ...validity(nowMs, leafDays) },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...usesOf[use]]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  return { certPem: certPemOf(certificate), keyPem: await keyPemOf(keys.privateKey) };
}
