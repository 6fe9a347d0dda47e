/**
 * Steps over constant expressions and adds up what they allocate.
 *
 * Constant expressions run at instantiation, before any fuel is given, so objects they make are bounded here instead: sizes are
 * computed from the expression itself, and an array whose length is not a literal (it may come from an imported global) is
 * refused. Everything else a constant expression can do takes time linear in its bytes. Source: core specification 3.0 §3.4.11.
 */
import type { ByteReader } from "./byte-reader.ts";
import { refuse } from "./refusal.ts";
import { arrayHeaderBytes, skipHeapType, type TypeRow } from "./type-section.ts";

/** Bytes allocated so far, and the most allowed. */
export interface ConstantBudget {
  bytes: number;
  readonly maxBytes: number;
}

function allocate(budget: ConstantBudget, bytes: number): void {
  budget.bytes += bytes;
  if (budget.bytes > budget.maxBytes) refuse("gc.constant-allocation", `constant expressions allocate more than ${budget.maxBytes} bytes`);
}

/** One instruction of the prefix 0xfb; `literal` is the i32 literal just before it, if any. */
function skipGc(reader: ByteReader, types: readonly TypeRow[], budget: ConstantBudget, literal: number | undefined): void {
  const code = reader.u32();
  if (code >= 26 && code <= 28) return;
  const type = code <= 8 ? types[reader.u32()] : undefined;
  if (type === undefined) return refuse("opcode.unknown", `constant instruction 0xfb 0x${code.toString(16)}`);
  if (code <= 1) return allocate(budget, type.bytes);
  if (code === 8) return allocate(budget, arrayHeaderBytes + reader.u32() * type.bytes);
  if (code !== 6 && code !== 7) return refuse("opcode.unknown", `constant instruction 0xfb 0x${code.toString(16)}`);
  if (literal === undefined) return refuse("gc.constant-allocation", "an array in a constant expression whose length is no literal");
  allocate(budget, arrayHeaderBytes + (literal >>> 0) * type.bytes);
}

/** @throws {component.refused} */
export function skipConstantExpression(reader: ByteReader, types: readonly TypeRow[], budget: ConstantBudget): void {
  let literal: number | undefined;
  for (;;) {
    const before = literal;
    literal = undefined;
    const code = reader.byte();
    if (code === 0x0b) return;
    else if (code === 0x41) literal = reader.s33();
    else if (code === 0x42 || code === 0x23 || code === 0xd2) reader.skipInteger();
    else if (code === 0x43) reader.skip(4);
    else if (code === 0x44) reader.skip(8);
    else if (code === 0xd0) skipHeapType(reader);
    else if (code === 0xfb) skipGc(reader, types, budget, before);
    else if (code === 0xfd) {
      if (reader.u32() !== 12) refuse("opcode.unknown", `constant instruction before ${reader.at}`);
      reader.skip(16);
    } else if (!((code >= 0x6a && code <= 0x6c) || (code >= 0x7c && code <= 0x7e))) {
      refuse("opcode.unknown", `constant instruction 0x${code.toString(16)}`);
    }
  }
}
