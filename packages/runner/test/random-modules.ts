/**
 * Seeded random modules from Binaryen's translate-to-fuzz.
 *
 * The npm package has that pass only in its command `wasm-opt`, an Emscripten program of 11 MB that takes 0.3 s to start. Here
 * its script is read once, its WebAssembly compiled once, and run anew in this process for each seed: about 15 ms a module.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

type Run = (module: object, require: NodeJS.Require, filename: string, dirname: string) => void;

/** A small, fast generator of 32-bit numbers (mulberry32), good enough to seed a fuzzer. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

export interface RandomModules {
  /** The module of a seed; the same for the same seed and size. */
  module(seed: number, inputBytes: number): Promise<Uint8Array>;
  close(): void;
}

/** Features of Binaryen that the engine does not take, or that the pass refuses by policy. */
const without = [
  ...["threads", "memory64", "multimemory", "shared-everything", "stack-switching", "custom-descriptors"],
  ...[
    "strings",
    "fp16",
    "custom-page-sizes",
    "multibyte",
    "wide-arithmetic",
    "compact-imports",
    "relaxed-atomics",
    "acquire-release-atomics",
  ],
];

interface Program {
  readonly text: string;
  readonly filename: string;
  readonly require: NodeJS.Require;
  /** The WebAssembly inside the script. */
  readonly binary: Uint8Array;
}

/** Reads Binaryen's `wasm-opt`; its binary of 7 MB also serves as a large real module. */
export function readWasmOpt(): Program {
  const require = createRequire(import.meta.url);
  const filename = require.resolve("binaryen/bin/wasm-opt");
  const text = readFileSync(filename, "utf8").replace(/^#!.*/, "");
  const binaryOf = new Function(
    "require",
    "__filename",
    "__dirname",
    `var Module={instantiateWasm(){}};${text};return findWasmBinary();`,
  ) as (require: NodeJS.Require, filename: string, dirname: string) => Uint8Array;
  return { text, filename, require, binary: binaryOf(require, filename, dirname(filename)) };
}

export function openRandomModules(exclude: readonly string[] = without): RandomModules {
  const { text, filename, require, binary } = readWasmOpt();
  const run = new Function("Module", "require", "__filename", "__dirname", `${text};`) as Run;
  const compiled = new WebAssembly.Module(binary as BufferSource);
  const folder = mkdtempSync(join(tmpdir(), "althing-fuzz-"));
  const input = join(folder, "seed.bin");
  const output = join(folder, "out.wasm");
  const generate = async (passes: readonly string[]): Promise<Uint8Array> => {
    rmSync(output, { force: true });
    await new Promise<void>((resolve, reject) => {
      const lines: string[] = [];
      const finish = (): void => resolve();
      run(
        {
          arguments: [input, "-ttf", ...passes, "-all", ...exclude.map((name) => `--disable-${name}`), "-o", output, "-q"],
          instantiateWasm: (imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void) => {
            receive(new WebAssembly.Instance(compiled, imports));
            return {};
          },
          print: (line: string) => lines.push(line),
          printErr: (line: string) => lines.push(line),
          postRun: finish,
          onExit: finish,
          onAbort: () => reject(new Error(lines.join("\n"))),
        },
        require,
        filename,
        dirname(filename),
      );
    });
    return new Uint8Array(readFileSync(output));
  };
  return {
    async module(seed, inputBytes) {
      const random = createRandom(seed);
      const bytes = new Uint8Array(inputBytes);
      for (let index = 0; index < inputBytes; index++) bytes[index] = random();
      writeFileSync(input, bytes);
      const plain = await generate([]);
      // The generator mixes old and new exception handling, which no engine takes: then all of it becomes new.
      return WebAssembly.validate(plain as BufferSource) ? plain : generate(["--translate-to-exnref"]);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
