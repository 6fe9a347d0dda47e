/**
 * A process in which an attacker has everything Node gives, builtins included: started with the flags of a sandbox but without its
 * hardening, it tries what a sandbox must not be able to do and writes what came of it to its standard output, as JSON.
 */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect, createServer, Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { setPriority } from "node:os";
import { decodePayload, FrameReader } from "../../../src/sandbox/frames.ts";

const [port, victim, secretFile] = await new Promise<[number, number, string]>((resolve) => {
  const reader = new FrameReader();
  new Socket({ fd: 3 })
    .on("data", (chunk: Uint8Array) => {
      for (const payload of reader.push(chunk, 1e6)) {
        const message = decodePayload(payload);
        if (typeof message === "object" && message !== null && "glue" in message && message.glue instanceof Uint8Array)
          resolve(JSON.parse(new TextDecoder().decode(message.glue)));
      }
    })
    .write(Uint8Array.of(0, 0, 0, 12, 0xa1, 0x64, 0x74, 0x79, 0x70, 0x65, 0x65, 0x72, 0x65, 0x61, 0x64, 0x79));
});

const event = (start: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void): Promise<unknown> =>
  new Promise(start);

const attempts: Readonly<Record<string, () => unknown>> = {
  connect: () => event((resolve, reject) => connect(port, "127.0.0.1", () => resolve(1)).on("error", reject)),
  listen: () =>
    event((resolve, reject) =>
      createServer()
        .on("error", reject)
        .listen(0, "127.0.0.1", () => resolve(1)),
    ),
  http: () => event((resolve, reject) => get(`http://127.0.0.1:${port}/`, resolve).on("error", reject)),
  fetch: () => fetch(`http://127.0.0.1:${port}/`),
  websocket: () =>
    event((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("refused")));
    }),
  datagram: () =>
    event((resolve, reject) =>
      createSocket("udp4")
        .on("error", reject)
        .send("x", port, "127.0.0.1", (error) => (error ? reject(error) : resolve(1))),
    ),
  dns: () => lookup("localhost"),
  "read a secret": () => readFileSync(secretFile),
  "read /etc/passwd": () => readFileSync("/etc/passwd"),
  "list /": () => readdirSync("/"),
  "write here": () => writeFileSync("x", "x"),
  "write to the program": () => writeFileSync(new URL("./x", import.meta.url), "x"),
  spawn: () => {
    const { error } = spawnSync(process.execPath, ["--version"]);
    if (error !== undefined) throw error;
  },
  worker: () => event((resolve, reject) => new Worker("1", { eval: true }).on("error", reject).on("exit", resolve)),
  inspector: async () => {
    const { open } = await import("node:inspector");
    open(0);
  },
  addon: () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6"),
  "code from text": () => Reflect.construct(Function, ["return 1"]),
  "signal the service": () => process.kill(victim, 0),
  "priority of the service": () => setPriority(victim, 1),
};

/** Some denials are thrown where nobody can catch them. */
let uncaught: (error: unknown) => void = () => {};
process.on("uncaughtException", (error) => uncaught(error));

const outcome: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    const failed = event((_resolve, reject) => {
      uncaught = reject;
      setTimeout(reject, 3_000, new Error("no answer"));
    });
    await Promise.race([failed, attempt()]);
    outcome[name] = "done";
  } catch (error) {
    outcome[name] = error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
process.stdout.write(JSON.stringify({ ...outcome, environment: Object.keys(process.env).length }), () => process.exit(1));
