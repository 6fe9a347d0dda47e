import { expect, test } from "vitest";
import { createGuestLog, logLineMaxChars } from "./guest-log.ts";
import { createKnownSecrets } from "./known-secrets.ts";

function open(maxBytes: number) {
  const secrets = createKnownSecrets();
  let ms = 0;
  const log = createGuestLog({ maxBytes, elapsedMs: () => ms, conceal: (text) => secrets.conceal(text) });
  return { log, secrets, wait: (more: number) => (ms += more) };
}

test("lines keep order and time", () => {
  const { log, wait } = open(10_000);
  log.write("info", "a");
  wait(1.234_567);
  log.note("warn", "b");
  expect(log.lines()).toEqual([
    { at: 0, level: "info", message: "a" },
    { at: 1.235, level: "warn", message: "b" },
  ]);
});

test("whatever is written, the kept lines stay within the bytes, and what is missing is counted", () => {
  for (const text of ["", "x", "é".repeat(50), "\n".repeat(9_000)]) {
    const { log } = open(5_000);
    for (let i = 0; i < 500; i++) log.write("debug", text);
    const lines = log.lines();
    const kept = lines.slice(0, -1);
    expect(kept.reduce((sum, line) => sum + Buffer.byteLength(line.message), 0)).toBeLessThanOrEqual(5_000);
    expect(kept.length).toBeLessThan(80);
    expect(lines.at(-1)).toMatchObject({ level: "warn", message: `${500 - kept.length} more lines were dropped: a log holds 5000 bytes` });
  }
});

test("a log without room keeps nothing and says so; the platform's lines have their own room", () => {
  const { log } = open(0);
  log.write("info", "a");
  log.note("warn", "denied");
  expect(log.lines().map((line) => line.message)).toEqual(["denied", "1 more line was dropped: a log holds 0 bytes"]);
  for (let i = 0; i < 10_000; i++) log.note("warn", "denied again and again");
  expect(log.lines().length).toBeLessThan(200);
});

test("a secret is concealed also where the line is cut, and short ones are left alone", () => {
  const { log, secrets } = open(100_000);
  secrets.remember("LONG", "0123456789");
  secrets.remember("PIN", "12");
  log.write("info", `${"x".repeat(logLineMaxChars - 5)}0123456789`);
  log.write("info", "a 0123456789 b 12");
  expect(log.lines()[0]?.message).not.toContain("01234");
  expect(log.lines()[1]?.message).toBe("a [secret LONG] b 12");
});
