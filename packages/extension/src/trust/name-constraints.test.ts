import { AsnConvert } from "@peculiar/asn1-schema";
import {
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  Name as nameType,
  NameConstraints,
  SubjectAlternativeName,
} from "@peculiar/asn1-x509";
import { beforeAll, expect, test } from "vitest";
import { Extension, makeCertificate, newKeys } from "../../test/certificate-maker.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { constraintBrokenBy } from "./name-constraints.ts";

type NameValue = Partial<GeneralName>;

const subtrees = (names: readonly NameValue[]) =>
  new GeneralSubtrees(names.map((name) => new GeneralSubtree({ base: new GeneralName(name) })));

let keys: CryptoKeyPair;
beforeAll(async () => {
  keys = await newKeys();
});

async function authority(permitted: readonly NameValue[], excluded: readonly NameValue[]): Promise<Certificate> {
  const constraints = new NameConstraints({
    ...(permitted.length > 0 ? { permittedSubtrees: subtrees(permitted) } : {}),
    ...(excluded.length > 0 ? { excludedSubtrees: subtrees(excluded) } : {}),
  });
  const extension = new Extension("2.5.29.30", true, AsnConvert.serialize(constraints));
  const made = await makeCertificate({ name: "Authority", isAuthority: true, keys, extensions: [extension] });
  return readCertificate({ label: "CERTIFICATE", der: Buffer.from(made.certificate.rawData) });
}

async function holder(name: string, names: readonly NameValue[]): Promise<Certificate> {
  const list = new SubjectAlternativeName(names.map((one) => new GeneralName(one)));
  const extensions = names.length > 0 ? [new Extension("2.5.29.17", false, AsnConvert.serialize(list))] : [];
  const made = await makeCertificate({ name, keys, extensions });
  return readCertificate({ label: "CERTIFICATE", der: Buffer.from(made.certificate.rawData) });
}

const dns = (dNSName: string): NameValue => ({ dNSName });
const mail = (rfc822Name: string): NameValue => ({ rfc822Name });
const uri = (uniformResourceIdentifier: string): NameValue => ({ uniformResourceIdentifier });

test.each<[boolean, string, readonly NameValue[], readonly NameValue[], string, readonly NameValue[]]>([
  [true, "a host below the permitted one", [dns("example.org")], [], "x", [dns("a.example.org")]],
  [false, "a host that only ends alike", [dns("example.org")], [], "x", [dns("badexample.org")]],
  [false, "an excluded host in capitals", [], [dns("example.org")], "x", [dns("A.EXAMPLE.ORG")]],
  [false, "one of two names outside", [dns("example.org")], [], "x", [dns("a.example.org"), dns("example.net")]],
  [false, "a common name that looks like a host", [], [dns("example.org")], "www.example.org", []],
  [true, "a common name that is none", [], [dns("example.org")], "An Example Publisher", []],
  [true, "a kind without constraint", [dns("example.org")], [], "x", [mail("a@example.net")]],
  [true, "mail at the permitted host", [mail("example.org")], [], "x", [mail("a@Example.org")]],
  [false, "mail below it", [mail("example.org")], [], "x", [mail("a@sub.example.org")]],
  [true, "mail below a domain", [mail(".example.org")], [], "x", [mail("a@sub.example.org")]],
  [false, "another mailbox", [mail("ada@example.org")], [], "x", [mail("bob@example.org")]],
  [true, "an address on a permitted host", [uri("example.org")], [], "x", [uri("https://example.org/a")]],
  [false, "an address with the host as user", [uri("example.org")], [], "x", [uri("https://example.org@evil.example/")]],
  [false, "an excluded host of an address", [], [uri(".example.org")], "x", [uri("https://a.example.org/")]],
  [false, "a kind that is not compared", [{ registeredID: "1.2.3" }], [], "x", [{ registeredID: "1.2.3.4" }]],
  [false, "an excluded address range", [], [{ iPAddress: "10.0.0.0/8" }], "x", [{ iPAddress: "192.0.2.1" }]],
])("%s: %s", async (isFine, _, permitted, excluded, name, names) => {
  const broken = constraintBrokenBy(await authority(permitted, excluded), await holder(name, names));
  expect(broken === undefined, broken).toBe(isFine);
});

test("directory names are compared as whole relative names from the root", async () => {
  const inside = await holder("Publisher", []);
  const subject = (await makeCertificate({ name: "Publisher", keys })).certificate.subjectName.toArrayBuffer();
  const other = (await makeCertificate({ name: "Publishers", keys })).certificate.subjectName.toArrayBuffer();
  const directory = (der: ArrayBuffer) =>
    AsnConvert.parse(AsnConvert.serialize(new GeneralName({ directoryName: AsnConvert.parse(der, nameType) })), GeneralName);
  expect(constraintBrokenBy(await authority([directory(subject)], []), inside)).toBeUndefined();
  expect(constraintBrokenBy(await authority([directory(other)], []), inside)).toContain("outside");
  expect(constraintBrokenBy(await authority([], [directory(subject)]), inside)).toContain("outside");
});

test("an excluded directory name does not come back in other letters", async () => {
  const shouting = (await makeCertificate({ name: "PUBLISHER", keys })).certificate.subjectName.toArrayBuffer();
  const excluded = new GeneralName({ directoryName: AsnConvert.parse(shouting, nameType) });
  expect(constraintBrokenBy(await authority([], [excluded]), await holder("Publisher", []))).toContain("outside");
});

test("an empty or distant subtree refuses everything", async () => {
  const anyone = await holder("x", []);
  expect(constraintBrokenBy(await authority([], []), anyone)).toContain("cannot be evaluated");
});
