/**
 * The althing profile: what signRequest makes passes, and every deviation has its own code.
 */
import { beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "@althing/contract";
import { fc } from "../test/property.ts";
import { person } from "../test/people.ts";
import { fromHex, utf8 } from "./bytes.ts";
import { byteSequence, checkContentDigest, contentDigest, parseContentDigest } from "./content-digest.ts";
import {
  checkFreshness,
  parseSignature,
  signRequest,
  verifyRequestSignature,
  type HttpRequestView,
  type RequestToSign,
} from "./http-signature.ts";
import type { Identity } from "./identity.ts";
import { sha256Now, sha512Now } from "./primitives-node.ts";

const now = 1_790_000_000;
const url = "https://hub.example/api/rooms?limit=5";
const body = utf8('{"name":"garden"}');
let alice: Identity;
let mallory: Identity;

beforeAll(async () => {
  alice = (await person("alice")).identity;
  mallory = (await person("mallory")).identity;
});

type Headers = [string, string][];

type Changes = { [Name in keyof RequestToSign]?: RequestToSign[Name] | undefined };

/** A signed POST with a body; `undefined` takes a field away. */
async function signed(request: Changes = {}): Promise<HttpRequestView> {
  const made = { method: "POST", url, headers: { "content-type": "application/json" }, body, now, nonce: "nonce-0123456789", ...request };
  const headers = await signRequest(alice, made as RequestToSign);
  return {
    method: request.method ?? "POST",
    targetUri: request.url ?? url,
    headers: Object.entries(headers),
    hasBody: !("body" in request) || request.body !== undefined,
  };
}

async function codeOf(view: HttpRequestView, at = now + 1): Promise<ErrorCode | "accepted"> {
  try {
    const parsed = parseSignature(view);
    checkFreshness(parsed, at);
    await verifyRequestSignature(parsed, fromHex(parsed.keyId));
    return "accepted";
  } catch (error) {
    return (error as { code: ErrorCode }).code;
  }
}

function withHeader(view: HttpRequestView, name: string, change: (value: string) => string | undefined): HttpRequestView {
  const headers: Headers = [];
  for (const [key, value] of view.headers) {
    const changed = key === name ? change(value) : value;
    if (changed !== undefined) headers.push([key, changed]);
  }
  return { ...view, headers };
}

function adding(view: HttpRequestView, ...headers: Headers): HttpRequestView {
  return { ...view, headers: [...view.headers, ...headers] };
}

/** Signs whatever parameters and components it is given, as an attacker's client would. */
async function signedAs(input: string, view: HttpRequestView, lines: string[], signer = alice): Promise<HttpRequestView> {
  const base = [...lines, `"@signature-params": ${input}`].join("\n");
  const signature = byteSequence(await signer.signHttpBase(base));
  return {
    ...view,
    headers: [
      ...view.headers.filter(([name]) => !name.startsWith("signature")),
      ["signature-input", `sig1=${input}`],
      ["signature", `sig1=${signature}`],
    ],
  };
}

describe("a request signed by the library", () => {
  it("passes with and without a body", async () => {
    expect(await codeOf(await signed())).toBe("accepted");
    expect(await codeOf(await signed({ method: "GET", headers: {}, body: undefined }))).toBe("accepted");
    expect(await codeOf(await signed({ body: { sha256: sha256Now(body) } }))).toBe("accepted");
  });

  it("covers community, idempotency key and if-match when they are there", async () => {
    const view = await signed({
      headers: {
        "Content-Type": "application/json",
        "Althing-Community": "garden",
        "Idempotency-Key": "k1",
        "If-Match": '"7"',
        "X-Other": "free",
      },
    });
    expect(parseSignature(view).components).toEqual([
      "@method",
      "@target-uri",
      "content-digest",
      "content-type",
      "althing-community",
      "idempotency-key",
      "if-match",
    ]);
    expect(await codeOf(view)).toBe("accepted");
    for (const name of ["althing-community", "idempotency-key", "if-match"])
      expect(await codeOf(withHeader(view, name, () => "other"))).toBe("auth.bad_signature");
    expect(await codeOf(withHeader(view, "x-other", () => "changed"))).toBe("accepted");
  });

  it("gives a content type and a digest to a body that has none, drops the fragment, trims values", async () => {
    const headers = await signRequest(alice, { method: "PUT", url: `${url}#frag`, headers: { "If-Match": "  7\t" }, body, now });
    expect(headers["content-type"]).toBe("application/octet-stream");
    expect(headers["content-digest"]).toBe(await contentDigest(body));
    expect(headers["if-match"]).toBe("7");
    expect(await codeOf({ method: "PUT", targetUri: url, headers: Object.entries(headers), hasBody: true })).toBe("accepted");
  });

  it("draws a fresh nonce each time", async () => {
    const nonces = await Promise.all(Array.from({ length: 50 }, async () => parseSignature(await signed({ nonce: undefined })).nonce));
    expect(new Set(nonces).size).toBe(50);
  });

  it("is not made when a value cannot be signed", async () => {
    for (const value of ["a\r\nx-evil: 1", "a\nb", "é", "a\u0000b"]) {
      await expect(signRequest(alice, { method: "GET", url, headers: { "If-Match": value }, now })).rejects.toThrow(
        expect.objectContaining({ code: "auth.component_unknown" }),
      );
    }
  });
});

describe("a verifier refuses", () => {
  it.each<[string, ErrorCode, (view: HttpRequestView) => HttpRequestView]>([
    [
      "no signature",
      "auth.required",
      (view) =>
        withHeader(
          withHeader(view, "signature", () => undefined),
          "signature-input",
          () => undefined,
        ),
    ],
    ["Signature without Signature-Input", "auth.required", (view) => withHeader(view, "signature-input", () => undefined)],
    ["an empty Signature-Input", "auth.signature_count", (view) => withHeader(view, "signature-input", () => "")],
    ["another method", "auth.bad_signature", (view) => ({ ...view, method: "PUT" })],
    ["another path", "auth.bad_signature", (view) => ({ ...view, targetUri: url.replace("rooms", "users") })],
    ["another authority", "auth.bad_signature", (view) => ({ ...view, targetUri: url.replace("hub", "evil") })],
    ["another scheme", "auth.bad_signature", (view) => ({ ...view, targetUri: url.replace("https", "http") })],
    ["another content type", "auth.bad_signature", (view) => withHeader(view, "content-type", () => "text/plain")],
    ["a second content type", "auth.bad_signature", (view) => adding(view, ["Content-Type", "text/plain"])],
    ["a second content digest", "auth.bad_signature", (view) => adding(view, ["content-digest", "sha-256=:AA==:"])],
    ["an if-match that is not signed", "auth.component_missing", (view) => adding(view, ["If-Match", '"9"'])],
    ["a community that is not signed", "auth.component_missing", (view) => adding(view, ["ALTHING-COMMUNITY", "x"])],
    ["an idempotency key that is not signed", "auth.component_missing", (view) => adding(view, ["idempotency-key", ""])],
    ["a body without digest", "auth.digest_missing", (view) => withHeader(view, "content-digest", () => undefined)],
    [
      "a second signature",
      "auth.signature_count",
      (view) => adding(view, ["signature-input", 'b=();keyid="x"'], ["signature", "b=:AA==:"]),
    ],
    ["a second input only", "auth.signature_count", (view) => adding(view, ["signature-input", 'b=();keyid="x"'])],
    ["a second junk signature", "auth.signature_count", (view) => adding(view, ["signature", "b=:AA==:"])],
    ["the label twice", "auth.malformed", (view) => adding(view, ["signature-input", 'sig1=("@method");keyid="x"'])],
    ["another label", "auth.malformed", (view) => withHeader(view, "signature", (value) => value.replace("sig1", "sig2"))],
    ["a parameter twice", "auth.malformed", (view) => withHeader(view, "signature-input", (value) => `${value};tag="althing"`)],
    ["an unknown parameter", "auth.malformed", (view) => withHeader(view, "signature-input", (value) => `${value};x=1`)],
    [
      "a created with leading zero",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace("created=", "created=0")),
    ],
    [
      "a created as decimal",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace(/created=(\d+)/, "created=$1.0")),
    ],
    [
      "a created as text",
      "auth.parameter_missing",
      (view) => withHeader(view, "signature-input", (value) => value.replace(/created=(\d+)/, 'created="$1"')),
    ],
    [
      "a created as date",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace("created=", "created=@")),
    ],
    [
      "a negative created",
      "auth.parameter_missing",
      (view) => withHeader(view, "signature-input", (value) => value.replace("created=", "created=-")),
    ],
    [
      "a keyid as token",
      "auth.parameter_missing",
      (view) => withHeader(view, "signature-input", (value) => value.replace(/keyid="[0-9a-f]+"/, "keyid=alice")),
    ],
    [
      "a keyid in capitals",
      "auth.parameter_missing",
      (view) =>
        withHeader(view, "signature-input", (value) =>
          value.replace(/keyid="([0-9a-f]+)"/, (_, hex: string) => `keyid="${hex.toUpperCase()}"`),
        ),
    ],
    ["no nonce", "auth.parameter_missing", (view) => withHeader(view, "signature-input", (value) => value.replace(/;nonce="[^"]*"/, ""))],
    [
      "a short nonce",
      "auth.parameter_missing",
      (view) => withHeader(view, "signature-input", (value) => value.replace(/nonce="[^"]*"/, 'nonce="short"')),
    ],
    [
      "another algorithm",
      "auth.algorithm",
      (view) => withHeader(view, "signature-input", (value) => value.replace('alg="ed25519"', 'alg="hmac-sha256"')),
    ],
    ["another tag", "auth.tag", (view) => withHeader(view, "signature-input", (value) => value.replace('tag="althing"', 'tag="Althing"'))],
    [
      "a component in capitals",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace("content-type", "Content-Type")),
    ],
    [
      "a component twice",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace('"@method"', '"@method" "@method"')),
    ],
    [
      "a component as token",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace('"content-type"', "content-type")),
    ],
    [
      "a component of the response",
      "auth.component_unknown",
      (view) => withHeader(view, "signature-input", (value) => value.replace('"@method"', '"@method" "@status"')),
    ],
    [
      "a component with a parameter",
      "auth.component_unknown",
      (view) => withHeader(view, "signature-input", (value) => value.replace('"content-type"', '"content-type";sf')),
    ],
    [
      "an extra component",
      "auth.component_unknown",
      (view) => withHeader(adding(view, ["x-note", "1"]), "signature-input", (value) => value.replace('"@method"', '"@method" "x-note"')),
    ],
    ["a signature with a parameter", "auth.malformed", (view) => withHeader(view, "signature", (value) => `${value};x=1`)],
    ["a signature without padding", "auth.malformed", (view) => withHeader(view, "signature", (value) => value.replace("==:", ":"))],
    [
      "a signature with stray bits",
      "auth.malformed",
      (view) => withHeader(view, "signature", (value) => value.replace(/.==:$/, (end) => `${end[0] === "B" ? "C" : "B"}==:`)),
    ],
    ["a signature as text", "auth.malformed", (view) => withHeader(view, "signature", () => 'sig1="abc"')],
    ["a list in place of a signature", "auth.malformed", (view) => withHeader(view, "signature", () => "sig1=(:AA==:)")],
    ["a trailing comma", "auth.malformed", (view) => withHeader(view, "signature-input", (value) => `${value},`)],
    [
      "characters beyond ASCII",
      "auth.malformed",
      (view) => withHeader(view, "signature-input", (value) => value.replace("nonce-", "nönce-")),
    ],
    ["a line feed", "auth.malformed", (view) => withHeader(view, "signature-input", (value) => value.replace("nonce-", "nonce\n-"))],
  ])("%s: %s", async (_what, code, change) => {
    expect(await codeOf(change(await signed()))).toBe(code);
  });

  it("a body whose digest is neither sent nor signed: auth.digest_missing", async () => {
    const view = await signed({ method: "POST", headers: {}, body: undefined });
    expect(await codeOf({ ...view, hasBody: true })).toBe("auth.digest_missing");
  });

  it.each(["content-digest", "content-type"])("a body whose %s is sent but not signed: auth.component_missing", async (name) => {
    const view = await signed();
    const params = parseSignature(view);
    const covered = params.components.filter((component) => component !== name);
    const lines = params.base
      .split("\n")
      .slice(0, -1)
      .filter((line) => !line.startsWith(`"${name}"`));
    const input = `(${covered.map((component) => `"${component}"`).join(" ")});created=${now};expires=${now + 60};nonce="nonce-0123456789";keyid="${alice.signPub}";alg="ed25519";tag="althing"`;
    expect(await codeOf(await signedAs(input, view, lines))).toBe("auth.component_missing");
  });

  it("somebody else's signature under one's key id", async () => {
    const view = await signed();
    const { base } = parseSignature(view);
    const forged = byteSequence(await mallory.signHttpBase(base));
    expect(await codeOf(withHeader(view, "signature", () => `sig1=${forged}`))).toBe("auth.bad_signature");
  });

  it("a signature of another kind, made over the same text", async () => {
    const view = await signed();
    const sig = await alice.sign("frame", utf8(parseSignature(view).base));
    expect(await codeOf(withHeader(view, "signature", () => `sig1=${byteSequence(sig)}`))).toBe("auth.bad_signature");
  });
});

