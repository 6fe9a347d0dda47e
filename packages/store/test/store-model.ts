/**
 * Random operations against the store and against a model of a dozen lines: same results, in every back end.
 *
 * Revisions differ between back ends, so operations name them by when they were seen: "the revision that this key had n writes ago".
 */
import { AppError } from "@althing/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Key, Store, Write } from "../src/index.ts";
import type { StoreBackend } from "./store-place.ts";

type Expectation = "none" | "absent" | "current" | "old" | "never";
interface Step {
  readonly op: "put" | "delete" | "check";
  readonly key: number;
  readonly value: string;
  readonly expectation: Expectation;
}
type Operation =
  | { readonly kind: "one"; readonly step: Step }
  | { readonly kind: "batch"; readonly steps: readonly Step[]; readonly request: number | undefined }
  | { readonly kind: "list"; readonly prefix: number; readonly after: number; readonly limit: number; readonly reverse: boolean };

const keys: Key[] = [["a"], ["a", "b"], ["a", "c"], ["a!"], ["b", "😀"], ["b", "\uffff"], ["b.*", ">"], ["é", "__proto__", " "]];
const prefixes: (readonly string[])[] = [[], ["a"], ["b"], ["a", "b"], ["b.*"]];

const step = fc.record<Step>({
  op: fc.constantFrom("put", "put", "delete", "check"),
  key: fc.nat(keys.length - 1),
  value: fc.string({ unit: "binary", maxLength: 20 }),
  expectation: fc.constantFrom("none", "none", "absent", "current", "current", "old", "never"),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("one" as const), step }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("batch" as const),
      steps: fc.uniqueArray(step, { minLength: 1, maxLength: 5, selector: (s) => s.key }),
      request: fc.option(fc.nat(3), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("list" as const),
      prefix: fc.nat(prefixes.length - 1),
      after: fc.integer({ min: -1, max: keys.length - 1 }),
      limit: fc.integer({ min: 1, max: 9 }),
      reverse: fc.boolean(),
    }),
  },
);

const order = (a: Key, b: Key) => Buffer.compare(Buffer.from(`${a.join("\0")}\0`), Buffer.from(`${b.join("\0")}\0`));

class Run {
  readonly model = new Map<number, string>();
  readonly current = new Map<number, number>();
  /** Every revision a key ever had, its delete markers' too. */
  readonly past = new Map<number, number[]>();
  readonly requests = new Map<number, number>();
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get #collection() {
    return this.#store.collection({ name: "model", schema: z.string() });
  }

  #expect(s: Step): number | undefined {
    if (s.expectation === "absent") return 0;
    if (s.expectation === "current") return this.current.get(s.key) ?? 0;
    if (s.expectation === "old") return this.past.get(s.key)?.findLast((r) => r !== this.current.get(s.key)) ?? 0;
    if (s.expectation === "never") return 900_000_000;
    return s.op === "check" ? (this.current.get(s.key) ?? 0) : undefined;
  }

  #write(s: Step): Write {
    const key = keys[s.key] as Key;
    const wanted = this.#expect(s);
    if (s.op === "check") return this.#collection.toCheck(key, wanted ?? 0);
    return s.op === "put" ? this.#collection.toPut(key, s.value, wanted) : this.#collection.toDelete(key, wanted);
  }

  async apply(o: Operation): Promise<void> {
    if (o.kind === "list") return this.#list(o);
    const steps = o.kind === "one" ? [o.step] : o.steps;
    const known = o.kind === "batch" && o.request !== undefined ? this.requests.get(o.request) : undefined;
    const fits = steps.every((s) => {
      const wanted = this.#expect(s);
      return wanted === undefined || wanted === (this.current.get(s.key) ?? 0);
    });
    const before = await this.#store.revision();
    const outcome = await this.#run(o, steps).catch((error: unknown) => (error instanceof AppError ? error.code : Promise.reject(error)));
    if (known !== undefined) expect(outcome).toBe(known);
    else if (fits) await this.#accept(o, steps, outcome as number, before);
    else expect(outcome).toBe("store.conflict");
    await this.#compare();
  }

  async #run(o: Operation, steps: readonly Step[]): Promise<number> {
    const writes = steps.map((s) => this.#write(s));
    return this.#store.batch(writes, o.kind === "batch" && o.request !== undefined ? `r${o.request}` : undefined);
  }

  async #accept(o: Operation, steps: readonly Step[], revision: number, before: number): Promise<void> {
    expect(revision).toBeTypeOf("number");
    expect(revision).toBeGreaterThanOrEqual(before);
    for (const s of steps) {
      if (s.op === "check") continue;
      if (s.op === "put") this.model.set(s.key, s.value);
      else this.model.delete(s.key);
      const record = await this.#collection.get(keys[s.key] as Key);
      if (s.op === "put") expect(record?.revision).toBeGreaterThan(before);
      const kept = record?.revision ?? (s === steps.at(-1) ? revision : undefined);
      if (record === undefined) this.current.delete(s.key);
      else this.current.set(s.key, record.revision);
      if (kept !== undefined) this.past.set(s.key, [...(this.past.get(s.key) ?? []), kept]);
    }
    if (o.kind === "batch" && o.request !== undefined) this.requests.set(o.request, revision);
  }

  async #compare(): Promise<void> {
    for (const [at, key] of keys.entries()) {
      const record = await this.#collection.get(key);
      expect(record?.value).toBe(this.model.get(at));
      expect(record?.revision).toBe(this.current.get(at));
    }
  }

  async #list(o: Extract<Operation, { kind: "list" }>): Promise<void> {
    const prefix = prefixes[o.prefix] as readonly string[];
    const after = keys[o.after];
    const page = await this.#collection.list({ prefix, limit: o.limit, reverse: o.reverse, ...(after === undefined ? {} : { after }) });
    const expected = [...this.model.keys()]
      .map((at) => keys[at] as Key)
      .filter((key) => prefix.every((segment, i) => key[i] === segment))
      .sort(order);
    if (o.reverse) expected.reverse();
    const rest = expected.filter((key) => after === undefined || (o.reverse ? order(key, after) < 0 : order(key, after) > 0));
    expect(page.records.map((r) => r.key)).toEqual(rest.slice(0, o.limit));
    expect(page.next).toEqual(rest.length > o.limit ? rest[o.limit - 1] : undefined);
  }
}

export function modelProperty(backend: StoreBackend): void {
  test(`${backend.name}: random operations have the results of the model`, { timeout: 60_000 }, async () => {
    await using place = await backend.place();
    const store = await place.open();
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
        const collection = store.collection({ name: "model", schema: z.string() });
        for (const key of keys) await collection.delete(key);
        const run = new Run(prefixRequests(store));
        for (const o of operations) await run.apply(o);
      }),
      { numRuns: backend.name === "memory" ? 300 : 60, seed: 20_261_121 },
    );
  });
}

let runs = 0;
/** Each run has request ids of its own. */
function prefixRequests(store: Store): Store {
  const run = (runs += 1);
  return { ...store, batch: (writes, requestId) => store.batch(writes, requestId === undefined ? undefined : `${run}/${requestId}`) };
}
