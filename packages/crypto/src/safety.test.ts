import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import type { KexPub, SignPub } from "@althing/contract";
import { safetyNumber, type SafetyKeys } from "./safety.ts";

const keysOf = (sign: string, kex: string): SafetyKeys => ({ signPub: sign.repeat(32) as SignPub, kexPub: kex.repeat(32) as KexPub });
const a = keysOf("11", "22");
const b = keysOf("33", "44");

it("a safety number is twelve groups of five digits, the same from both sides", () => {
  expect(safetyNumber(a, b)).toMatch(/^(\d{5} ){11}\d{5}$/);
  expect(safetyNumber(a, b)).toBe(safetyNumber(b, a));
});

it("a safety number changes with any key of either side", () => {
  const numbers = [
    safetyNumber(a, b),
    safetyNumber(keysOf("12", "22"), b),
    safetyNumber(keysOf("11", "23"), b),
    safetyNumber(a, keysOf("34", "44")),
    safetyNumber(a, keysOf("33", "45")),
  ];
  expect(new Set(numbers).size).toBe(numbers.length);
});

it("a safety number is what an independent reading of its definition gives", () => {
  const half = ({ signPub, kexPub }: SafetyKeys): string => {
    const pubs = Buffer.from(signPub + kexPub, "hex");
    let digest = createHash("sha512").update("althing/safety/v1\0").update(pubs).digest();
    for (let round = 2; round <= 5_200; round++) digest = createHash("sha512").update(digest).update(pubs).digest();
    return Array.from({ length: 6 }, (_, group) =>
      (BigInt(`0x${digest.subarray(group * 5, group * 5 + 5).toString("hex")}`) % 100_000n).toString().padStart(5, "0"),
    ).join(" ");
  };
  expect(safetyNumber(a, b)).toBe([half(a), half(b)].sort().join(" "));
});
