/**
 * The one walk over an uploaded component: checks every name, bounds everything that multiplies, and gives the bytes the transpiler may see.
 *
 * Invariant: what it returns holds no name the name check did not see and no custom section. It does not validate: the transpiler
 * does that for components and the engine for core modules. What it does not know it refuses, and each section must be filled to
 * its last byte, so it cannot be led to read something else than they do. Source: component model, Binary.md.
 */
import { isAppError } from "@althing/contract";
import { ByteReader } from "../metering/byte-reader.ts";
import { checkComponentName, checkCoreName, checkExportWord } from "./component-names.ts";
import { malformed, readDescription, readExternName, readType, type TypeFact } from "./component-types.ts";
import { readCoreModule } from "./core-module.ts";
import { refusePreparation } from "./refusal.ts";
import { maxComponentBytes, WalkBudget } from "./walk-limits.ts";
import type { ComponentImport } from "./worlds.ts";

/** What the walk learned of a component. */
export interface ComponentFacts {
  /** The component without custom sections. */
  readonly bytes: Uint8Array;
  readonly imports: readonly ComponentImport[];
  /** Functions and instances it exports. */
  readonly exports: readonly string[];
  /** Core instances that come to be, nested components multiplied out. */
  readonly instances: number;
}

const componentHead = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/** A component, as those that instantiate it see it. */
interface ComponentShape {
  readonly instances: number;
}

/** Index spaces of one component, as far as counting needs them. */
interface Scope {
  readonly components: ComponentShape[];
  /** Number of core modules, by whatever way they came in. */
  modules: number;
  readonly types: TypeFact[];
  readonly imports: ComponentImport[];
  readonly exports: string[];
  instances: number;
}

