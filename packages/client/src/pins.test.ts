/** Names that a server chooses so that a table answers for them. */
import type { EndpointId, Handle } from "@althing/contract";
import { expect, it } from "vitest";
import { createPins } from "./pins.ts";
import { openMemoryState } from "./state.ts";

const endpoint = "A".repeat(43) as EndpointId;

it("knows nobody called `constructor` before it was pinned, and keeps one that was", async () => {
  const pins = createPins(openMemoryState());
  const handle = "constructor" as Handle;
  expect(await pins.pinned(handle)).toBeUndefined();
  await pins.pin(handle, endpoint);
  expect(await pins.pinned(handle)).toBe(endpoint);
});

it("knows whom any handle is pinned to, and nobody else", async () => {
  const pins = createPins(openMemoryState());
  expect(await pins.knows(endpoint)).toBe(false);
  await pins.pin("ada" as Handle, endpoint);
  expect(await pins.knows(endpoint)).toBe(true);
  expect(await pins.knows("E".repeat(43) as EndpointId)).toBe(false);
});
