// The canonical ABI of `althing:extension@1.0.0` by hand: where fields lie in memory, and the imported functions.
// Offsets follow the component model's layout rules (records in order, each field aligned; a variant's payload at its alignment).
// Text crosses as UTF-8. docs/architecture/extension-abi.md.

// @ts-ignore: decorator
@external("althing:extension/log@1.0.0", "write")
export declare function logWrite(level: i32, text: usize, length: i32): void;
// @ts-ignore: decorator
@external("althing:extension/http@1.0.0", "fetch")
export declare function httpFetch(method: usize, methodLength: i32, url: usize, urlLength: i32, headers: usize, headerCount: i32, body: usize, bodyLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/kv@1.0.0", "get")
export declare function kvGet(key: usize, keyLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/kv@1.0.0", "put")
export declare function kvPut(key: usize, keyLength: i32, value: usize, valueLength: i32, hasExpect: i32, expect: u64, hasTtl: i32, ttlSeconds: u32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/kv@1.0.0", "delete")
export declare function kvDelete(key: usize, keyLength: i32, hasExpect: i32, expect: u64, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/kv@1.0.0", "list-entries")
export declare function kvList(prefix: usize, prefixLength: i32, hasAfter: i32, after: usize, afterLength: i32, limit: u32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/secrets@1.0.0", "get")
export declare function secretsGet(name: usize, nameLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/metrics@1.0.0", "record")
export declare function metricsRecord(kind: i32, name: usize, nameLength: i32, labels: usize, labelCount: i32, value: f64, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/events@1.0.0", "emit")
export declare function eventsEmit(topic: usize, topicLength: i32, subject: usize, subjectLength: i32, data: usize, dataLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/rooms@1.0.0", "post")
export declare function roomsPost(room: usize, roomLength: i32, text: usize, textLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/members@1.0.0", "list-members")
export declare function membersList(hasAfter: i32, after: usize, afterLength: i32, limit: u32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/proposals@1.0.0", "get")
export declare function proposalsGet(id: usize, idLength: i32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/proposals@1.0.0", "list-proposals")
export declare function proposalsList(hasAfter: i32, after: usize, afterLength: i32, limit: u32, result: usize): void;
// @ts-ignore: decorator
@external("althing:extension/schedule@1.0.0", "postpone")
export declare function schedulePostpone(job: usize, jobLength: i32, until: usize, untilLength: i32, result: usize): void;

/** The largest result of a host call: `result<option<entry>, host-error>` of `kv.get`. */
const resultSize = 40;

/** Room for a host call's result, zeroed. Never freed: an instance lives for one invocation. */
export function resultArea(): usize {
  const area = heap.alloc(resultSize);
  memory.fill(area, 0, resultSize);
  return area;
}

/** A pointer and a length that the other side can read. */
export class Span {
  constructor(public at: usize, public length: i32) {}
}

export function lowerText(text: string): Span {
  const bytes = String.UTF8.encode(text);
  return lowerBytes(Uint8Array.wrap(bytes));
}

/** The bytes are copied, so that a moving or freeing collector cannot touch them. */
export function lowerBytes(bytes: Uint8Array): Span {
  const at = heap.alloc(max(bytes.length, 1));
  memory.copy(at, bytes.dataStart, bytes.length);
  return new Span(at, bytes.length);
}

export function storeSpan(at: usize, span: Span): void {
  store<u32>(at, <u32>span.at);
  store<u32>(at + 4, <u32>span.length);
}

export function liftText(at: usize): string {
  return String.UTF8.decodeUnsafe(load<u32>(at), load<u32>(at + 4));
}

export function liftBytes(at: usize): Uint8Array {
  const length = load<u32>(at + 4);
  const bytes = new Uint8Array(<i32>length);
  memory.copy(bytes.dataStart, load<u32>(at), length);
  return bytes;
}

/** `option<string>`: a byte that says whether, then the string. */
export function liftOptionalText(at: usize): string | null {
  return load<u8>(at) == 0 ? null : liftText(at + 4);
}

export class Field {
  constructor(public name: string, public value: string) {}
}

export function liftFields(at: usize): Field[] {
  const first = <usize>load<u32>(at);
  const count = <i32>load<u32>(at + 4);
  const fields: Field[] = [];
  for (let index = 0; index < count; index++) {
    const field = first + <usize>index * 16;
    fields.push(new Field(liftText(field), liftText(field + 8)));
  }
  return fields;
}

export function lowerFields(fields: Field[]): Span {
  const at = heap.alloc(max(fields.length * 16, 1));
  for (let index = 0; index < fields.length; index++) {
    storeSpan(at + <usize>index * 16, lowerText(fields[index].name));
    storeSpan(at + <usize>index * 16 + 8, lowerText(fields[index].value));
  }
  return new Span(at, fields.length);
}

export function liftTexts(at: usize): string[] {
  const first = <usize>load<u32>(at);
  const count = <i32>load<u32>(at + 4);
  const texts: string[] = [];
  for (let index = 0; index < count; index++) texts.push(liftText(first + <usize>index * 8));
  return texts;
}
