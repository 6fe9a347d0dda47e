/**
 * Turns the transpiler's JavaScript into the module that a sandbox loads.
 *
 * Invariant: the result has one export, `createInstantiate(guards)`, and nothing runs when it is loaded. Inside, every name of the
 * realm is one of three: a guard given by the sandbox, a harmless built-in of the language, or `undefined`. So text of a component
 * that got past the name check would still find no `process`, no `require`, no `fetch`, no `import`. Expectations about the transpiler's
 * text are checked, not assumed: a version that writes something else is refused here, not misread.
 */
import { refusePreparation } from "./refusal.ts";

/**
 * Names the sandbox must give to `createInstantiate`, each as a property of `guards`.
 *
 * `sliceBuffer(buffer, start, end)` stands in place of `buffer.slice(start, end)`, which cuts silently at the end of memory; its
 * numbers come from the guest as signed 32-bit integers.
 */
export const guardedNames = [
  "DataView",
  "TextDecoder",
  "TextEncoder",
  "Uint8Array",
  "Int8Array",
  "Uint16Array",
  "Int16Array",
  "Uint32Array",
  "Int32Array",
  "BigUint64Array",
  "BigInt64Array",
  "Float32Array",
  "Float64Array",
  "WebAssembly",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "queueMicrotask",
  "FinalizationRegistry",
  "sliceBuffer",
] as const;

/** Built-ins of the language that the glue uses as they are. */
export const plainNames: readonly string[] = [
  ...["Array", "ArrayBuffer", "BigInt", "Boolean", "Error", "JSON", "Map", "Math", "Number", "Object"],
  ...["Promise", "RangeError", "Set", "String", "Symbol", "TypeError", "WeakMap", "isNaN"],
];

/** Names of a component become identifiers in camel case; this is none. */
const sliceAlias = "__slice$buffer";

/** Words that a declaration may not name. */
const undeclarable: readonly string[] = ["undefined", "NaN", "Infinity", "eval", "arguments"];

const head = '"use components";\nexport function instantiate(getCoreModule, imports, instantiateCore = WebAssembly.instantiate) {';
const tail = /\n\};?\s*export const _util = \{\s*\}\s*$/;

/** What the transpiler writes for loading without a host, and must not reach a sandbox. */
const removable: readonly RegExp[] = [
  /\n( *)const isNode = typeof process [^\n]*\n *let _fs;\n *async function fetchCompile \(url\) \{\n[^]*?\n\1\}\n/,
  /\n *if \(!getCoreModule\) getCoreModule = \(name\) => fetchCompile\([^\n]*\n/,
];

function expectOnce(text: string, pattern: RegExp, what: string): void {
  if ([...text.matchAll(new RegExp(pattern, "g"))].length !== 1) refusePreparation("glue.unexpected", `${what} does not stand there once`);
}

/** Globals of this realm that become `undefined` in the glue. The sandbox runs the same engine, so its realm has the same. */
function shadowedNames(): string[] {
  const open = new Set<string>([...guardedNames, ...plainNames, ...undeclarable, "globalThis", "console"]);
  const names = [
    ...Object.getOwnPropertyNames(globalThis),
    "require",
    "module",
    "exports",
    "__filename",
    "__dirname",
    "WebSocket",
    "EventSource",
  ];
  return [...new Set(names)].filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && !open.has(name)).sort();
}

/**
 * Which files the glue loads and how many core instances of each come to be.
 * @throws {component.refused} `glue.unexpected`
 */
export function countInstances(text: string): Map<string, number> {
  const files = new Map<string, string>();
  for (const [, variable = "", file = ""] of text.matchAll(/^ *const (module\d+) = getCoreModule\('([a-z0-9.]+)'\);$/gm))
    files.set(variable, file);
  const instances = new Map<string, number>([...files.values()].map((file) => [file, 0]));
  let seen = 0;
  for (const [, variable = ""] of text.matchAll(/\binstantiateCore\(yield (module\d+)[,)]/g)) {
    const file = files.get(variable) ?? refusePreparation("glue.unexpected", `${variable} is not loaded`);
    instances.set(file, (instances.get(file) ?? 0) + 1);
    seen++;
  }
  const all = [...text.matchAll(/\binstantiateCore\b/g)].length - 1;
  if (all !== seen || files.size !== instances.size) refusePreparation("glue.unexpected", `${all} instantiations, ${seen} understood`);
  return instances;
}

/**
 * Whether the engine parses `text` as a module. It never runs: the first import cannot be resolved, and a module graph is linked whole
 * before anything of it runs. Nothing that follows can take the import back.
 */
async function parses(text: string): Promise<boolean> {
  const unlinkable = Buffer.from(`import "althing:never";\n${text}`).toString("base64");
  const error: unknown = await import(`data:text/javascript;base64,${unlinkable}`).catch((thrown: unknown) => thrown);
  return error instanceof Error && "code" in error && error.code === "ERR_UNSUPPORTED_ESM_URL_SCHEME";
}

/**
 * Checks that wrapped glue parses and is one function, without running any of it. As a declaration and inside parentheses: what breaks
 * out of the one form is a syntax error in the other.
 * @throws {component.refused} `glue.unexpected`
 */
export async function checkSyntax(wrapped: string): Promise<void> {
  const isOneFunction = (await parses(wrapped)) && (await parses(`(${wrapped.replace(/^export /, "")});`));
  if (!isOneFunction) refusePreparation("glue.unexpected", "the text does not parse as one function");
}

/**
 * Wraps the transpiler's text.
 * @returns text of an ES module that exports `createInstantiate(guards)`, which gives the transpiler's `instantiate`
 * @throws {component.refused} `glue.unexpected` when the text is not as this version of the transpiler writes it
 */
export function wrapGlue(text: string): string {
  if (!text.startsWith(head)) refusePreparation("glue.unexpected", "the text does not begin as expected");
  expectOnce(text, tail, "the end of the text");
  let body = text.slice('"use components";\nexport '.length).replace(tail, "\n};\n");
  for (const pattern of removable) body = body.replace(pattern, "\n");
  body = body.replace(/\b([A-Za-z_$][\w$]*)\.buffer\.slice\(/g, `${sliceAlias}($1.buffer, `);
  if (/\.buffer\s*\.\s*slice\b/.test(body)) refusePreparation("glue.unexpected", "a slice of a buffer in an unknown form");
  if (/\bimport\s*(?:[(.]|\/[*/])/.test(body)) refusePreparation("glue.unexpected", "an import expression");
  const closed = [
    "function createInstantiate(guards) {",
    '"use strict";',
    `for (const name of ${JSON.stringify(guardedNames)}) if (typeof guards[name] !== "function" && name !== "WebAssembly") throw new TypeError("guard missing: " + name);`,
    `const { ${guardedNames.map((name) => (name === "sliceBuffer" ? `sliceBuffer: ${sliceAlias}` : name)).join(", ")} } = guards;`,
    `const globalThis = { __proto__: null, WebAssembly };`,
    `const console = { __proto__: null, debug() {}, error() {}, log() {}, warn() {} };`,
    `let ${shadowedNames().join(", ")};`,
    body,
    "return instantiate;",
    "}",
  ].join("\n");
  return `export ${closed}\n`;
}
