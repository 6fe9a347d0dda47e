/**
 * Values between a collection's schema and their JSON text.
 *
 * Invariant: what was accepted can be read again. A schema that JSON Schema can express has only values that JSON keeps, so one
 * check on the way in is enough; any other (dates, maps, transforms) is checked once more on what would be read back, so that
 * a value that JSON changes is refused at the write instead of poisoning the record. What is read is frozen to its leaves, so that one value may be given
 * to several readers; values that JSON does not keep (a date) cannot be, and each reader gets its own.
 */
import { AppError } from "@althing/contract";
import { z } from "zod";
import { storeLimits } from "./store-limits.ts";
import type { CollectionDef } from "./types.ts";

export interface ValueCodec<T> {
  /** @throws {store.value_invalid} {store.value_too_large} */
  encode(value: T): string;
  /** @throws {store.value_invalid} */
  decode(text: string): T;
  /** May what `decode` returned be given to several readers? */
  readonly isShareable: boolean;
}

function survivesJson(schema: z.ZodType): boolean {
  try {
    z.toJSONSchema(schema, { io: "output", unrepresentable: "throw" });
    return true;
  } catch {
    return false;
  }
}

export function createValueCodec<T>(def: CollectionDef<T>, maxBytes: number = storeLimits.valueMaxBytes): ValueCodec<T> {
  const checkAgain = !survivesJson(def.schema);
  const parse = (value: unknown): T => {
    const parsed = def.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const detail = `${issue?.path.map(String).join(".") || "(root)"}: ${issue?.message ?? "invalid"}`;
    throw new AppError("store.value_invalid", { collection: def.name, detail }, { cause: parsed.error });
  };
  const parseText = (text: string): T => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new AppError("store.value_invalid", { collection: def.name, detail: "not JSON" }, { cause });
    }
    return parse(value);
  };
  return {
    encode(value) {
      const text = stringify(def.name, parse(value));
      if (checkAgain) parseText(text);
      // UTF-8 takes at most three bytes a UTF-16 unit: short texts need no count.
      const bytes = text.length * 3 <= maxBytes ? 0 : Buffer.byteLength(text);
      if (bytes > maxBytes) throw new AppError("store.value_too_large", { observed: bytes, limit: maxBytes });
      return text;
    },
    decode: checkAgain ? parseText : (text) => freeze(parseText(text)),
    isShareable: !checkAgain,
  };
}

/** Plain JSON, so there are no circles and nothing that cannot be frozen. */
function freeze<V>(value: V): V {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}

function stringify(collection: string, value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw new AppError("store.value_invalid", { collection, detail: "the value has no JSON form" }, { cause });
  }
  throw new AppError("store.value_invalid", { collection, detail: "the value has no JSON form" });
}
