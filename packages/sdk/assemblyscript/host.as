// The host functions for AssemblyScript. There are no exceptions in this language, so each answer is a Result that says whether the call was
// refused; `value` of a refused one must not be read.
import {
  eventsEmit, Field, httpFetch, kvDelete, kvGet, kvList, kvPut, liftBytes, liftFields, liftOptionalText, liftText, liftTexts, logWrite, lowerBytes,
  lowerFields, lowerText, membersList, metricsRecord, proposalsGet, proposalsList, resultArea, roomsPost, schedulePostpone, secretsGet, Span,
} from "./abi";

/** What a host call gave: a value, or the code and message of its refusal. */
export class Result<T> {
  constructor(public ok: bool, public value: T, public code: string, public message: string) {}
}

/** A refused call: where code and message lie in the result depends on the alignment of the other case. */
function refusal<T>(at: usize, nothing: T): Result<T> {
  return new Result<T>(false, nothing, liftText(at), liftText(at + 8));
}

const noSpan = new Span(0, 0);

function optionalText(text: string | null): Span {
  return text === null ? noSpan : lowerText(text);
}

function textResult(area: usize): Result<string> {
  return load<u8>(area) == 0 ? new Result<string>(true, liftText(area + 4), "", "") : refusal<string>(area + 4, "");
}

function emptyResult(area: usize): Result<bool> {
  return load<u8>(area) == 0 ? new Result<bool>(true, true, "", "") : refusal<bool>(area + 4, false);
}

export namespace log {
  function write(level: i32, message: string): void {
    const text = lowerText(message);
    logWrite(level, text.at, text.length);
  }
  export function debug(message: string): void { write(0, message); }
  export function info(message: string): void { write(1, message); }
  export function warn(message: string): void { write(2, message); }
  export function error(message: string): void { write(3, message); }
}

export class FetchResponse {
  constructor(public status: i32, public headers: Field[], public body: Uint8Array) {}

  text(): string {
    return String.UTF8.decode(this.body.buffer);
  }
}

export namespace http {
  /** Needs `http.fetch` and the host in `egress`. */
  export function fetch(method: string, url: string, headers: Field[] = [], body: Uint8Array = new Uint8Array(0)): Result<FetchResponse> {
    const m = lowerText(method), u = lowerText(url), h = lowerFields(headers), b = lowerBytes(body), area = resultArea();
    httpFetch(m.at, m.length, u.at, u.length, h.at, h.length, b.at, b.length, area);
    if (load<u8>(area) != 0) return refusal<FetchResponse>(area + 4, new FetchResponse(0, [], new Uint8Array(0)));
    return new Result<FetchResponse>(true, new FetchResponse(load<u16>(area + 4), liftFields(area + 8), liftBytes(area + 16)), "", "");
  }
}

export class KvEntry {
  constructor(public key: string, public value: Uint8Array, public revision: u64) {}

  text(): string {
    return String.UTF8.decode(this.value.buffer);
  }
}

function liftEntry(at: usize): KvEntry {
  return new KvEntry(liftText(at), liftBytes(at + 8), load<u64>(at + 16));
}

export class KvPage {
  constructor(public entries: KvEntry[], public next: string | null) {}
}

/** For `expect`: whatever is there. */
export const anyRevision: u64 = u64.MAX_VALUE;

export namespace kv {
  /** `value` is null when there is no such entry. */
  export function get(key: string): Result<KvEntry | null> {
    const k = lowerText(key), area = resultArea();
    kvGet(k.at, k.length, area);
    if (load<u8>(area) != 0) return refusal<KvEntry | null>(area + 8, null);
    return new Result<KvEntry | null>(true, load<u8>(area + 8) == 0 ? null : liftEntry(area + 16), "", "");
  }

  /** `expect`: only if the entry is at this revision, 0 only if there is none; `value` is the new revision. `ttlSeconds` 0: for ever. */
  export function put(key: string, value: Uint8Array, expect: u64 = anyRevision, ttlSeconds: u32 = 0): Result<u64> {
    const k = lowerText(key), v = lowerBytes(value), area = resultArea();
    kvPut(k.at, k.length, v.at, v.length, i32(expect != anyRevision), expect, i32(ttlSeconds != 0), ttlSeconds, area);
    return load<u8>(area) == 0 ? new Result<u64>(true, load<u64>(area + 8), "", "") : refusal<u64>(area + 8, 0);
  }

