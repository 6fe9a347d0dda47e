/** Every refusal of authentication over real HTTP, against a hub with real nats-server and SQLite. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { callAs, newIdentity, sendCall, serveHub, signedCall, type ServedHub } from "../test/serve-hub.ts";

let served: ServedHub;
let admin: Identity;
beforeAll(async () => {
  served = await serveHub();
  admin = served.admin;
});
afterAll(() => served[Symbol.asyncDispose]());

const me = { method: "GET", path: "/api/me" } as const;
const invite = { method: "POST", path: "/api/invitations", body: {} } as const;

/** The signature header's parameters, changed after signing. */
function changed(headers: Record<string, string>, name: string, from: string | RegExp, to: string): Record<string, string> {
  return { ...headers, [name]: (headers[name] ?? "").replace(from, to) };
}

describe("a signed request is refused", () => {
  test("without a signature: auth.required, with a challenge", async () => {
    const answer = await sendCall({ url: `${served.url}/api/me`, method: "GET", headers: {} });
    expect([answer.status, answer.code]).toEqual([401, "auth.required"]);
    expect(answer.headers.get("www-authenticate")).toContain("Signature");
  });

  test.each([
    ["auth.malformed", (h: Record<string, string>) => ({ ...h, "signature-input": "sig1=(" })],
    ["auth.malformed", (h: Record<string, string>) => changed(h, "signature", "sig1", "sig2")],
    [
      "auth.signature_count",
      (h: Record<string, string>) => ({
        ...h,
        "signature-input": `${h["signature-input"]}, ${(h["signature-input"] ?? "").replace("sig1", "sig2")}`,
        signature: `${h["signature"]}, ${(h["signature"] ?? "").replace("sig1", "sig2")}`,
      }),
    ],
    ["auth.component_missing", (h: Record<string, string>) => changed(h, "signature-input", '"@target-uri"', "")],
    ["auth.component_unknown", (h: Record<string, string>) => changed(h, "signature-input", '"@target-uri"', '"@target-uri" "@authority"')],
    ["auth.parameter_missing", (h: Record<string, string>) => changed(h, "signature-input", /;nonce="[^"]*"/, "")],
    ["auth.algorithm", (h: Record<string, string>) => changed(h, "signature-input", "ed25519", "rsa-pss-sha512")],
    ["auth.tag", (h: Record<string, string>) => changed(h, "signature-input", 'tag="althing"', 'tag="other"')],
    ["auth.bad_signature", (h: Record<string, string>) => changed(h, "signature-input", /nonce="../, 'nonce="zz')],
  ])("with altered fields: %s", async (code, alter) => {
    const call = await signedCall(served.url, admin, me);
    const answer = await sendCall({ ...call, headers: alter(call.headers) });
    expect([answer.status, answer.code]).toEqual([401, code]);
  });

  test("for another target than the one signed: auth.bad_signature", async () => {
    const call = await signedCall(served.url, admin, me);
    expect((await sendCall({ ...call, url: `${served.url}/api/me?x=1` })).code).toBe("auth.bad_signature");
    expect((await sendCall({ ...call, url: `${served.url}/api/users` })).code).toBe("auth.bad_signature");
  });

  test("too old, too long-lived, or from the future: auth.stale", async () => {
    const now = Math.floor(Date.now() / 1_000);
    for (const call of [
      { now: now - limits.signatureWindowSeconds - 1 },
      { lifetimeSeconds: limits.signatureWindowSeconds + 1 },
      { now: now + limits.signatureSkewSeconds + 3 },
    ]) {
      expect((await callAs(served, admin, { ...me, ...call })).code).toBe("auth.stale");
    }
    expect((await callAs(served, admin, { ...me, now: now + limits.signatureSkewSeconds - 1 })).status).toBe(200);
  });

  test("for another instance's address: 421 auth.wrong_authority, before any cryptography", async () => {
    const call = await signedCall(`http://127.0.0.2:${served.config.ports.hub}`, admin, me);
    const { plainRequest } = await import("../test/hub-process.ts");
    const answer = await plainRequest({
      url: `${served.url}/api/me`,
      headers: { ...call.headers, host: `127.0.0.2:${served.config.ports.hub}` },
    });
    expect(answer.status).toBe(421);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "auth.wrong_authority" });
  });

  test("with a body and no digest, a broken digest, or another body", async () => {
    const call = await signedCall(served.url, admin, invite);
    const { "content-digest": _digest, ...without } = call.headers;
    expect((await sendCall({ ...call, headers: without })).code).toBe("auth.digest_missing");
    expect((await sendCall({ ...call, headers: { ...call.headers, "content-digest": "sha-256=nonsense" } })).code).toBe(
      "auth.digest_malformed",
    );
    expect((await sendCall({ ...call, headers: { ...call.headers, "content-digest": "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:" } })).code).toBe(
      "auth.digest_malformed",
    );
    expect((await sendCall({ ...call, body: new TextEncoder().encode('{"a":1}') })).code).toBe("auth.digest_mismatch");
    // None of the failures spent the nonce.
    expect((await sendCall(call)).status).toBe(201);
  });

  test("with a steering header that is not signed: auth.component_missing", async () => {
    for (const [name, value] of [
      ["idempotency-key", "12345678"],
      ["if-match", '"1"'],
      ["althing-community", "c"],
    ] as const) {
      const call = await signedCall(served.url, admin, me);
      expect((await sendCall({ ...call, headers: { ...call.headers, [name]: value } })).code).toBe("auth.component_missing");
    }
  });

  test("by a stranger: auth.unknown_user", async () => {
    expect((await callAs(served, await newIdentity(), me)).code).toBe("auth.unknown_user");
  });

  test("by a revoked user from the very next request on: auth.revoked", async () => {
    const guest = await newIdentity();
    expect(
      (await callAs(served, admin, { method: "POST", path: "/api/users", body: { signPub: guest.signPub, handle: "guest" } })).status,
    ).toBe(201);
    expect((await callAs(served, guest, me)).status).toBe(200);
    expect((await callAs(served, admin, { method: "POST", path: `/api/users/${guest.signPub}/revoke` })).status).toBe(200);
    const answer = await callAs(served, guest, me);
    expect([answer.status, answer.code]).toEqual([403, "auth.revoked"]);
  });

  test("without the permission: auth.forbidden, and it says who can grant it", async () => {
    const member = await newIdentity();
    await callAs(served, admin, { method: "POST", path: "/api/users", body: { signPub: member.signPub, handle: "plain" } });
    const answer = await callAs(served, member, invite);
    expect([answer.status, answer.code]).toEqual([403, "auth.forbidden"]);
    expect(String(answer.json["fix"])).toContain("admin");
  });
});

describe("a nonce", () => {
  test("is taken once: the second of two equal requests is auth.replayed", async () => {
    const call = await signedCall(served.url, admin, me);
    expect((await sendCall(call)).status).toBe(200);
    expect((await sendCall(call)).code).toBe("auth.replayed");
  });

  test("lets exactly one of 20 concurrent copies act", async () => {
    const call = await signedCall(served.url, admin, invite);
    const answers = await Promise.all(Array.from({ length: 20 }, () => sendCall(call)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.code === "auth.replayed")).toHaveLength(19);
  });

  test("of one user may be another user's too", async () => {
    const other = await newIdentity();
    await callAs(served, admin, { method: "POST", path: "/api/users", body: { signPub: other.signPub, handle: "second" } });
    const nonce = "shared-nonce-0123456789";
    expect((await callAs(served, admin, { ...me, nonce })).status).toBe(200);
    expect((await callAs(served, other, { ...me, nonce })).status).toBe(200);
  });

  test("that cannot be recorded refuses the request: 503 auth.nonce_unavailable", async () => {
    served.claimsFail = true;
    try {
      const answer = await callAs(served, admin, me);
      expect([answer.status, answer.code]).toEqual([503, "auth.nonce_unavailable"]);
    } finally {
      served.claimsFail = false;
    }
  });
});

describe("what a signed request holds", () => {
  test.each([
    ["request.malformed", '{"a":1,"a":2}'],
    ["request.malformed", '{"__proto__":{"role":"admin"}}'],
    ["request.malformed", "{"],
    ["request.malformed", Buffer.from([0x7b, 0xff, 0x7d])],
    ["request.malformed", "\ufeff{}"],
    ["request.malformed", `${"[".repeat(100)}${"]".repeat(100)}`],
    ["request.invalid", '{"extra":true}'],
    ["request.invalid", "[]"],
    ["request.invalid", "null"],
  ])("as JSON is refused when it is not what it should be: %s %s", async (code, text) => {
    const body = new Uint8Array(typeof text === "string" ? new TextEncoder().encode(text) : text);
    const answer = await callAs(served, admin, { method: "POST", path: "/api/invitations", body });
    expect([answer.status, answer.code]).toEqual([400, code]);
  });

  test("is refused with every fault at once", async () => {
    const answer = await callAs(served, admin, {
      method: "POST",
      path: "/api/users?a=1",
      body: { signPub: "zz", handle: "UPPER", role: "king", extra: 1 },
    });
    expect(answer.code).toBe("request.invalid");
    const paths = (answer.json["faults"] as { path: string }[]).map((fault) => fault.path);
    expect(paths).toEqual(expect.arrayContaining(["query.a", "body.signPub", "body.handle", "body.role", "body"]));
  });

  test("of the wrong media type is 415, of too many bytes 413, without a body 400", async () => {
    expect((await callAs(served, admin, { ...invite, headers: { "content-type": "text/plain" } })).code).toBe(
      "request.unsupported_media_type",
    );
    const big = new Uint8Array(limits.jsonBodyMaxBytes + 1).fill(0x20);
    const answer = await callAs(served, admin, { method: "POST", path: "/api/invitations", body: big });
    expect([answer.status, answer.code]).toEqual([413, "request.too_large"]);
    expect((await callAs(served, admin, { method: "POST", path: "/api/invitations" })).code).toBe("request.invalid");
  });

  test("may name its media type with charset=utf-8", async () => {
    expect((await callAs(served, admin, { ...invite, headers: { "content-type": 'application/json; charset="UTF-8"' } })).status).toBe(201);
  });

  test("with If-Match on a route that does not keep it is refused, not ignored", async () => {
    expect((await callAs(served, admin, { ...invite, headers: { "if-match": '"3"' } })).code).toBe("request.invalid");
  });
});

describe("uploads", () => {
  const put = (bytes: Uint8Array) => ({
    method: "POST",
    path: "/api/blobs",
    body: bytes,
    headers: { "content-type": "application/octet-stream" },
  });

  test("are stored under their hash and come back", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const stored = await callAs(served, admin, put(bytes));
    expect(stored.status).toBe(201);
    const call = await signedCall(served.url, admin, { method: "GET", path: `/api/blobs/${String(stored.json["hash"])}` });
    const answer = await fetch(call.url, { headers: call.headers });
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
  });

  test("with other bytes than signed leave nothing behind", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(1_000));
    const call = await signedCall(served.url, admin, put(bytes));
    const answer = await sendCall({ ...call, body: bytes.map((byte) => byte ^ 1) });
    expect([answer.status, answer.code]).toEqual([400, "auth.digest_mismatch"]);
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
    expect((await callAs(served, admin, { method: "GET", path: `/api/blobs/${hash}` })).code).toBe("blob.not_found");
  });

  test("of more than the cap are 413", async () => {
    const answer = await callAs(served, admin, put(new Uint8Array(limits.blobMaxBytes + 1)));
    expect(answer.status).toBe(413);
  });
});

