import { expect, test } from "vitest";
import { distributionArchives, parseDeb822Sources, parseOneLineSources } from "./apt-sources.mjs";

test("one-line sources: options, comments and source archives", () => {
  const text = `
# deb http://old.example.org/debian buster main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.example.org/debian bookworm main contrib # ours
deb-src http://mirror.example.org/debian bookworm main
deb http://plain.example.org/debian bookworm-updates main
`;
  expect(parseOneLineSources(text)).toEqual([
    {
      uri: "http://mirror.example.org/debian",
      suites: ["bookworm"],
      components: ["main", "contrib"],
      signedBy: "/usr/share/keyrings/a.gpg",
    },
    { uri: "http://plain.example.org/debian", suites: ["bookworm-updates"], components: ["main"], signedBy: undefined },
  ]);
});

test("deb822 sources: several addresses, disabled stanzas, comments inside, keys that span lines", () => {
  const text = `Types: deb deb-src
# a comment
URIs: http://a.example.org/debian http://b.example.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Enabled: no
Types: deb
URIs: http://off.example.org
Suites: trixie
Components: main

Types: deb-src
URIs: http://src.example.org
Suites: trixie
Components: main
`;
  const sources = parseDeb822Sources(text);
  expect(sources.map((source) => source.uri)).toEqual(["http://a.example.org/debian", "http://b.example.org/debian"]);
  expect(sources[0]).toMatchObject({ suites: ["trixie", "trixie-updates"], components: ["main"] });
  expect(sources[0]?.signedBy).toBe("\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc");
});

test("only the distribution's own archive is asked for newer suites, each address once", () => {
  const source = (uri: string, suite: string) => ({ uri, suites: [suite], components: ["main"], signedBy: undefined });
  const sources = [
    source("http://a.example.org/debian", "bookworm"),
    source("http://a.example.org/debian", "bookworm"),
    source("http://a.example.org/debian-security", "bookworm-security"),
    source("http://other.example.org/apt", "nodistro"),
  ];
  expect(distributionArchives(sources, "bookworm").map(({ uri }) => uri)).toEqual(["http://a.example.org/debian"]);
});