  export function putText(key: string, value: string, expect: u64 = anyRevision, ttlSeconds: u32 = 0): Result<u64> {
    return put(key, Uint8Array.wrap(String.UTF8.encode(value)), expect, ttlSeconds);
  }

  export function remove(key: string, expect: u64 = anyRevision): Result<bool> {
    const k = lowerText(key), area = resultArea();
    kvDelete(k.at, k.length, i32(expect != anyRevision), expect, area);
    return emptyResult(area);
  }

  /** One page, ordered by key; `after`: the `next` of the page before. */
  export function list(prefix: string, after: string | null = null, limit: u32 = 100): Result<KvPage> {
    const p = lowerText(prefix), a = optionalText(after), area = resultArea();
    kvList(p.at, p.length, i32(after !== null), a.at, a.length, limit, area);
    if (load<u8>(area) != 0) return refusal<KvPage>(area + 4, new KvPage([], null));
    const first = <usize>load<u32>(area + 4), count = <i32>load<u32>(area + 8);
    const entries: KvEntry[] = [];
    for (let index = 0; index < count; index++) entries.push(liftEntry(first + <usize>index * 24));
    return new Result<KvPage>(true, new KvPage(entries, liftOptionalText(area + 12)), "", "");
  }
}

export namespace secrets {
  /** Needs `secrets.get`. */
  export function get(name: string): Result<string> {
    const n = lowerText(name), area = resultArea();
    secretsGet(n.at, n.length, area);
    return textResult(area);
  }
}

export namespace metrics {
  function record(kind: i32, name: string, value: f64, labels: Field[]): Result<bool> {
    const n = lowerText(name), l = lowerFields(labels), area = resultArea();
    metricsRecord(kind, n.at, n.length, l.at, l.length, value, area);
    return emptyResult(area);
  }
  export function counter(name: string, value: f64, labels: Field[] = []): Result<bool> { return record(0, name, value, labels); }
  export function gauge(name: string, value: f64, labels: Field[] = []): Result<bool> { return record(1, name, value, labels); }
  export function histogram(name: string, value: f64, labels: Field[] = []): Result<bool> { return record(2, name, value, labels); }
}

export namespace events {
  /** Emits `ext.<extension>.<topic>`; `data` is JSON. */
  export function emit(topic: string, subject: string, data: string): Result<string> {
    const t = lowerText(topic), s = lowerText(subject), d = lowerText(data), area = resultArea();
    eventsEmit(t.at, t.length, s.at, s.length, d.at, d.length, area);
    return textResult(area);
  }
}

export namespace rooms {
  export function post(room: string, message: string): Result<string> {
    const r = lowerText(room), m = lowerText(message), area = resultArea();
    roomsPost(r.at, r.length, m.at, m.length, area);
    return textResult(area);
  }
}

export class Member {
  constructor(public id: string, public handle: string, public roles: string[], public since: string) {}
}

export class MemberPage {
  constructor(public members: Member[], public next: string | null) {}
}

export namespace members {
  export function list(after: string | null = null, limit: u32 = 100): Result<MemberPage> {
    const a = optionalText(after), area = resultArea();
    membersList(i32(after !== null), a.at, a.length, limit, area);
    if (load<u8>(area) != 0) return refusal<MemberPage>(area + 4, new MemberPage([], null));
    const first = <usize>load<u32>(area + 4), count = <i32>load<u32>(area + 8);
    const found: Member[] = [];
    for (let index = 0; index < count; index++) {
      const at = first + <usize>index * 32;
      found.push(new Member(liftText(at), liftText(at + 8), liftTexts(at + 16), liftText(at + 24)));
    }
    return new Result<MemberPage>(true, new MemberPage(found, liftOptionalText(area + 12)), "", "");
  }
}

export namespace proposals {
  /** JSON of one proposal. */
  export function get(id: string): Result<string> {
    const i = lowerText(id), area = resultArea();
    proposalsGet(i.at, i.length, area);
    return textResult(area);
  }
  /** JSON of a page of proposals. */
  export function list(after: string | null = null, limit: u32 = 100): Result<string> {
    const a = optionalText(after), area = resultArea();
    proposalsList(i32(after !== null), a.at, a.length, limit, area);
    return textResult(area);
  }
}

export namespace schedule {
  /** `until`: RFC 3339, UTC. */
  export function postpone(job: string, until: string): Result<bool> {
    const j = lowerText(job), u = lowerText(until), area = resultArea();
    schedulePostpone(j.at, j.length, u.at, u.length, area);
    return emptyResult(area);
  }
}
