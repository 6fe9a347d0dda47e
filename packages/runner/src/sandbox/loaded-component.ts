/**
 * The one component of this process: its glue and its compiled modules, made once from bytes the service has checked.
 *
 * The glue is what the preparation wrote, loaded from a `data:` URL so that the bytes that were hashed are the bytes that run. A
 * process loads one component in its life.
 */
import type { InjectedNames } from "../metering/meter-module.ts";
import type { ServiceMessage } from "./messages.ts";

export interface CompiledModule {
  readonly module: WebAssembly.Module;
  readonly names: InjectedNames;
  readonly minMemoryBytes: number;
}

export type CoreInstance = { readonly exports: Readonly<Record<string, WebAssembly.ExportValue>> };
export type Instantiate = (
  getCoreModule: (name: string) => CompiledModule,
  imports: object,
  instantiateCore: (module: CompiledModule, imports?: WebAssembly.Imports) => CoreInstance | Promise<CoreInstance>,
) => Promise<Readonly<Record<string, unknown>>>;

export interface LoadedComponent {
  readonly createInstantiate: (guards: Readonly<Record<string, unknown>>) => Instantiate;
  readonly module: (name: string) => CompiledModule;
  /** Operation by interface (without version) and function in camel case. */
  readonly operations: ReadonlyMap<string, ReadonlyMap<string, Operation>>;
  readonly interfaces: ReadonlySet<string>;
  readonly profile: string;
  readonly slice: number;
}

export interface Operation {
  /** As the host knows it: interface and function, e.g. `kv.list-entries`. */
  readonly name: string;
  readonly answered: boolean;
}

type LoadMessage = Extract<ServiceMessage, { type: "load" }>;

interface Glue {
  readonly createInstantiate: LoadedComponent["createInstantiate"];
}

function isGlue(module: unknown): module is Glue {
  return typeof module === "object" && module !== null && "createInstantiate" in module && typeof module.createInstantiate === "function";
}

export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** `althing:extension/kv@1.0.0` as the glue asks for it (without version) and as operations name it (`kv`). */
function interfaceNames(full: string): { readonly key: string; readonly short: string } {
  const key = full.replace(/@[^@]*$/, "");
  return { key, short: key.slice(key.lastIndexOf("/") + 1) };
}

/** Reads `pkg:ns/iface@ver#fn` entries. */
function operationTable(asyncImports: readonly string[]): Map<string, Map<string, Operation>> {
  const table = new Map<string, Map<string, Operation>>();
  for (const entry of asyncImports) {
    const [full = "", name = ""] = entry.split("#");
    const { key, short } = interfaceNames(full);
    const functions = table.get(key) ?? new Map<string, Operation>();
    functions.set(camelCase(name), { name: `${short}.${name}`, answered: true });
    table.set(key, functions);
  }
  return table;
}

/** An operation the world does not list as asynchronous: one-way. */
export function oneWayOperation(interfaceKey: string, name: string): Operation {
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { name: `${interfaceNames(interfaceKey).short}.${kebab}`, answered: false };
}

/** Compiles and loads. @throws whatever the engine says of modules or glue that are none */
export async function loadComponent(message: LoadMessage): Promise<LoadedComponent> {
  const modules = new Map<string, CompiledModule>();
  await Promise.all(
    message.modules.map(async ({ name, names, minMemoryBytes, bytes }) => {
      const module = await WebAssembly.compile(new Uint8Array(bytes));
      modules.set(name, { module, names, minMemoryBytes });
    }),
  );
  const text = Buffer.from(message.glue.buffer, message.glue.byteOffset, message.glue.byteLength).toString("base64");
  const glue: unknown = await import(`data:text/javascript;base64,${text}`);
  if (!isGlue(glue)) throw new TypeError("the glue exports no createInstantiate");
  return {
    createInstantiate: glue.createInstantiate,
    module(name) {
      const found = modules.get(name);
      if (found === undefined) throw new TypeError("the glue asks for a module that was not prepared");
      return found;
    },
    operations: operationTable(message.asyncImports),
    interfaces: new Set(message.interfaces.map((name) => interfaceNames(name).key)),
    profile: message.profile,
    slice: message.slice,
  };
}
