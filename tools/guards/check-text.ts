/**
 * Finds what must not stand in a tracked file: invisible characters, secrets, traces of the machine it was written on.
 *
 * Invariant: addresses on the network are judged by a list of what is allowed, not of what is forbidden, so a forgotten one is found; words
 * that must not appear are kept as hashes, so that the guard does not spread what it forbids. Pure: a tree in, findings out.
 * Source for invisible characters: "Trojan Source" (CVE-2021-42574).
 */
import { createHash } from "node:crypto";
import { lineAt, type SourceTree } from "./source-tree.ts";

const isVector = (path: string) => /(?:^|\/)vectors\//.test(path);
const isBinary = (bytes: Buffer) => bytes.subarray(0, 8_000).includes(0);

function textFiles(tree: SourceTree): string[] {
  return tree.paths.filter((path) => !isBinary(tree.bytes(path)));
}

interface Match {
  readonly line: number;
  readonly text: string;
}

/** Only what `isWanted` gets a line number: counting lines for every word of the repository would take seconds. */
function matches(tree: SourceTree, path: string, pattern: RegExp, isWanted: (text: string) => boolean = () => true): Match[] {
  const text = tree.read(path);
  const found = [...text.matchAll(pattern)].filter((match) => isWanted(match[0]));
  return found.map((match) => ({ line: lineAt(text, match.index), text: match[0] }));
}

/** Bidirectional controls, zero-width characters, other invisible marks; a byte order mark counts too. */
const invisible = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

export function checkInvisible(tree: SourceTree): string[] {
  return textFiles(tree)
    .filter((path) => !isVector(path))
    .flatMap((path) =>
      matches(tree, path, invisible).map(
        ({ line, text }) =>
          `${path}:${line}: the invisible character U+${text.codePointAt(0)?.toString(16).padStart(4, "0")}; write it as an escape`,
      ),
    );
}

const secretShapes: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: "a private key block", pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/g },
  { name: "an age identity", pattern: /\bAGE-SECRET-KEY-1[0-9A-Z]{20,}/g },
  { name: "a NATS seed", pattern: /\bS[ACNOUX][A-Z2-7]{56}\b/g },
  {
    name: "an access token",
    pattern:
      /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|xox[abpr]-[A-Za-z0-9-]{20,}|eyJ[\w-]{15,}\.[\w-]{15,}\.[\w-]{15,})/g,
  },
];

/** Quoted strings that look drawn at random: 32 characters and more of one alphabet. */
const opaque = /(?<=["'`])[A-Za-z0-9+/_-]{32,}={0,2}(?=["'`])/g;

export function entropyBitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const randomName = "a string that looks random";

function looksRandom(text: string): boolean {
  const isHex = /^[0-9a-f]+$/i.test(text);
  const mixes = /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text);
  return isHex ? text.length >= 64 && entropyBitsPerCharacter(text) > 3.2 : mixes && entropyBitsPerCharacter(text) > 4.2;
}

/**
 * What is allowed is named by file and a piece of the text, with the reason. A folder (ends in `/`) with an empty text allows its random
 * strings, for published test vectors; key blocks, seeds and tokens must always be named one by one.
 */
export interface Allowance {
  readonly file: string;
  readonly text: string;
  readonly reason: string;
}

export function checkSecrets(tree: SourceTree, allowed: readonly Allowance[]): string[] {
  const used = new Set<Allowance>();
  const findings = textFiles(tree)
    .filter((path) => path !== "package-lock.json" && !isVector(path))
    .flatMap((path) => {
      const shaped = secretShapes.flatMap(({ name, pattern }) => matches(tree, path, pattern).map((match) => ({ ...match, name })));
      const random = matches(tree, path, opaque).flatMap((match) => (looksRandom(match.text) ? [{ ...match, name: randomName }] : []));
      return [...shaped, ...random].flatMap(({ line, text, name }) => {
        const isRandom = name === randomName;
        const allowance = allowed.find((entry) =>
          entry.text === "" ? isRandom && path.startsWith(entry.file) : entry.file === path && text.includes(entry.text),
        );
        if (allowance) used.add(allowance);
        return allowance
          ? []
          : [
              `${path}:${line}: ${name} (${text.slice(0, 12)}…); make it at run time, or list it with a reason in tests/guards/allowed-secrets.json`,
            ];
      });
    });
  const stale = allowed
    .filter((entry) => !used.has(entry))
    .map((entry) => `tests/guards/allowed-secrets.json: ${entry.file} no longer has ${entry.text.slice(0, 12)}…`);
  return [...findings, ...stale];
}

/** Hosts that may be named: reserved for examples, this machine, and where standards and licences live. */
const allowedHosts: readonly RegExp[] = [
  /(?:^|\.)(?:example|test|invalid|localhost)$/,
  /(?:^|\.)example\.(?:com|org|net)$/,
  /^(?:127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\]|10(?:\.\d+){3}|192\.168(?:\.\d+){2}|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|169\.254(?:\.\d+){2})$/,
  /^(?:www\.)?(?:apache\.org|w3\.org|rfc-editor\.org|datatracker\.ietf\.org|json-schema\.org|spec\.openapis\.org|contributor-covenant\.org|keepachangelog\.com|semver\.org|github\.com|(?:docs\.)?nats\.io|nodejs\.org)$/,
];

const address = /\b(?:https?|wss?|nats|tls|git|ssh):\/\/(\[[0-9a-f:]*\]|[A-Za-z0-9][A-Za-z0-9.-]*)/gi;

/** A folder of somebody's machine. Places that a product uses (/etc, /usr, /var, /run, /opt, /proc, /dev) are none. */
const machinePath = /(?<![\w.*~)\]}-])\/(?:home|root|Users|work|mnt)\/[\w.-]+/g;

/** First 16 digits of the sha256 of words in lower case: names of workplaces and of writing tools. */
const forbiddenWordHashes = new Set(["c857d09db23e6822", "c70eca6b0f88f44d", "7d3194f79e645c42", "c2d872a13438b376", "31d123108dba5fd3"]);

export function wordHash(word: string): string {
  return createHash("sha256").update(word.toLowerCase()).digest("hex").slice(0, 16);
}

function judgeAddresses(tree: SourceTree, path: string): string[] {
  return matches(tree, path, address).flatMap(({ line, text }) => {
    const host = text.slice(text.indexOf("://") + 3).toLowerCase();
    const isName = host.includes(".") || host.startsWith("[");
    return !isName || allowedHosts.some((pattern) => pattern.test(host))
      ? []
      : [`${path}:${line}: the address ${text}; name no host but those reserved for examples (tools/guards/check-text.ts)`];
  });
}

export function checkTraces(tree: SourceTree, forbidden: ReadonlySet<string> = forbiddenWordHashes): string[] {
  const known = new Map<string, boolean>();
  const isForbidden = (word: string) => {
    const key = word.toLowerCase();
    const answer = known.get(key) ?? forbidden.has(wordHash(key));
    known.set(key, answer);
    return answer;
  };
  return textFiles(tree)
    .filter((path) => !isVector(path) && path !== "package-lock.json")
    .flatMap((path) => [
      ...judgeAddresses(tree, path),
      ...matches(tree, path, machinePath).map(({ line, text }) => `${path}:${line}: ${text} is a folder of one machine`),
      ...matches(tree, path, /[A-Za-z]{3,}/g, isForbidden).map(
        ({ line, text }) => `${path}:${line}: the word ${text} says where this was written`,
      ),
    ]);
}
