import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { AppError } from "@althing/contract";
import { newNkey } from "@althing/bus";
import { createLog, scrub } from "./log.ts";

function capture() {
  let text = "";
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  return { log: createLog({ level: "debug", node: "t", stream }), text: () => text };
}

test("text of foreign errors loses seeds, signatures, tokens and keys in PEM", () => {
  const { seed } = newNkey();
  const secrets = [
    seed,
    "A".repeat(86),
    "b".repeat(43),
    "c".repeat(64),
    ["-----BEGIN", "PRIVATE KEY-----\nabc\n-----END", "PRIVATE KEY-----"].join(" "),
  ];
  for (const secret of secrets) expect(scrub(`it failed with ${secret} inside`)).not.toContain(secret);
  expect(scrub("ENOENT: no such file, open 'data/state.db'")).toContain("data/state.db");
});

test("a logged error keeps its code and causes, not their secrets", () => {
  const { log, text } = capture();
  const { seed } = newNkey();
  log.error({ err: new AppError("system.internal", { requestId: "x" }, { cause: new Error(`bad seed ${seed}`) }) }, "failed");
  expect(text()).toContain("system.internal");
  expect(text()).toContain("bad seed [seed]");
  expect(text()).not.toContain(seed);
});

test("fields that hold secrets are redacted wherever they are logged by mistake", () => {
  const { log, text } = capture();
  log.info(
    {
      token: "t0ps3cret",
      headers: { cookie: "t0ps3cret" },
      request: { body: "t0ps3cret", signature: "t0ps3cret" },
      nonce: "t0ps3cret",
      url: "/x?t0ps3cret",
    },
    "oops",
  );
  expect(text()).not.toContain("t0ps3cret");
});

test("a request's line is JSON with exactly the fields of the contract", () => {
  const { log, text } = capture();
  log.access({ requestId: "R", route: "me.get", status: 200, code: "ok", ms: 1.5, endpoint: undefined });
  expect(JSON.parse(text())).toMatchObject({
    level: "info",
    node: "t",
    requestId: "R",
    route: "me.get",
    status: 200,
    code: "ok",
    ms: 1.5,
    msg: "request",
  });
});
