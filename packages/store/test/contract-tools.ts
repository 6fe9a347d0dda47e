/** What the contract suites of the store share: two collections, and ways to ask for outcomes. */
import { AppError } from "@althing/contract";
import { test } from "vitest";
import { z } from "zod";
import type { Change, Collection, Key, Store } from "../src/index.ts";
import type { StoreBackend, StorePlace } from "./store-place.ts";

export const thing = z.object({ n: z.number(), text: z.string().optional() });
export type Thing = z.infer<typeof thing>;
export const things = (store: Store): Collection<Thing> => store.collection({ name: "things", schema: thing });
export const anything = (store: Store): Collection<unknown> => store.collection({ name: "anything", schema: z.unknown() });

export const code = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return "nothing was refused";
  } catch (error) {
    return error instanceof AppError ? error.code : `not an AppError: ${String(error)}`;
  }
};
export const codeOf = (work: () => unknown): Promise<string> => code((async () => work())());

export async function keysOf<T>(collection: Collection<T>, options: Parameters<Collection<T>["list"]>[0] = {}): Promise<Key[]> {
  const keys: Key[] = [];
  let after: Key | undefined;
  do {
    const page = await collection.list({ ...options, ...(after === undefined ? {} : { after }) });
    keys.push(...page.records.map((r) => r.key));
    after = page.next;
  } while (after !== undefined);
  return keys;
}

export async function take<T>(changes: AsyncIterable<Change<T>>, count: number): Promise<Change<T>[]> {
  const taken: Change<T>[] = [];
  for await (const change of changes) {
    taken.push(change);
    if (taken.length === count) break;
  }
  return taken;
}

/** A test with a place of its own and one store open in it. */
export type StoreTest = (title: string, work: (store: Store, place: StorePlace) => Promise<void>, timeoutMs?: number) => void;

export function storeTests(backend: StoreBackend): StoreTest {
  return (title, work, timeoutMs = 20_000) => {
    test(`${backend.name}: ${title}`, { timeout: timeoutMs }, async () => {
      await using place = await backend.place();
      await work(await place.open(), place);
    });
  };
}
