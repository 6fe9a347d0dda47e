/**
 * Where the host functions come from: the component's imports, or a test's mock.
 *
 * Invariant: exactly one host at a time, set before a handler runs. A module variable and not a parameter, because one guest instance serves one
 * invocation and authors should write `kv.get(…)` without carrying a handle through their code.
 */
import type { HostImports } from "./bindings.ts";

let connected: HostImports | undefined;

/** Sets the host; returns the one before. */
export function connectHost(host: HostImports | undefined): HostImports | undefined {
  const before = connected;
  connected = host;
  return before;
}

/** @throws {Error} outside an invocation: while the component is built, or in a test without a mock host */
export function host(): HostImports {
  if (connected === undefined) throw new Error("host functions work only inside a handler; in tests, run it through createMockHost()");
  return connected;
}