describe("Idempotency-Key", () => {
  const keyed = (key: string, body: unknown = {}) => ({ ...invite, body, headers: { "idempotency-key": key } });

  test("gives a retried request the same answer, and another request 422", async () => {
    const first = await callAs(served, admin, keyed("once-and-again"));
    const again = await callAs(served, admin, keyed("once-and-again"));
    expect(again.text).toBe(first.text);
    const other = await callAs(served, admin, {
      method: "POST",
      path: "/api/users",
      body: { signPub: "0".repeat(64), handle: "x" },
      headers: { "idempotency-key": "once-and-again" },
    });
    expect([other.status, other.code]).toEqual([422, "request.idempotency_mismatch"]);
  });

  test("lets one of ten concurrent copies act; the others are told to wait or get its answer", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => callAs(served, admin, keyed("all-at-once"))));
    const made = new Set(answers.filter((answer) => answer.status === 201).map((answer) => answer.text));
    expect(made.size).toBe(1);
    for (const answer of answers) expect([201, 409]).toContain(answer.status);
  });

  test("holds for uploads: other bytes under the key are refused, the same get the first answer", async () => {
    const put = (body: Uint8Array) =>
      callAs(served, admin, {
        method: "POST",
        path: "/api/blobs",
        body,
        headers: { "content-type": "application/octet-stream", "idempotency-key": "upload-once" },
      });
    const first = await put(new Uint8Array([1, 2, 3]));
    expect(first.status).toBe(201);
    expect((await put(new Uint8Array([1, 2, 3]))).text).toBe(first.text);
    expect((await put(new Uint8Array([3, 2, 1]))).code).toBe("request.idempotency_mismatch");
  });

  test("is not remembered for a refused request", async () => {
    const body = { signPub: (await newIdentity()).signPub, handle: "root" };
    const headers = { "idempotency-key": "refused-first" };
    expect((await callAs(served, admin, { method: "POST", path: "/api/users", body, headers })).code).toBe("user.handle_taken");
    expect((await callAs(served, admin, { method: "POST", path: "/api/users", body: { ...body, handle: "rooted" }, headers })).status).toBe(
      201,
    );
  });

  test("expires after 24 hours and is swept", async () => {
    const first = await callAs(served, admin, keyed("short-lived"));
    served.shiftMs = limits.idempotencyTtlSeconds * 1_000 + 1;
    try {
      await served.hub.sweep();
      const later = await callAs(served, admin, { ...keyed("short-lived"), now: (Date.now() + served.shiftMs) / 1_000 });
      expect(later.status).toBe(201);
      expect(later.text).not.toBe(first.text);
    } finally {
      served.shiftMs = 0;
    }
  });

  test("keeps no secret of the answer readable in the store", async () => {
    const answer = await callAs(served, admin, keyed("secret-answer"));
    const { idempotencyCollection } = await import("./idempotency.ts");
    const page = await served.state.store.collection(idempotencyCollection).list({ limit: 1_000 });
    const stored = JSON.stringify(page.records);
    expect(page.records.length).toBeGreaterThan(0);
    expect(stored).not.toContain(String(answer.json["token"]));
    expect(stored).not.toContain("secret-answer");
  });

  test.each(["short", "x".repeat(129), "with space in it"])("of a wrong form is refused: %s", async (key) => {
    expect((await callAs(served, admin, keyed(key))).code).toBe("request.invalid");
  });
});

