/** A node that answers from before what this client has seen: waited for where there are several, believed in the end. */
import { newRecoveryPhrase, identityFromPhrase, type Identity } from "@althing/crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { encryptedRoom } from "../test/encrypted-room.ts";
import type { Api } from "./api.ts";
import { askUntilCurrent } from "./lagging-node.ts";

const api = (isSeveral: boolean): Api => ({
  url: "",
  isSeveral,
  call: () => Promise.reject(new Error("unused")),
  raw: () => Promise.reject(new Error("unused")),
});
const isBehind = (answer: number): boolean => answer < 3;

let ada: Identity;
let bob: Identity;
beforeAll(async () => {
  [ada, bob] = [await identityFromPhrase(newRecoveryPhrase()), await identityFromPhrase(newRecoveryPhrase())];
});

describe("an answer that is behind", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is asked for again until it is not", async () => {
    let asked = 0;
    const answer = askUntilCurrent(api(true), async () => (asked += 1), isBehind);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([await answer, asked]).toEqual([3, 3]);
  });

  it("is taken as it is after two and a half seconds: a lie gains no more than that", async () => {
    let asked = 0;
    const answer = askUntilCurrent(api(true), async () => ((asked += 1), 0), isBehind);
    const early = vi.fn();
    void answer.then(early);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(early).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await answer).toBe(0);
    expect(asked).toBeLessThan(12);
  });

  it("is taken at once from an instance that has one address", async () => {
    let asked = 0;
    expect(await askUntilCurrent(api(false), async () => (asked += 1), isBehind)).toBe(1);
    expect(asked).toBe(1);
  });
});

describe("a room that a lagging node shows", () => {
  it("at an older epoch does not stop sending when the node catches up in time", async () => {
    const room = await encryptedRoom(ada, bob, Date.now());
    const core = await room.open();
    expect(core.memory.epoch).toBeGreaterThan(1);
    room.lag(1);
    await expect(core.refresh()).rejects.toMatchObject({ code: "epoch.rolled_back" });
    const patient = await room.open(Date.now, true);
    room.lag(3);
    expect((await patient.refresh()).epoch).toBe(patient.memory.epoch);
    expect(patient.stopped).toBeUndefined();
  });
});