describe("a verifier takes", () => {
  it("any order, any label, white space where RFC 9651 has it, and fields over several lines", async () => {
    const view = await signed();
    expect(await codeOf(withHeader(view, "content-type", (value) => ` \t${value}  `))).toBe("accepted");
    expect(
      await codeOf(
        withHeader(view, "signature-input", (value) => `  ${value.replace("(", "(  ").replace(")", "  )").replaceAll(";", ";  ")}  `),
      ),
    ).toBe("accepted");
    const capitals = { ...view, headers: view.headers.map(([name, value]): [string, string] => [name.toUpperCase(), value]) };
    expect(await codeOf(capitals)).toBe("accepted");
    const relabelled = withHeader(
      withHeader(view, "signature", (value) => value.replace("sig1", "*a.b-c_1")),
      "signature-input",
      (value) => value.replace("sig1", "*a.b-c_1"),
    );
    expect(await codeOf(relabelled)).toBe("accepted");
  });
});

describe("freshness", () => {
  it.each([
    [-6, "auth.stale"],
    [-5, "accepted"],
    [0, "accepted"],
    [59, "accepted"],
    [60, "auth.stale"],
    [61, "auth.stale"],
    [1e9, "auth.stale"],
  ])("%d s after signing: %s", async (offset, verdict) => {
    expect(await codeOf(await signed(), now + offset)).toBe(verdict);
  });

  it.each([61, 3_600, 0, -1])("a lifetime of %d s is stale", async (lifetimeSeconds) => {
    expect(await codeOf(await signed({ lifetimeSeconds }), now)).toBe("auth.stale");
  });
});

