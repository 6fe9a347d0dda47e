/**
 * The platform's key-value store in memory, with the rules that handlers meet: revisions, limits, time to live, pages.
 *
 * Invariant: refusals have the platform's codes, so that a handler that copes with this one copes with the real one.
 */
import { limits } from "@althing/contract";
import { HostError } from "../guest/host-error.ts";
import type { HostImports, KvEntry as WitKvEntry } from "../guest/bindings.ts";

interface Stored {
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresMs: number | undefined;
}

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** What a test puts in and looks at. */
export class MockStorage {
  readonly #entries = new Map<string, Stored>();
  readonly #now: () => number;
  #revision = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#live(key) !== undefined).toSorted();
  }

  text(key: string): string | undefined {
    const stored = this.#live(key);
    return stored === undefined ? undefined : new TextDecoder().decode(stored.value);
  }

  json(key: string): unknown {
    const stored = this.text(key);
    const value: unknown = stored === undefined ? undefined : JSON.parse(stored);
    return value;
  }

  /** As another invocation would have written it. Returns the revision. */
  set(key: string, value: string | Uint8Array): number {
    return this.#write(key, typeof value === "string" ? new TextEncoder().encode(value) : value, undefined);
  }

  #live(key: string): Stored | undefined {
    const stored = this.#entries.get(key);
    return stored === undefined || (stored.expiresMs !== undefined && stored.expiresMs <= this.#now()) ? undefined : stored;
  }

  #write(key: string, value: Uint8Array, ttlSeconds: number | undefined): number {
    this.#revision++;
    const expiresMs = ttlSeconds === undefined ? undefined : this.#now() + ttlSeconds * 1000;
    this.#entries.set(key, { value: value.slice(), revision: this.#revision, expiresMs });
    return this.#revision;
  }

  #expect(key: string, expected: number | null): void {
    const observed = this.#live(key)?.revision ?? 0;
    if (expected !== null && expected !== observed)
      throw new HostError("kv.conflict", `${key} is at revision ${observed}, not ${expected}.`);
  }

  #checkKey(key: string): void {
    if (key === "" || bytesOf(key) > limits.kvKeyMaxBytes)
      throw new HostError("kv.too_large", `The key has more than ${limits.kvKeyMaxBytes} bytes, or none.`);
  }

  /** The host interface over this store. */
  functions(): HostImports["kv"] {
    const toEntry = (key: string, { value, revision }: Stored): WitKvEntry => ({ key, value: value.slice(), revision });
    return {
      get: (key) => {
        this.#checkKey(key);
        const stored = this.#live(key);
        return stored === undefined ? null : toEntry(key, stored);
      },
      put: (key, value, expect, ttlSeconds) => {
        this.#checkKey(key);
        if (value.length > limits.kvValueMaxBytes)
          throw new HostError("kv.too_large", `The value has more than ${limits.kvValueMaxBytes} bytes.`);
        this.#expect(key, expect);
        return this.#write(key, value, ttlSeconds ?? undefined);
      },
      delete: (key, expect) => {
        this.#checkKey(key);
        this.#expect(key, expect);
        this.#entries.delete(key);
      },
      listEntries: (prefix, after, limit) => {
        const keys = this.keys.filter((key) => key.startsWith(prefix) && (after === null || key > after));
        const page = keys.slice(0, limit);
        const entries = page.flatMap((key) => {
          const stored = this.#live(key);
          return stored === undefined ? [] : [toEntry(key, stored)];
        });
        return { entries, next: keys.length > page.length ? (page.at(-1) ?? null) : null };
      },
    };
  }
}
