/**
 * Reads the type section of a component: every name in it is checked, the rest is stepped over.
 *
 * Source: component model, Binary.md, "Type definitions". Types of components and of core modules, streams, futures, maps and
 * asynchronous functions are refused: no toolchain for this platform writes them, and what is not read cannot be misread.
 */
import type { ByteReader } from "../metering/byte-reader.ts";
import { checkComponentName, checkLabel } from "./component-names.ts";
import { refusePreparation } from "./refusal.ts";
import type { WalkBudget } from "./walk-limits.ts";

/** Function exports of an instance type; `undefined` for every other type. */
export type TypeFact = readonly string[] | undefined;

/** What a sort or a description says about the thing it describes. */
export type Described = { readonly kind: "function" | "value" | "type" } | { readonly kind: "instance"; readonly type: number };

export const malformed = (detail: string): never => refusePreparation("component.malformed", detail);

/** Steps over a value type: a primitive or an index. */
export function skipComponentValueType(reader: ByteReader): void {
  const first = reader.peek();
  if (first >= 0x40 && first < 0x80) {
    reader.byte();
    if (first < 0x73) malformed(`value type 0x${first.toString(16)} at ${reader.at - 1}`);
    return;
  }
  if (reader.s33() < 0) malformed(`a negative type index before ${reader.at}`);
}

function skipOptionalType(reader: ByteReader): void {
  const flag = reader.byte();
  if (flag === 1) skipComponentValueType(reader);
  else if (flag !== 0) malformed(`an option with flag ${flag}`);
}

function readLabels(reader: ByteReader, budget: WalkBudget, each: () => void): void {
  const count = reader.u32();
  budget.items(count);
  for (let index = 0; index < count; index++) {
    checkLabel(reader.vector(), "a label");
    each();
  }
}

function skipFunctionType(reader: ByteReader, budget: WalkBudget): void {
  readLabels(reader, budget, () => skipComponentValueType(reader));
  const form = reader.byte();
  if (form === 0) return skipComponentValueType(reader);
  if (form !== 1) malformed(`a result list of form ${form}`);
  // Named results are gone from the model; the empty list is how "no result" is written.
  if (reader.u32() !== 0) malformed("named results");
}

/** Kind of a name before its length: 0 and 1 mean the same to readers of today. */
export function readExternName(reader: ByteReader, where: string): string {
  const form = reader.byte();
  if (form > 1) refusePreparation("name.component", `${where} has a name of form ${form}`);
  return checkComponentName(reader.vector(), where);
}

/** Reads an extern description. */
export function readDescription(reader: ByteReader): Described {
  const form = reader.byte();
  if (form === 0x01) {
    reader.u32();
    return { kind: "function" };
  }
  if (form === 0x03) {
    const bound = reader.byte();
    if (bound === 0) reader.u32();
    else if (bound !== 1) malformed(`a type bound of form ${bound}`);
    return { kind: "type" };
  }
  if (form === 0x05) return { kind: "instance", type: reader.u32() };
  if (form === 0x00 || form === 0x04) return refusePreparation("feature.component-values", "modules or components as imports or exports");
  if (form === 0x02) return refusePreparation("feature.values", "values as imports or exports");
  return malformed(`a description of form ${form} at ${reader.at - 1}`);
}

/** Alias inside an instance type: a type of an enclosing scope or of an instance. */
function readTypeAlias(reader: ByteReader): void {
  const sort = reader.byte();
  if (sort === 0x00) refusePreparation("feature.core-types", "an alias of a core type");
  if (sort !== 0x03) malformed(`an alias of sort ${sort} in an instance type`);
  const target = reader.byte();
  if (target === 0x00) {
    reader.u32();
    checkComponentName(reader.vector(), "an alias");
  } else if (target === 0x02) {
    reader.u32();
    reader.u32();
  } else malformed(`an alias target of form ${target} in an instance type`);
}

function readInstanceType(reader: ByteReader, budget: WalkBudget, depth: number): string[] {
  budget.typeDepth(depth);
  const functions: string[] = [];
  const count = reader.u32();
  budget.items(count);
  for (let index = 0; index < count; index++) {
    const form = reader.byte();
    if (form === 0x00) refusePreparation("feature.core-types", "a core type in an instance type");
    else if (form === 0x01) readType(reader, budget, depth);
    else if (form === 0x02) readTypeAlias(reader);
    else if (form === 0x04) {
      const name = readExternName(reader, "an export of an instance type");
      if (readDescription(reader).kind === "function") functions.push(name);
    } else malformed(`a declaration of form ${form} in an instance type`);
  }
  return functions;
}

/** Reads one type definition. */
export function readType(reader: ByteReader, budget: WalkBudget, depth = 0): TypeFact {
  const form = reader.byte();
  const value = (): void => skipComponentValueType(reader);
  if (form >= 0x73 && form <= 0x7f) return undefined;
  if (form === 0x72) readLabels(reader, budget, value);
  else if (form === 0x71) {
    readLabels(reader, budget, () => {
      skipOptionalType(reader);
      if (reader.byte() !== 0) malformed("a case that refines another");
    });
  } else if (form === 0x70 || form === 0x6b) value();
  else if (form === 0x6f) {
    const count = reader.u32();
    budget.items(count);
    for (let index = 0; index < count; index++) value();
  } else if (form === 0x6e || form === 0x6d) readLabels(reader, budget, () => undefined);
  else if (form === 0x6a) {
    skipOptionalType(reader);
    skipOptionalType(reader);
  } else if (form === 0x69 || form === 0x68) reader.u32();
  else if (form === 0x40) skipFunctionType(reader, budget);
  else if (form === 0x42) return readInstanceType(reader, budget, depth + 1);
  else if (form === 0x3f) {
    if (reader.byte() !== 0x7f) malformed("a resource that is not represented by i32");
    const flag = reader.byte();
    if (flag === 1) reader.u32();
    else if (flag !== 0) malformed(`an option with flag ${flag}`);
  } else if (form === 0x41) refusePreparation("feature.component-types", "a type of components");
  else if (form === 0x43 || form === 0x3e || form === 0x65 || form === 0x66 || form === 0x64) {
    refusePreparation("feature.async", `type 0x${form.toString(16)}: asynchronous types`);
  } else malformed(`type 0x${form.toString(16)} at ${reader.at - 1}`);
  return undefined;
}
