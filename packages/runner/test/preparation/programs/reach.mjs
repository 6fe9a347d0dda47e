// A child that tries what the permission model must deny, and answers with what worked.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { decode, encode } from "cborg";

/** @type {string[]} */
const worked = [];
/** @type {(name: string, action: () => unknown) => Promise<void>} */
const attempt = async (name, action) => {
  try {
    await action();
    worked.push(name);
  } catch {
    // Denied, as it should be.
  }
};
await attempt("read", () => readFileSync("/etc/passwd"));
await attempt("environment", () => {
  const names = Object.keys(process.env).filter((name) => !["PWD", "SHLVL", "_", "OLDPWD"].includes(name));
  if (names.length === 0) throw new Error("none");
});
await attempt("write", () => writeFileSync("/tmp/althing-reach", "x"));
await attempt("folder", () => mkdtempSync("/tmp/althing-reach-"));
await attempt("process", () => {
  if (spawnSync(process.execPath, ["--version"]).error) throw new Error("denied");
});
await attempt("worker", () => new Worker("", { eval: true }));
await attempt("code", () => new Function("return 1")());
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { port } = decode(Buffer.concat(chunks).subarray(4));
await attempt(
  "network",
  () => new Promise((resolve, reject) => connect({ host: "127.0.0.1", port }).once("error", reject).once("connect", resolve)),
);
await attempt("fetch", () => fetch(`http://127.0.0.1:${port}/`));
const content = encode({ ok: false, rule: "reached", detail: worked.join(" ") || "nothing" });
const head = Buffer.alloc(4);
head.writeUInt32BE(content.length);
process.stdout.write(Buffer.concat([head, content]), () => process.exit(0));
