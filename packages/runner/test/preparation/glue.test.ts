/** The wrapping of the transpiler's text: what it closes off, and that an unexpected text is refused. */
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { checkSyntax, countInstances, guardedNames, wrapGlue } from "../../src/preparation/glue.ts";

const head = '"use components";\nexport function instantiate(getCoreModule, imports, instantiateCore = WebAssembly.instantiate) {\n';
const tail = "\n};\n\nexport const _util = {\n  \n}\n";
const glue = (body: string): string => head + body + tail;

interface Wrapped {
  createInstantiate(guards: object): (...args: unknown[]) => unknown;
}

const isWrapped = (module: unknown): module is Wrapped => typeof module === "object" && module !== null && "createInstantiate" in module;

async function load(body: string): Promise<Wrapped> {
  const module: unknown = await import(`data:text/javascript;base64,${Buffer.from(wrapGlue(glue(body))).toString("base64")}`);
  if (!isWrapped(module)) throw new Error("no createInstantiate");
  return module;
}

const guards: Record<string, unknown> = Object.fromEntries(guardedNames.map((name) => [name, () => name]));

function ruleOf(text: string): string | undefined {
  try {
    wrapGlue(text);
    return undefined;
  } catch (error) {
    if (isAppError(error)) return String(error.params["rule"]);
    throw error;
  }
}

describe("the wrapped glue", () => {
  it("exports only createInstantiate, and does nothing when loaded", async () => {
    const module = await load("globalThis.touched = 1; return 7;");
    expect(Object.keys(module)).toEqual(["createInstantiate"]);
    expect("touched" in globalThis).toBe(false);
  });

  it("has no name of the realm but guards and plain built-ins", async () => {
    const open = [
      "Object",
      "Array",
      "Promise",
      "Map",
      "Set",
      "Math",
      "JSON",
      "Error",
      "TypeError",
      "RangeError",
      "Number",
      "String",
      "Boolean",
    ].concat(
      ["Symbol", "BigInt", "ArrayBuffer", "WeakMap", "isNaN", "undefined", "NaN", "Infinity", "eval", "globalThis", "console"],
      guardedNames,
    );
    const names = [
      ...Object.getOwnPropertyNames(globalThis),
      "require",
      "module",
      "process",
      "fetch",
      "Function",
      "Reflect",
      "SharedArrayBuffer",
    ];
    const closed = names.filter((name) => !open.includes(name) && /^[A-Za-z_$][\w$]*$/.test(name) && !name.startsWith("__vite"));
    const module = await load(
      `return [${closed.map((name) => `["${name}", typeof ${name}]`).join(",")}].filter(([, type]) => type !== "undefined");`,
    );
    // vitest adds globals of its own to the realm after the wrapping has looked; none is among these.
    expect(module.createInstantiate(guards)()).toEqual([]);
    expect(closed).toEqual(
      expect.arrayContaining(["process", "require", "fetch", "Function", "Buffer", "setImmediate", "structuredClone"]),
    );
  });

  it("takes the guards in place of globals, and a globalThis with nothing but WebAssembly", async () => {
    const module = await load("return [Uint8Array(), setTimeout(), Object.keys(globalThis), globalThis?.process];");
    expect(module.createInstantiate(guards)()).toEqual(["Uint8Array", "setTimeout", ["WebAssembly"], undefined]);
  });

  it("does not begin without all guards", async () => {
    const module = await load("return 1;");
    for (const name of guardedNames.filter((guard) => guard !== "WebAssembly"))
      expect(() => module.createInstantiate({ ...guards, [name]: undefined })).toThrow(name);
  });

  it("goes through sliceBuffer where memory would be cut silently, also when an export bears its name", async () => {
    const sliced = { ...guards, sliceBuffer: (...args: unknown[]) => args };
    const module = await load("const memory0 = { buffer: 5 }; function sliceBuffer() {} return memory0.buffer.slice(1, 2 + 3);");
    expect(module.createInstantiate(sliced)()).toEqual([5, 1, 5]);
  });

  it("is not made of text with import expressions, unknown slices, or another head or end", () => {
    const imports = ["return import('node:fs');", "return import.meta.url;", "return import/**/('node:fs');"];
    for (const body of [...imports, "return a.buffer .slice(1)"]) expect([body, ruleOf(glue(body))]).toEqual([body, "glue.unexpected"]);
    expect(ruleOf(`x${glue("")}`)).toBe("glue.unexpected");
    expect(ruleOf(`${head}return 1;}`)).toBe("glue.unexpected");
  });
});

describe("the syntax check", () => {
  it("refuses what the engine does not parse, early errors included", async () => {
    for (const body of [
      "export const x = 1;",
      "import fs from 'node:fs';",
      "return 'a",
      "}",
      "{",
      "let a; let a;",
      "const await = 1;",
      "/*",
      "return `",
    ])
      await expect(checkSyntax(wrapGlue(glue(body))), body).rejects.toThrow("does not parse");
  });

  it("refuses what breaks out of the function", async () => {
    await expect(checkSyntax(wrapGlue(glue(`return 1;${tail}`)))).rejects.toThrow("does not parse");
    for (const body of [
      "}}\nimport fs from 'node:fs';\nfunction b() {{",
      "}})\nglobalThis.touched = 1;\n(function b() {{",
      "}}; globalThis.touched = 1; {{",
    ])
      await expect(checkSyntax(wrapGlue(glue(body))), body).rejects.toThrow("does not parse");
  });

  it("lets good text pass, and runs none of it", async () => {
    await checkSyntax(wrapGlue(glue("return 1;")));
    for (const text of [
      "globalThis.touched = 1;",
      "await (globalThis.touched = 1);",
      'import "data:text/javascript,globalThis.touched=1";',
    ])
      await checkSyntax(text).catch(() => undefined);
    expect("touched" in globalThis).toBe(false);
  });
});

describe("instances of modules", () => {
  const load1 = "const module0 = getCoreModule('component.core.wasm');\nconst module1 = getCoreModule('component.core2.wasm');\n";

  it("are counted", () => {
    const text = glue(
      `${load1}yield instantiateCore(yield module0); yield instantiateCore(yield module1, {}); yield instantiateCore(yield module1);`,
    );
    expect([...countInstances(text)]).toEqual([
      ["component.core.wasm", 1],
      ["component.core2.wasm", 2],
    ]);
  });

  it("in a form that is not understood are refused", () => {
    for (const body of [
      `${load1}instantiateCore(module0)`,
      `${load1}yield instantiateCore(yield module7)`,
      `${load1}const f = instantiateCore;`,
    ]) {
      expect(() => countInstances(glue(body))).toThrow("glue.unexpected");
    }
  });
});
