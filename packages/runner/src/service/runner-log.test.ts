import { AppError } from "@althing/contract";
import { expect, test } from "vitest";
import { createRunnerLog } from "./runner-log.ts";

function open() {
  const lines: string[] = [];
  return { lines, log: createRunnerLog({ level: "debug", node: "n1", stream: { write: (line) => void lines.push(line) } }) };
}

test("a line says node, program and what happened", () => {
  const { lines, log } = open();
  log.warn({ op: "kv.get", err: new AppError("ext.unavailable", { detail: "away" }) }, "a host call failed");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "warn",
    node: "n1",
    program: "runner",
    op: "kv.get",
    msg: "a host call failed",
    err: { code: "ext.unavailable" },
  });
});

test("tokens, headers and keys reach no line, neither as fields nor in foreign errors", () => {
  const { lines, log } = open();
  const token = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF";
  log.error({ token, headers: { a: token }, deep: { authorization: token, secret: "short" } }, "fields");
  log.error(
    { err: new Error(`bad ${token}`, { cause: new Error(`-----BEGIN ${"PRIVATE"} KEY-----\nabc\n-----END ${"PRIVATE"} KEY-----`) }) },
    "errors",
  );
  expect(lines.join("")).not.toMatch(/Zm9v|short|BEGIN PRIVATE/);
});
