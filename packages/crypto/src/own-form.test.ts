/**
 * The recogniser against the library: wherever it sees our clients' form, both read the same; everywhere else it keeps out.
 */
import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { isAppError } from "@althing/contract";
import { person } from "../test/people.ts";
import { fc } from "../test/property.ts";
import { toHex, utf8 } from "./bytes.ts";
import { parseAnyDigest, parseContentDigest } from "./content-digest.ts";
import { parseSignature, parseSignatures, signRequest, type HttpRequestView } from "./http-signature.ts";
import type { Identity } from "./identity.ts";
import { readOwnDigest, readOwnSignature } from "./own-form.ts";

type Headers = (readonly [string, string])[];

const body = utf8('{"name":"garden"}');
let alice: Identity;
let samples: HttpRequestView[];

beforeAll(async () => {
  alice = (await person("alice")).identity;
  const sign = async (headers: Record<string, string>, withBody: boolean): Promise<HttpRequestView> => {
    const request = {
      method: "POST",
      url: "https://hub.example/api/rooms?limit=5",
      headers,
      now: 1_790_000_000,
      ...(withBody ? { body } : {}),
    };
    return { method: "POST", targetUri: request.url, headers: Object.entries(await signRequest(alice, request)), hasBody: withBody };
  };
  samples = [
    await sign({ "content-type": "application/json" }, true),
    await sign({}, false),
    await sign({ "content-type": "application/json", "idempotency-key": "12345678", "if-match": '"7"' }, true),
    await sign({ "althing-community": "home", "if-match": "7" }, false),
  ];
});

/** What is read, or what it is refused with. */
function outcome<T>(read: () => T): unknown {
  try {
    return read();
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { code: error.code, params: error.params };
  }
}

const withoutBytes = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "signature" in value
    ? { ...value, signature: toHex(value.signature as Uint8Array) }
    : value;

function expectAgreement(view: HttpRequestView): void {
  const short = withoutBytes(outcome(() => parseSignature(view)));
  const long = withoutBytes(outcome(() => parseSignatures(view)[0]));
  expect(short).toEqual(long);
}

function fieldOf(view: HttpRequestView, name: string): string {
  return view.headers
    .filter(([key]) => key === name)
    .map(([, value]) => value)
    .join(", ");
}

const recognised = (view: HttpRequestView): boolean =>
  readOwnSignature(fieldOf(view, "signature-input"), fieldOf(view, "signature")) !== undefined;

/** Pieces that steer a parser of structured fields. */
const pieces = [
  "",
  " ",
  "\t",
  ";",
  ",",
  '"',
  "\\",
  "=",
  ":",
  "(",
  ")",
  "0",
  "00",
  "-",
  "1.0",
  ";a",
  "a=1",
  '"@method"',
  ' "@path"',
  ' "content-digest"',
  ' "date"',
  ";sf",
  'tag="x"',
  "A",
  "g",
  "é",
  "\n",
  "?1",
  "sig2=()",
  "999999999999999",
  "1000000000000000",
];
const edit = fc.record({
  at: fc.nat(),
  remove: fc.integer({ min: 0, max: 3 }),
  insert: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 2 })),
});

function mutate(text: string, edits: readonly { at: number; remove: number; insert: string }[]): string {
  let changed = text;
  for (const { at, remove, insert } of edits) {
    const place = at % (changed.length + 1);
    changed = changed.slice(0, place) + insert + changed.slice(place + remove);
  }
  return changed;
}

