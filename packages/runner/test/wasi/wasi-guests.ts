/**
 * Guests of `wasi:http/proxy` for the tests, from two toolchains: a JavaScript application through componentize-js, and core modules written
 * by hand, wrapped by wit-component. The interfaces are those that ship with the component tools, under the version a test wants.
 *
 * The JavaScript component takes seconds to make and is kept in the temporary folder of the system under the hash of what it is made of.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { tempDir } from "@althing/testkit";
import binaryen from "binaryen";

const packages = ["io", "clocks", "random", "cli", "filesystem", "sockets", "http"];
const shipped = "0.2.12";
/** What the engine of componentize-js was built with. */
const engineVersion = "0.2.10";

/** The interfaces as text, by package. */
export async function wasiTexts(version = shipped): Promise<ReadonlyMap<string, string>> {
  const folder = new URL(`../lib/wit/builtin/${shipped}/`, import.meta.resolve("@bytecodealliance/jco"));
  const texts = await Promise.all(packages.map((name) => readFile(new URL(`wasi-${name}/package.wit`, folder), "utf8")));
  return new Map(packages.map((name, index) => [name, (texts[index] ?? "").replaceAll(shipped, version)]));
}

const worldText = (version: string): string => `package test:guest;\nworld proxy {\n  include wasi:http/proxy@${version};\n}\n`;

const programs = fileURLToPath(new URL("./programs/", import.meta.url));

async function componentizeJs(name: string, result: string): Promise<void> {
  const wit = await tempDir();
  try {
    await writeFile(join(wit.path, "world.wit"), worldText(engineVersion));
    for (const [package_, text] of await wasiTexts(engineVersion)) {
      await mkdir(join(wit.path, "deps", package_), { recursive: true });
      await writeFile(join(wit.path, "deps", package_, "package.wit"), text);
    }
    const made = join(wit.path, "component.wasm");
    await promisify(execFile)(process.execPath, [join(programs, "componentize.mjs"), join(programs, name), wit.path, made]);
    await writeFile(`${result}.${process.pid}`, await readFile(made));
    await rename(`${result}.${process.pid}`, result);
  } finally {
    await wit.remove();
  }
}

/** The application of programs/hono-app.js. */
export async function honoComponent(): Promise<Uint8Array> {
  const hash = createHash("sha256").update(engineVersion);
  const inputs = [
    ...["componentize.mjs", "hono-app.js"].map((name) => join(programs, name)),
    ...["hono", "@bytecodealliance/componentize-js"].map((name) => join(fileURLToPath(import.meta.resolve(name)), "../..", "package.json")),
  ];
  for (const input of inputs) hash.update(await readFile(input).catch(() => ""));
  const path = join(tmpdir(), `althing-test-hono-${hash.digest("hex").slice(0, 16)}.wasm`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) return new Uint8Array(kept);
  await componentizeJs("hono-app.js", path);
  return new Uint8Array(await readFile(path));
}

/** A function a handwritten guest imports: its name in the module, interface, function, parameters and results in core types. */
type CoreImport = readonly [interfaceName: string, fn: string, params: string, results?: string];

const coreImports: Readonly<Record<string, CoreImport>> = {
  now: ["clocks/monotonic-clock", "now", "", "i64"],
  subscribe_duration: ["clocks/monotonic-clock", "subscribe-duration", "i64", "i32"],
  poll: ["io/poll", "poll", "i32 i32 i32"],
  block: ["io/poll", "[method]pollable.block", "i32"],
  drop_pollable: ["io/poll", "[resource-drop]pollable", "i32"],
  random: ["random/random", "get-random-bytes", "i64 i32"],
  get_stdout: ["cli/stdout", "get-stdout", "", "i32"],
  directories: ["filesystem/preopens", "get-directories", "i32"],
  environment: ["cli/environment", "get-environment", "i32"],
  create_tcp: ["sockets/tcp-create-socket", "create-tcp-socket", "i32 i32"],
  exit: ["cli/exit", "exit", "i32"],
  write: ["io/streams", "[method]output-stream.write", "i32 i32 i32 i32"],
  write_zeroes: ["io/streams", "[method]output-stream.write-zeroes", "i32 i64 i32"],
  path: ["http/types", "[method]incoming-request.path-with-query", "i32 i32"],
  new_fields: ["http/types", "[constructor]fields", "", "i32"],
  append: ["http/types", "[method]fields.append", "i32 i32 i32 i32 i32 i32"],
  clone: ["http/types", "[method]fields.clone", "i32", "i32"],
  drop_fields: ["http/types", "[resource-drop]fields", "i32"],
  new_response: ["http/types", "[constructor]outgoing-response", "i32", "i32"],
  set_status: ["http/types", "[method]outgoing-response.set-status-code", "i32 i32", "i32"],
  response_body: ["http/types", "[method]outgoing-response.body", "i32 i32"],
  body_write: ["http/types", "[method]outgoing-body.write", "i32 i32"],
  body_finish: ["http/types", "[static]outgoing-body.finish", "i32 i32 i32 i32"],
  drop_body: ["http/types", "[resource-drop]outgoing-body", "i32"],
  set_answer: ["http/types", "[static]response-outparam.set", "i32 i32 i32 i32 i64 i32 i32 i32 i32"],
  new_request: ["http/types", "[constructor]outgoing-request", "i32", "i32"],
  request_body: ["http/types", "[method]outgoing-request.body", "i32 i32"],
  set_authority: ["http/types", "[method]outgoing-request.set-authority", "i32 i32 i32 i32", "i32"],
  send: ["http/outgoing-handler", "handle", "i32 i32 i32 i32"],
  future_get: ["http/types", "[method]future-incoming-response.get", "i32 i32"],
  future_subscribe: ["http/types", "[method]future-incoming-response.subscribe", "i32", "i32"],
};

