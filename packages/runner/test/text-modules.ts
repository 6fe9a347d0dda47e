/** WebAssembly text to bytes, instruction by instruction as written (wabt), for the tests. */
import openWabt from "wabt";

interface WabtModule {
  validate(features: object): void;
  toBinary(options: object): { buffer: Uint8Array };
  destroy(): void;
}

interface Wabt {
  parseWat(filename: string, text: string, features: object): WabtModule;
}

const features = {
  ...{ exceptions: true, mutable_globals: true, sat_float_to_int: true, sign_extension: true, simd: true, function_references: true },
  ...{ multi_value: true, tail_call: true, bulk_memory: true, reference_types: true, extended_const: true, gc: true, threads: true },
};

const wabt = (await (openWabt as unknown as () => Promise<unknown>)()) as Wabt;

export function fromText(source: string): Uint8Array {
  const module = wabt.parseWat("test.wat", source, features);
  try {
    module.validate(features);
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}