describe("our own form of signature fields", () => {
  it("is what signRequest writes", () => {
    for (const view of samples) expect(recognised(view)).toBe(true);
    for (const view of samples) expectAgreement(view);
    expect(parseSignature(samples[0] as HttpRequestView).base).toContain('"@method": POST\n');
  });

  it("is read as the library reads it, whatever is changed in the fields", () => {
    let seen = 0;
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom("signature-input", "signature", "content-digest", "if-match"),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (pick, name, edits) => {
          const sample = samples[pick % samples.length] as HttpRequestView;
          const view = {
            ...sample,
            headers: sample.headers.map(([key, value]) => [key, key === name ? mutate(value, edits) : value] as const),
          };
          if (recognised(view)) seen++;
          expectAgreement(view);
        },
      ),
      { numRuns: 4_000 },
    );
    // The mutations must reach both sides of the line.
    expect(seen).toBeGreaterThan(200);
    expect(seen).toBeLessThan(3_800);
  });

  it("is read as the library reads it, whatever made-up parts it is put together of", () => {
    const name = fc.constantFrom(
      "@method",
      "@target-uri",
      "content-digest",
      "content-type",
      "if-match",
      "idempotency-key",
      "althing-community",
      "@path",
      "date",
      "x",
      "X",
    );
    const number = fc.oneof(
      fc.nat().map(String),
      fc.constantFrom("0", "00", "-0", "-1", "1.0", "999999999999999", "9999999999999999", "?1", ""),
    );
    const nonce = fc.oneof(
      fc.string({ minLength: 14, maxLength: 20 }),
      fc.constantFrom("a".repeat(15), "a".repeat(16), "a".repeat(128), "a".repeat(129)),
    );
    const keyId = fc.constantFrom("a".repeat(64), "A".repeat(64), "a".repeat(63), "0".repeat(65));
    const last = fc.constantFrom("A", "Q", "g", "w", "B", "/", "=");
    let seen = 0;
    fc.assert(
      fc.property(
        fc.array(name, { maxLength: 4 }),
        number,
        number,
        nonce,
        keyId,
        last,
        fc.nat(),
        fc.boolean(),
        (more, created, expires, nonceText, key, end, pick, plain) => {
          const names = ["@method", "@target-uri", ...more].map((each) => `"${each}"`).join(" ");
          const input = `sig1=(${names});created=${plain ? 1_790_000_000 : created};expires=${plain ? 1_790_000_060 : expires};nonce="${nonceText}";keyid="${plain ? "a".repeat(64) : key}";alg="ed25519";tag="althing"`;
          const sample = samples[pick % samples.length] as HttpRequestView;
          const headers: Headers = sample.headers.filter(([key]) => !key.startsWith("signature"));
          headers.push(["signature-input", input], ["signature", `sig1=:${"Zz09+/".repeat(15).slice(0, 85)}${end}==:`]);
          const view = { ...sample, headers };
          if (recognised(view)) seen++;
          expectAgreement(view);
        },
      ),
      { numRuns: 3_000 },
    );
    expect(seen).toBeGreaterThan(100);
  });

  it("is read as the library reads it in every published vector", () => {
    const folder = new URL("../test/vectors/http-signatures/", import.meta.url);
    let requests = 0;
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if ("method" in value && "targetUri" in value && "headers" in value) {
        const { method, targetUri, headers } = value as unknown as HttpRequestView;
        for (const hasBody of [true, false]) expectAgreement({ method, targetUri, headers, hasBody });
        requests++;
      }
      for (const each of Object.values(value)) visit(each);
    };
    for (const file of readdirSync(folder)) if (file.endsWith(".json")) visit(JSON.parse(readFileSync(new URL(file, folder), "utf8")));
    expect(requests).toBeGreaterThan(50);
  });

  it("of Content-Digest is read as the library reads it, whatever is changed", () => {
    const bytes = (value: string, read: typeof parseContentDigest) =>
      outcome(() => read(value).map(({ algorithm, digest }) => `${algorithm} ${toHex(digest)}`));
    const whole = fieldOf(samples[0] as HttpRequestView, "content-digest");
    expect(readOwnDigest(whole)).toBeDefined();
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 3 }), (edits) => {
        const value = mutate(whole, edits);
        expect(bytes(value, parseContentDigest)).toEqual(bytes(value, parseAnyDigest));
      }),
      { numRuns: 3_000 },
    );
    for (const end of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") {
      const value = `sha-256=:${"z".repeat(42)}${end}=:`;
      expect([value, bytes(value, parseContentDigest)]).toEqual([value, bytes(value, parseAnyDigest)]);
    }
  });
});
