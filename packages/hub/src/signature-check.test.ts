/** Here or apart: the verdict is the same, and the pool never holds more than its share. */
import { isAppError } from "@althing/contract";
import { parseSignature, signRequest, type ParsedSignature } from "@althing/crypto";
import { beforeAll, expect, test } from "vitest";
import { newIdentity } from "../test/serve-hub.ts";
import { apartMax, createSignatureCheck } from "./signature-check.ts";

let good: ParsedSignature;
let forged: ParsedSignature;

beforeAll(async () => {
  const url = "https://hub.example/api/me";
  const headers = await signRequest(await newIdentity(), { method: "GET", url, headers: {}, now: 1_790_000_000 });
  good = parseSignature({ method: "GET", targetUri: url, headers: Object.entries(headers), hasBody: false });
  forged = { ...good, base: good.base.replace("GET", "PUT") };
});

/** Runs a verification and says what came of it. */
async function verdict(verify: () => unknown): Promise<string> {
  try {
    await verify();
    return "good";
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.code;
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("a request alone is verified at once, turn after turn", async () => {
  const check = createSignatureCheck();
  for (let turn = 0; turn < 3; turn++) {
    expect(check.verify(good)).toBeUndefined();
    await nextTurn();
    expect(() => check.verify(forged)).toThrow(expect.objectContaining({ code: "auth.bad_signature" }));
    await nextTurn();
  }
});

test("of many at once the first is verified here, the others apart, each with its own verdict", async () => {
  const check = createSignatureCheck();
  const made = Array.from({ length: 40 }, (_, n) => (n % 3 === 2 ? forged : good));
  const verdicts = made.map((parsed) => verdict(() => check.verify(parsed)));
  expect(check.apart).toBe(39);
  expect(await Promise.all(verdicts)).toEqual(made.map((parsed) => (parsed === forged ? "auth.bad_signature" : "good")));
  expect(check.apart).toBe(0);
});

test("never more than its share is apart; what is beyond is verified here, and refusals give their place back", async () => {
  const check = createSignatureCheck();
  const verdicts = Array.from({ length: apartMax + 1 }, () => verdict(() => check.verify(forged)));
  expect(check.apart).toBe(apartMax);
  expect(check.verify(good)).toBeUndefined();
  expect(() => check.verify(forged)).toThrow(expect.objectContaining({ code: "auth.bad_signature" }));
  expect(new Set(await Promise.all(verdicts))).toEqual(new Set(["auth.bad_signature"]));
  expect(check.apart).toBe(0);
});