describe("the gate", () => {
  test("answers 503 to everything but the health page while it is shut", async () => {
    served.gate.close("a test shut it");
    try {
      for (const path of ["/api/me", "/", "/api/openapi.json", "/api/nowhere"]) {
        const answer = await fetch(served.url + path);
        expect([path, answer.status]).toEqual([path, 503]);
      }
      const health = await fetch(`${served.url}/healthz`);
      expect(health.status).toBe(503);
      expect(await health.json()).toMatchObject({ status: "unavailable", reason: "a test shut it" });
    } finally {
      served.gate.open();
    }
    expect((await callAs(served, admin, me)).status).toBe(200);
  });
});

test("every answer carries an id of the hub's own and the security headers; the log has no signature, nonce, token or query", async () => {
  const answer = await callAs(served, admin, {
    method: "GET",
    path: "/api/users?limit=7",
    headers: { "x-request-id": "mine", cookie: "session=secret-cookie" },
  });
  expect(answer.headers.get("x-request-id")).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const made = await callAs(served, admin, { ...invite, nonce: "nonce-that-must-not-show" });
  const log = served.log();
  expect(log).toContain(answer.headers.get("x-request-id"));
  expect(log).toContain(admin.endpoint);
  for (const secret of [
    String(made.json["token"]),
    "nonce-that-must-not-show",
    "secret-cookie",
    "limit=7",
    "sig1=",
    served.folder.keys.hubSeed,
    admin.signPub,
  ]) {
    expect(log).not.toContain(secret);
  }
});

test("an answer that leaves much of the body unread says that the connection ends", async () => {
  const oversized = { method: "POST", path: "/api/invitations", body: new Uint8Array(2 * 1024 * 1024) };
  const answer = await callAs(served, admin, oversized);
  expect([answer.code, answer.headers.get("connection")]).toEqual(["request.too_large", "close"]);
  expect((await callAs(served, admin, me)).headers.get("connection")).not.toBe("close");
});
