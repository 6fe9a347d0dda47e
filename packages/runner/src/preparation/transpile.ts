/**
 * From a component's bytes to what a sandbox loads: walk, transpile, meter, compile. Runs in the disposable child only.
 *
 * Invariant: the transpiler sees nothing the walk has not passed, and every module that comes out is metered, within its grant and
 * known to compile; none is ever instantiated here. The library's generator is called directly: the package's main entry also
 * loads an optimiser, a minifier (a native addon, which the permission model forbids) and a second tool.
 */
import type * as Transpiler from "@bytecodealliance/jco-transpile/component";
import { defaultMeterLimits, type InjectedNames, meterModule } from "../metering/index.ts";
import { readLayout } from "../metering/module-layout.ts";
import { isExpectedCoreName } from "./component-names.ts";
import { walkComponent } from "./component-walk.ts";
import { checkSyntax, countInstances, wrapGlue } from "./glue.ts";
import { mergeDataSegments } from "./merge-data.ts";
import { type ModuleNeeds, pageBytes, planMemories } from "./memory-plan.ts";
import { refusePreparation } from "./refusal.ts";
import { chooseWorld, type GuestWorld, type GuestWorlds, resolveImports } from "./worlds.ts";

/** What the child is asked for. */
export interface TranspileRequest {
  readonly component: Uint8Array;
  readonly worlds: GuestWorlds;
  readonly maxMemoryBytes: number;
  readonly maxGlueBytes: number;
}

export interface TranspiledModule {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly names: InjectedNames;
  readonly instances: number;
  readonly minMemoryBytes: number;
  readonly maxMemoryBytes: number;
}

export interface Transpiled {
  /** Of the world that was chosen. */
  readonly profile: GuestWorld["profile"];
  readonly glue: Uint8Array;
  readonly modules: readonly TranspiledModule[];
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

type Generator = typeof Transpiler;

let generator: Promise<Generator> | undefined;

/** Loads the transpiler; the child calls it before a component comes. */
export function loadTranspiler(): Promise<Generator> {
  generator ??= (async () => {
    const loaded = await import("@bytecodealliance/jco-transpile/component");
    await loaded.$init;
    return loaded;
  })();
  return generator;
}

const baseName = "component";

async function generate(bytes: Uint8Array, asyncImports: string[], asyncExports: string[]): Promise<[string, Uint8Array][]> {
  const transpiler = await loadTranspiler();
  try {
    const generated = transpiler.generate(bytes, {
      name: baseName,
      map: [],
      instantiation: { tag: "async" },
      asyncMode: { tag: "jspi", val: { imports: asyncImports, exports: asyncExports } },
      noTypescript: true,
      noComponentErrorWrapping: true,
      bindgenEnableWasmExnref: true,
    });
    return generated.files;
  } catch (error) {
    return refusePreparation("transpile", error instanceof Error ? error.message : String(error));
  }
}

function needsOf(bytes: Uint8Array, instances: number): ModuleNeeds {
  const layout = readLayout(bytes, defaultMeterLimits);
  const memory = layout.memories[0];
  return {
    instances,
    minimumPages: memory?.minimum,
    maximumPages: memory?.maximum,
    tableElements: layout.tables.reduce((total, table) => total + table.minimum, 0),
  };
}

/** The engine's reading of the names, after ours: they must agree that nothing unexpected is there. */
function checkNamesAgain(module: WebAssembly.Module): void {
  const names = [
    ...WebAssembly.Module.imports(module).flatMap((entry) => [entry.module, entry.name]),
    ...WebAssembly.Module.exports(module).map((entry) => entry.name),
  ];
  if (!names.every(isExpectedCoreName)) refusePreparation("name.core", "the engine reads another name than the name check did");
}

async function compile(bytes: Uint8Array): Promise<void> {
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(Uint8Array.from(bytes));
  } catch {
    return refusePreparation("compile", "the engine does not take a metered module");
  }
  checkNamesAgain(module);
}

/** Meters and compiles every module, each within its share of memory and tables. */
async function meterModules(
  binaries: readonly (readonly [string, Uint8Array])[],
  instances: ReadonlyMap<string, number>,
  maxMemoryBytes: number,
): Promise<TranspiledModule[]> {
  const needs = binaries.map(([name, bytes]) =>
    needsOf(bytes, instances.get(name) ?? refusePreparation("glue.unexpected", "a module that is not loaded")),
  );
  const grants = planMemories(needs, maxMemoryBytes);
  const modules: TranspiledModule[] = [];
  for (const [index, [name, original]] of binaries.entries()) {
    const [need, grant] = [needs[index], grants[index]];
    if (need === undefined || grant === undefined) return refusePreparation("glue.unexpected", "a module without a plan");
    const { bytes: metered, report } = meterModule(original, grant);
    const bytes = mergeDataSegments(metered);
    await compile(bytes);
    const maxPages = need.minimumPages === undefined ? 0 : Math.min(need.maximumPages ?? Infinity, grant.maxMemoryPages);
    modules.push({
      name,
      bytes,
      names: report.names,
      instances: need.instances,
      minMemoryBytes: (need.minimumPages ?? 0) * pageBytes,
      maxMemoryBytes: maxPages * pageBytes,
    });
  }
  return modules;
}

/**
 * Prepares one component.
 * @throws {component.refused}
 */
export async function transpileComponent(request: TranspileRequest): Promise<Transpiled> {
  const facts = walkComponent(request.component);
  const { world, asyncExports } = chooseWorld(request.worlds, facts.exports);
  const asyncImports = resolveImports(world, facts.imports);
  const files = await generate(facts.bytes, asyncImports, [...asyncExports]);
  const script = files.find(([name]) => name === `${baseName}.js`)?.[1] ?? refusePreparation("glue.unexpected", "no script");
  if (script.length > request.maxGlueBytes)
    refusePreparation("limit.glue-bytes", `${script.length} bytes of glue, more than ${request.maxGlueBytes}: the types are too large`);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(script);
  const instances = countInstances(text);
  const binaries = files.filter(([name]) => name.endsWith(".wasm"));
  if (binaries.length !== instances.size || files.length !== binaries.length + 1)
    refusePreparation("glue.unexpected", "files that are not expected");
  const glue = wrapGlue(text);
  await checkSyntax(glue);
  const modules = await meterModules(binaries, instances, request.maxMemoryBytes);
  const imports = facts.imports.filter((entry) => entry.kind !== "type").map((entry) => entry.name);
  return { profile: world.profile, glue: new TextEncoder().encode(glue), modules, imports, exports: facts.exports };
}
