/**
 * What an extension's tests import: `@althing/sdk/testing`. The runner and the comparisons are Node's own, so that a project needs no packages.
 */
import assert from "node:assert/strict";
import nodeTest from "node:test";

export {
  createMockHost,
  missingHandlers,
  type MockActor,
  type MockEvent,
  type MockFetch,
  type MockFetchAnswer,
  type MockHost,
  type MockHostOptions,
  type MockResponse,
  type RequestOptions,
} from "./create-mock-host.ts";
export type { ManifestLike } from "./manifest-like.ts";
export type { MockStorage } from "./mock-storage.ts";
export { HostError } from "../guest/host-error.ts";

/** One test; it fails when `run` throws. */
export function test(name: string, run: () => void | Promise<void>): void {
  void nodeTest(name, async () => run());
}

/** Deep and strict. */
export function equal(actual: unknown, expected: unknown, message?: string): void {
  if (message === undefined) assert.deepStrictEqual(actual, expected);
  else assert.deepStrictEqual(actual, expected, message);
}

/** The text has this in it. */
export function includes(actual: string, part: string): void {
  assert.ok(actual.includes(part), `${JSON.stringify(actual)} does not have ${JSON.stringify(part)}`);
}

/** `run` throws an error whose message has this in it. */
export function throws(run: () => unknown, part: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof Error, "nothing was thrown");
  includes(thrown.message, part);
}
