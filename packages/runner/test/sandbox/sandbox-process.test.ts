/** One process that has been taken over: what it says is refused, what it tries is denied, and the service is none the worse. */
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InvocationRequest, InvocationResult } from "../../src/sandbox/index.ts";
import { type Isolation, sandboxIsolation } from "../../src/sandbox/isolation.ts";
import { layOutProgram, type ProgramFolder } from "../../src/sandbox/program-folder.ts";
import { SandboxProcess } from "../../src/sandbox/sandbox-process.ts";
import { kitHost, limits, linesLog, type LogLine } from "./sandbox-world.ts";

const timeout = { timeout: 60_000 };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const files = (glue: string) => ({
  profile: "extension",
  glue: encode(glue),
  modules: [],
  asyncImports: [],
  interfaces: [],
  slice: 100_000,
});

let isolation: Isolation;
let programs: ProgramFolder[];

beforeAll(async () => {
  isolation = await sandboxIsolation();
  programs = await Promise.all(["liar", "outbreak"].map((name) => layOutProgram(new URL(`./programs/${name}.ts`, import.meta.url))));
});
afterAll(() => Promise.all(programs.map((program) => program.remove())));

function start(
  program: ProgramFolder | undefined,
  log: LogLine[],
  apart: Isolation = isolation,
): { process: SandboxProcess; ended: Promise<void> } {
  if (program === undefined) throw new Error("no program");
  const ended = Promise.withResolvers<void>();
  const owner = { roomChanged() {}, ended: () => ended.resolve() };
  return { process: new SandboxProcess({ program, isolation: apart, owner, log: linesLog(log) }), ended: ended.promise };
}

const request: InvocationRequest = {
  binding: "a",
  component: {
    folder: "",
    prepared: {
      format: 1,
      key: "",
      componentSha256: "",
      profile: "",
      tools: "",
      glue: { name: "component.js", sha256: "", bytes: 0 },
      modules: [],
      imports: [],
      exports: [],
      mac: "",
    },
  },
  exportName: "handle",
  args: [],
  host: kitHost,
  limits,
};

async function lie(text: string, host = kitHost): Promise<{ result: InvocationResult; log: LogLine[]; alive: boolean }> {
  const log: LogLine[] = [];
  const { process } = start(programs[0], log);
  await process.load(files(text));
  const result = await new Promise<InvocationResult>((resolve) => process.run({ ...request, host }, false, resolve));
  await new Promise((resolve) => setTimeout(resolve, text === "ends twice" ? 200 : 0));
  const alive = process.state !== "ended";
  process.end("closed", "the test is over");
  return { result, log, alive };
}

describe("a process that lies", () => {
  const lies: Readonly<Record<string, string>> = {
    "another id": "it speaks of a call that is not running here",
    "another end": "it speaks of a call that is not running here",
    "a call twice": "a host call sent twice",
    "too many calls": "host calls above their limit",
    "too much log": "a log above its limit",
    "too many bytes": "bytes for one call",
    "an unknown type": "no message",
    "a field more": "no message",
    "a long frame": "a frame of 4294967295 bytes",
    "no CBOR": "CBOR",
    "deep nesting": "nested deeper than 64",
    "ready again": "it began twice",
    "a pong": "an answer to no ping",
  };
  for (const [text, detail] of Object.entries(lies)) {
    it(`is ended for ${text}`, timeout, async () => {
      const { result, alive } = await lie(text, { call: () => new Promise(() => {}) });
      expect(alive).toBe(false);
      expect(result.end).toMatchObject({ status: "killed", rule: "protocol", code: "ext.unavailable" });
      expect(result.end.status === "killed" && result.end.detail).toContain(detail);
    });
  }

  it("is ended when it ends a call twice, and the first end stands", timeout, async () => {
    const { result, log } = await lie("ends twice");
    expect(result.end).toEqual({ status: "ok", value: 1 });
    expect(log.map(({ fields }) => fields["detail"])).toEqual(["it speaks of a call that is not running here"]);
  });

  it("cannot report more fuel than it was given", timeout, async () => {
    expect((await lie("forged fuel")).result.fuel).toBe(limits.fuel);
  });

  it("writes as much output as it likes, and nobody keeps it", timeout, async () => {
    expect((await lie("output")).result.end).toEqual({ status: "ok", value: "done" });
  });

  it("gives the host no object with a prototype of its choice", timeout, async () => {
    const seen = Promise.withResolvers<unknown>();
    void lie("a prototype", {
      call: async (_op, args) => {
        seen.resolve(args[0]);
        throw new Error("ends the call");
      },
    });
    const arg = await seen.promise;
    expect(typeof arg === "object" && arg !== null && Reflect.getPrototypeOf(arg)).toBe(Object.prototype);
    expect(Reflect.get(Object(arg), "admin")).toBeUndefined();
  });
});

describe("a process with every builtin of Node", () => {
  const denied = [
    "connect",
    "listen",
    "http",
    "fetch",
    "websocket",
    "datagram",
    "dns",
    "read a secret",
    "read /etc/passwd",
    "list /",
  ].concat(["write here", "write to the program", "spawn", "worker", "inspector", "addon", "code from text"]);

  async function breakOut(apart: Isolation): Promise<Record<string, unknown>> {
    await using dir = await tempDir();
    const secretFile = join(dir.path, "secret");
    await writeFile(secretFile, "secret", { mode: 0o644 });
    const server = createServer((_request, response) => response.end("reached"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const log: LogLine[] = [];
    const { process: sandbox, ended } = start(programs[1], log, apart);
    sandbox.load(files(JSON.stringify([port, process.pid, secretFile]))).catch(() => {});
    await ended;
    server.close();
    return JSON.parse(String(log.find(({ fields }) => "output" in fields)?.fields["output"]));
  }

  it("reaches no socket, file, child, thread, inspector, addon or generated code by the flags alone", timeout, async () => {
    const outcome = await breakOut({ kind: "permission-model", detail: "", prefix: [], user: undefined });
    for (const attempt of denied) expect([attempt, outcome[attempt]]).not.toEqual([attempt, "done"]);
    expect(outcome["environment"]).toBe(0);
  });

  it("cannot see or signal the service where the machine gives it namespaces of its own", timeout, async () => {
    const outcome = await breakOut(isolation);
    for (const attempt of denied) expect([attempt, outcome[attempt]]).not.toEqual([attempt, "done"]);
    if (isolation.kind === "permission-model") return;
    const expected = isolation.kind === "namespace" ? "ESRCH" : "EPERM";
    expect(outcome["signal the service"]).toBe(expected);
  });
});