/** Text at 0; results of the host at 1024; the allocator from 65,536 on. */
const result = 1024;
const fromResult = `(i32.load (i32.const ${result + 4}))`;

/** Instructions that answer with a status and the text of the guest: response, body, stream, write, finish. */
export const answer = (status: number, length: number): string => `
  (local.set $response (call $new_response (call $new_fields)))
  (drop (call $set_status (local.get $response) (i32.const ${status})))
  (call $response_body (local.get $response) (i32.const ${result})) (local.set $body ${fromResult})
  (call $body_write (local.get $body) (i32.const ${result})) (local.set $stream ${fromResult})
  (call $set_answer (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (call $write (local.get $stream) (i32.const 0) (i32.const ${length}) (i32.const ${result}))
  (call $body_finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const ${result}))`;

export interface HandwrittenGuest {
  /** At address 0. */
  readonly text?: string;
  /** The body of `handle`; locals are $request, $out, $response, $body, $stream, $a, $b and $n (i64). */
  readonly code: string;
  readonly pages?: number;
  readonly version?: string;
}

/** Not all: the newest ones change how imports are written. */
const features = ["BulkMemory", "ExceptionHandling", "Multivalue", "MutableGlobals", "ReferenceTypes", "SignExt"].reduce(
  (sum, name) => sum | Number(Reflect.get(binaryen.Features, name)),
  0,
);

/** A component of a module in text form, made by wit-component as every toolchain does. */
export async function handwritten({ text = "", code, pages = 4, version = "0.2.0" }: HandwrittenGuest): Promise<Uint8Array> {
  const used = Object.entries(coreImports).filter(([name]) => new RegExp(`\\$${name}\\b`).test(code));
  const imports = used.map(([name, [interfaceName, fn, params, results]]) => {
    const signature = `${params === "" ? "" : `(param ${params})`} ${results === undefined ? "" : `(result ${results})`}`;
    return `(import "wasi:${interfaceName}@${version}" "${fn}" (func $${name} ${signature}))`;
  });
  const source = `(module ${imports.join("\n")}
    (memory (export "memory") ${pages})
    (data (i32.const 0) ${JSON.stringify(text)})
    (global $free (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $free))
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
      (local.get $at))
    (func (export "wasi:http/incoming-handler@${version}#handle") (param $request i32) (param $out i32)
      (local $response i32) (local $body i32) (local $stream i32) (local $a i32) (local $b i32) (local $n i64)
      ${code}))`;
  const module = binaryen.parseText(source);
  module.setFeatures(features);
  const binary = module.emitBinary();
  module.dispose();
  const nested = [...(await wasiTexts(version)).values()].map((wit) => wit.replace(/^package ([^;]+);/m, "package $1 {").concat("\n}\n"));
  const world = worldText(version).replace(
    "include wasi:http",
    `import wasi:cli/environment@${version};
  import wasi:cli/exit@${version};
  import wasi:filesystem/preopens@${version};
  import wasi:sockets/tcp-create-socket@${version};
  include wasi:http`,
  );
  const embedded = await componentEmbed({ binary, witSource: `${world}${nested.join("\n")}`, world: "proxy", stringEncoding: "utf8" });
  return new Uint8Array(await componentNew(embedded));
}