describe("Content-Digest", () => {
  it("takes sha-256, sha-512 and both, from bytes or from digests", async () => {
    const sha256 = sha256Now(body);
    const sha512 = sha512Now(body);
    for (const value of [
      `sha-256=${byteSequence(sha256)}`,
      `sha-512=${byteSequence(sha512)}`,
      `sha-256=${byteSequence(sha256)},sha-512=${byteSequence(sha512)}`,
      `md5=:AA==:, sha-256=${byteSequence(sha256)}`,
    ]) {
      await checkContentDigest(value, body);
      await checkContentDigest(value, { sha256, sha512 });
    }
  });

  it("every digest that is there must fit", async () => {
    const good = `sha-256=${byteSequence(sha256Now(body))}`;
    const bad = `sha-512=${byteSequence(sha512Now(utf8("other")))}`;
    for (const value of [`${good}, ${bad}`, `${bad}, ${good}`]) {
      await expect((async () => checkContentDigest(value, body))()).rejects.toThrow(
        expect.objectContaining({ code: "auth.digest_mismatch" }),
      );
    }
  });

  it.each([
    "",
    "sha-256",
    "sha-256=?1",
    "sha-256=abc",
    "sha-256=::",
    "sha-256=:AAAA:",
    "SHA-256=:AAAA:",
    "md5=:AAAA:",
    'sha-256="abc"',
    "sha-256=(:AAAA:)",
    "sha-256=:AAAA:,",
    "\u00e9",
  ])("refuses %j", (value) => {
    expect(() => parseContentDigest(value)).toThrow(expect.objectContaining({ code: "auth.digest_malformed" }));
  });

  it("refuses the same algorithm twice and members with parameters", () => {
    const member = `sha-256=${byteSequence(sha256Now(body))}`;
    for (const value of [`${member}, ${member}`, `${member};x=1`, `${member};x`])
      expect(() => parseContentDigest(value)).toThrow(expect.objectContaining({ code: "auth.digest_malformed" }));
  });
});

describe("fuzz", () => {
  it("mutated signature fields end in a code of the catalogue or verify as they stood", async () => {
    const view = await signed();
    const mutation = fc.record({
      field: fc.constantFrom("signature-input", "signature", "content-digest", "content-type"),
      at: fc.nat({ max: 400 }),
      cut: fc.nat({ max: 3 }),
      insert: fc.string({ maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(mutation, async ({ field, at, cut, insert }) => {
        const original = view.headers.find(([name]) => name === field)?.[1] ?? "";
        const position = at % (original.length + 1);
        const changed = original.slice(0, position) + insert + original.slice(position + cut);
        const code = await codeOf(withHeader(view, field, () => changed));
        const sameMeaning = changed.replaceAll(/[ \t]/g, "") === original.replaceAll(/[ \t]/g, "");
        if (!sameMeaning) expect(code).toMatch(/^auth\./);
      }),
      { numRuns: 1_000 },
    );
  });
});
