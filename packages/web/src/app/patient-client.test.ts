import { AppError, type RouteName } from "@althing/contract";
import type { AlthingClient, CallOptions } from "@althing/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPatientClient, isSilence } from "./patient-client.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client of which only `call` and `me` are used; they never answer by themselves. */
function silentClient() {
  const asked: { readonly name: RouteName; readonly options: CallOptions; readonly answer: (value: unknown) => void }[] = [];
  const call = (name: RouteName, _input: unknown, options: CallOptions = {}) =>
    new Promise((answer, reject) => {
      asked.push({ name, options, answer });
      options.signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    });
  const client = { call, me: () => new Promise(() => undefined), url: "http://127.0.0.1:1" } as unknown as AlthingClient;
  return { asked, client: createPatientClient(client) };
}

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

test("a read that stays silent is refused with words, and was told to stop", async () => {
  const { client, asked } = silentClient();
  const ended = outcome(client.call("communities.list"));
  await vi.advanceTimersByTimeAsync(20_000);
  const result = await ended;
  expect(result).toMatchObject({ error: { code: "client.unreachable", message: expect.stringContaining("20 seconds") } });
  expect("error" in result && isSilence(result.error)).toBe(true);
  expect(asked[0]?.options.signal?.aborted).toBe(true);
});

test("a slow answer is waited for as long as something comes of it", async () => {
  const { client, asked } = silentClient();
  const ended = outcome(client.call("communities.list"));
  for (let part = 0; part < 5; part += 1) {
    await vi.advanceTimersByTimeAsync(15_000);
    asked[0]?.options.onProgress?.(part);
  }
  asked[0]?.answer({ communities: [] });
  expect(await ended).toEqual({ value: { communities: [] } });
});

test("a change is given longer, and is not told of progress nobody asked for", async () => {
  const { client, asked } = silentClient();
  const ended = outcome(client.call("communities.create", { body: { name: "garden" } }));
  await vi.advanceTimersByTimeAsync(89_000);
  expect(asked[0]?.options.signal?.aborted).toBe(false);
  expect(asked[0]?.options.onProgress).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await ended).toMatchObject({ error: { code: "client.unreachable" } });
});

test("what the caller stops is stopped, and not called silence", async () => {
  const { client } = silentClient();
  const stop = new AbortController();
  const ended = outcome(client.call("communities.list", {}, { signal: stop.signal }));
  stop.abort();
  expect(await ended).toMatchObject({ error: { name: "AbortError" } });
});

test("who one is does not stay unknown for ever", async () => {
  const ended = outcome(silentClient().client.me());
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await ended).toMatchObject({ error: { code: "client.unreachable" } });
});

test("a refusal stays what it was", async () => {
  const refused = new AppError("auth.revoked");
  const client = createPatientClient({ call: () => Promise.reject(refused) } as unknown as AlthingClient);
  expect(await outcome(client.call("communities.list"))).toEqual({ error: refused });
  expect(isSilence(refused)).toBe(false);
});
