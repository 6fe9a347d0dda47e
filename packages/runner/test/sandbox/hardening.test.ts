/** Glue that an attacker wrote, in the real sandbox: what JavaScript can reach there by any route. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openSandboxWorld, type SandboxWorld } from "./sandbox-world.ts";

let world: SandboxWorld;

beforeAll(async () => {
  world = await openSandboxWorld();
});
afterAll(() => world.close());

const builtins = [
  "fs",
  "net",
  "dgram",
  "http",
  "dns",
  "child_process",
  "worker_threads",
  "inspector",
  "module",
  "vm",
  "os",
  "process",
  "v8",
].concat(["cluster", "repl", "async_hooks", "diagnostics_channel", "test", "wasi", "sqlite"]);

/** Each must throw, or give `undefined` or nothing at all. */
const routes: Readonly<Record<string, string>> = {
  "a control that works": "1",
  ...Object.fromEntries(builtins.map((name) => [`import ${name}`, `import("node:${name}")`])),
  "import a file": 'import("file:///etc/passwd")',
  "import more code": 'import("data:text/javascript;base64,ZXhwb3J0IGRlZmF1bHQgMQ==")',
  "a builtin of the process": 'process.getBuiltinModule("fs")',
  "a builtin by its constructor": 'process.constructor.getBuiltinModule("fs")',
  "a builtin by its prototype": 'Object.getPrototypeOf(process).getBuiltinModule("fs")',
  "the main module": "process.mainModule.require('fs')",
  require: 'require("fs")',
  "require of the module": 'module.require("fs")',
  kill: "process.kill(process.ppid, 0)",
  "raw kill": "process._kill(process.ppid, 0)",
  "kill of the prototype": "Object.getPrototypeOf(process).kill(process.ppid, 0)",
  "debug a process": "process._debugProcess(process.ppid)",
  binding: 'process.binding("fs")',
  "linked binding": 'process._linkedBinding("fs")',
  dlopen: 'process.dlopen({ exports: {} }, "x")',
  execve: 'process.execve("/bin/true", [])',
  chdir: 'process.chdir("/")',
  umask: "process.umask(0)",
  "user of the process": "process.setuid(0)",
  report: "process.report.writeReport()",
  abort: "process.abort()",
  "standard output": "process.stdout.constructor",
  "channel to the parent": "process.send({})",
  "handles of the process": "process._getActiveHandles()[0].constructor",
  "requests of the process": "process._getActiveRequests()",
  eval: 'eval("1")',
  "a function from text": 'new Function("return 1")()',
  "a function from a function": '(async () => {}).constructor("return 1")()',
  "a timer from text": 'setTimeout("1")',
  fetch: 'fetch("http://127.0.0.1/")',
  WebSocket: 'new WebSocket("ws://127.0.0.1/")',
  EventSource: 'new EventSource("http://127.0.0.1/")',
  Worker: "new Worker('')",
  BroadcastChannel: 'new BroadcastChannel("x")',
  "change of a prototype": "Object.prototype.taken = 1; ({}).taken || undefined",
  "change of a built-in": "Array.prototype.push = 1; [].push === 1 || undefined",
  "proto setter": "({}).__proto__",
  performance: "performance.now()",
  storage: "localStorage.length",
  "call sites": `(() => { const old = Error.prepareStackTrace; Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFunction() ?? site.getThis()).find(Boolean);
    try { return new Error().stack instanceof Function || undefined } finally { Error.prepareStackTrace = old } })()`,
  "a module to compile in": "import.meta.resolve('node:fs') && import('node:fs')",
};

it("leads nowhere: no builtin, no signal, no handle, no code from text, no change of the language", { timeout: 60_000 }, async () => {
  const entries = Object.entries(routes).map(
    ([name, code]) =>
      `[${JSON.stringify(name)}, async () => (${code.includes(";") && !code.startsWith("(") ? `(() => { ${code.replace(/;\s*([^;]+)$/, "; return $1")} })()` : code})]`,
  );
  const glue = await world.glueComponent(`
    export const createInstantiate = () => async () => ({ handle: async () => {
      const reached = [];
      for (const [name, run] of [${entries.join(",\n")}]) {
        try { const got = await run(); if (got !== undefined) reached.push(name + ": " + typeof got); } catch {}
      }
      return reached;
    } });`);
  const pool = world.pool({ maxProcesses: 1 });
  const { end } = await world.call(pool, glue);
  expect(end).toEqual({ status: "ok", value: ["a control that works: number"] });
  expect(pool.stats().restarts).toBe(0);
});

it("a guest's result that is no value, or a promise of glue that never settles, ends that call only", { timeout: 60_000 }, async () => {
  const glue = await world.glueComponent(`
    export const createInstantiate = ({ setTimeout, queueMicrotask }) => async () => ({ handle: async (payload) => {
      if (payload[0] === 0) return () => 1;
      if (payload[0] === 1) { queueMicrotask(() => { throw new Error("x"); }); await new Promise(() => {}); }
      if (payload[0] === 2) { setTimeout(() => { throw new Error("x"); }, 1); await new Promise(() => {}); }
      if (payload[0] === 3) { Promise.reject(new Error("nobody looks")); return payload; }
      if (payload[0] === 4) { const ring = {}; ring.ring = ring; return ring; }
      await new Promise(() => {});
    } });`);
  const pool = world.pool({ maxProcesses: 1 });
  const ends = [];
  for (let round = 0; round < 6; round++) {
    const { end } = await world.call(pool, glue, { payload: Uint8Array.of(round), limits: { timeMs: 1_000 } });
    ends.push(end.status === "killed" ? end.rule : end.status);
  }
  expect(ends).toEqual(["trap", "trap", "trap", "ok", "result", "time"]);
  expect(pool.stats().restarts).toBe(0);
});