function leb(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

const noValues = (): never => refusePreparation("feature.component-values", "modules or components passed as values");

class ComponentWalk {
  readonly #budget = new WalkBudget();
  readonly #scopes: Scope[] = [];

  component(reader: ByteReader, depth: number): { readonly parts: Uint8Array[]; readonly scope: Scope } {
    this.#budget.depth(depth);
    const { bytes } = reader;
    const begin = reader.at;
    for (const expected of componentHead) if (reader.byte() !== expected) malformed("no component of the known version");
    const parts: Uint8Array[] = [bytes.subarray(begin, reader.at)];
    const scope: Scope = { components: [], modules: 0, types: [], imports: [], exports: [], instances: 0 };
    this.#scopes.push(scope);
    while (reader.at < reader.end) {
      const start = reader.at;
      const id = reader.byte();
      const size = reader.u32();
      const content = new ByteReader(bytes, reader.at, reader.at + size);
      reader.skip(size);
      this.#budget.items(1);
      if (id === 0) continue;
      const inner = this.#section(id, content, scope, depth);
      if (content.at !== content.end) malformed(`section ${id} at ${start} is not filled`);
      if (inner === undefined) parts.push(bytes.subarray(start, reader.at));
      else parts.push(Uint8Array.of(id), leb(lengthOf(inner)), ...inner);
    }
    this.#scopes.pop();
    return { parts, scope };
  }

  /** @returns the new content of the section, `undefined` when it stays as it is */
  #section(id: number, content: ByteReader, scope: Scope, depth: number): Uint8Array[] | undefined {
    if (id === 1) {
      scope.modules++;
      return readCoreModule(content, this.#budget);
    }
    if (id === 4) {
      const inner = this.component(content, depth + 1);
      scope.components.push({ instances: inner.scope.instances });
      return inner.parts;
    }
    const isRoot = depth === 0;
    if (id === 2) this.#each(content, () => this.#coreInstance(content, scope));
    else if (id === 3) refusePreparation("feature.core-types", "a section of core types");
    else if (id === 5) this.#each(content, () => this.#instance(content, scope));
    else if (id === 6) this.#each(content, () => this.#alias(content, scope));
    else if (id === 7) this.#each(content, () => scope.types.push(readType(content, this.#budget)));
    else if (id === 8) this.#each(content, () => this.#canonical(content));
    else if (id === 10) this.#each(content, () => this.#import(content, scope));
    else if (id === 11) this.#each(content, () => this.#export(content, scope, isRoot));
    else if (id === 9 || id === 12) refusePreparation("feature.values", `section ${id}: values`);
    else malformed(`section ${id}`);
    return undefined;
  }

  #each(reader: ByteReader, read: () => void): void {
    const count = reader.u32();
    this.#budget.items(count);
    for (let index = 0; index < count; index++) read();
  }

  #grow(scope: Scope, by: number): void {
    scope.instances += by;
    this.#budget.instances(scope.instances);
  }

  #coreInstance(reader: ByteReader, scope: Scope): void {
    const form = reader.byte();
    if (form === 0x00) {
      if (reader.u32() >= scope.modules) malformed("an instance of a core module that is not there");
      this.#grow(scope, 1);
      this.#each(reader, () => {
        checkCoreName(reader.vector(), "an argument of a core instance");
        if (reader.byte() !== 0x12) malformed("an argument of a core instance that is no instance");
        reader.u32();
      });
    } else if (form === 0x01) {
      this.#grow(scope, 1);
      this.#each(reader, () => {
        checkCoreName(reader.vector(), "an inline core export");
        this.#coreSort(reader);
        reader.u32();
      });
    } else malformed(`a core instance of form ${form}`);
  }

  #instance(reader: ByteReader, scope: Scope): void {
    const form = reader.byte();
    if (form === 0x00) {
      const shape = scope.components[reader.u32()] ?? malformed("an instance of a component that is not there");
      this.#grow(scope, 1 + shape.instances);
      this.#each(reader, () => {
        checkComponentName(reader.vector(), "an argument of an instance");
        this.#sortIndex(reader);
      });
    } else if (form === 0x01) {
      this.#grow(scope, 1);
      this.#each(reader, () => {
        readExternName(reader, "an inline export");
        this.#sortIndex(reader);
      });
    } else malformed(`an instance of form ${form}`);
  }

  /** @returns the core sort's code */
  #coreSort(reader: ByteReader): number {
    const sort = reader.byte();
    if (sort <= 0x04 || sort === 0x12) return sort;
    if (sort === 0x10) return refusePreparation("feature.core-types", "a core type");
    if (sort === 0x11) return sort;
    return malformed(`core sort ${sort}`);
  }

  /** A sort with its index, where components and modules may not stand. @returns the sort's code */
  #sortIndex(reader: ByteReader): number {
    const sort = reader.byte();
    if (sort === 0x04) noValues();
    if (sort === 0x02) refusePreparation("feature.values", "a value");
    if (sort === 0x00) {
      if (this.#coreSort(reader) === 0x11) noValues();
      malformed("a core sort where only component sorts may stand");
    }
    if (sort > 0x05) malformed(`sort ${sort}`);
    reader.u32();
    return sort;
  }

  #alias(reader: ByteReader, scope: Scope): void {
    const sort = reader.byte();
    const coreSort = sort === 0x00 ? this.#coreSort(reader) : undefined;
    if (sort === 0x02) refusePreparation("feature.values", "an alias of a value");
    if (sort > 0x05) malformed(`sort ${sort}`);
    const target = reader.byte();
    if (target === 0x02) return this.#outerAlias(reader, scope, sort, coreSort);
    if (sort === 0x04 || coreSort === 0x11) noValues();
    reader.u32();
    if (target === 0x00) checkComponentName(reader.vector(), "an alias");
    else if (target === 0x01) checkCoreName(reader.vector(), "a core alias");
    else malformed(`an alias of form ${target}`);
    if (sort === 0x03) scope.types.push(undefined);
  }

  #outerAlias(reader: ByteReader, scope: Scope, sort: number, coreSort: number | undefined): void {
    const outer = this.#scopes.at(-1 - reader.u32()) ?? malformed("an alias of a scope that is not there");
    const index = reader.u32();
    if (sort === 0x03) scope.types.push(outer.types[index]);
    else if (sort === 0x04) scope.components.push(outer.components[index] ?? malformed("an alias of a component that is not there"));
    else if (coreSort === 0x11) {
      if (index >= outer.modules) malformed("an alias of a core module that is not there");
      scope.modules++;
    } else malformed(`an outer alias of sort ${sort}`);
  }

  #canonical(reader: ByteReader): void {
    const form = reader.byte();
    if (form === 0x00 || form === 0x01) {
      if (reader.byte() !== 0x00) malformed("a canonical function of unknown form");
      reader.u32();
      this.#each(reader, () => {
        const option = reader.byte();
        if (option > 0x05) refusePreparation("feature.async", `canonical option ${option}`);
        if (option > 0x02) reader.u32();
      });
      if (form === 0x00) reader.u32();
    } else if (form >= 0x02 && form <= 0x04) reader.u32();
    else refusePreparation("feature.async", `canonical built-in 0x${form.toString(16)}`);
  }

  #import(reader: ByteReader, scope: Scope): void {
    const name = readExternName(reader, "an import");
    const described = readDescription(reader);
    if (described.kind === "value") return;
    if (described.kind === "type") scope.types.push(undefined);
    const functions = described.kind === "instance" ? scope.types[described.type] : undefined;
    scope.imports.push({ name, kind: described.kind, functions });
  }

  #export(reader: ByteReader, scope: Scope, isRoot: boolean): void {
    const name = readExternName(reader, "an export");
    if (isRoot) checkExportWord(name);
    const sort = this.#sortIndex(reader);
    const flag = reader.byte();
    if (flag === 1) readDescription(reader);
    else if (flag !== 0) malformed(`an option with flag ${flag}`);
    if (sort === 0x03) scope.types.push(undefined);
    else scope.exports.push(name);
  }
}

/**
 * Walks a component.
 * @throws {component.refused} and nothing else, whatever the bytes are
 */
export function walkComponent(component: Uint8Array): ComponentFacts {
  if (component.length > maxComponentBytes)
    refusePreparation("limit.component-bytes", `${component.length} bytes, more than ${maxComponentBytes}`);
  try {
    const { parts, scope } = new ComponentWalk().component(new ByteReader(component), 0);
    return { bytes: Buffer.concat(parts), imports: scope.imports, exports: scope.exports, instances: scope.instances };
  } catch (error) {
    if (isAppError(error)) throw error;
    return malformed(error instanceof Error ? error.constructor.name : "unreadable");
  }
}
