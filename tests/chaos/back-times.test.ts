/** Waits after a harm: the longest one counts, not the first answer; who never comes back waits for ever. */
import { describe, expect, it } from "vitest";
import { findBackTimes, quantile } from "./back-times.ts";
import type { Confirmation, Service } from "./history.ts";

const served = (who: string, service: Service, ...times: number[]): Confirmation[] => times.map((atMs) => ({ who, service, atMs }));
const waits = (confirmations: Confirmation[], led: string[] = []) =>
  Object.fromEntries(
    findBackTimes({ confirmations, harms: [{ atMs: 1_000, nodes: ["n1"], led }] }).map(({ who, service, waitMs }) => [
      `${who} ${service}`,
      waitMs,
    ]),
  );

describe("the time until somebody is served again", () => {
  it("is the longest wait from the harm on, of each person and service", () => {
    expect(waits([...served("ada", "sends", 100, 990, 1_010, 4_010, 4_020), ...served("ada", "hears", 1_500, 1_900)])).toEqual({
      "ada sends": 3_000,
      "ada hears": 500,
    });
  });

  it("does not count what was before the harm, and begins with it", () => {
    expect(waits(served("ada", "sends", 10, 900, 1_200))).toEqual({ "ada sends": 200 });
  });

  it("is endless for whoever is not served again", () => {
    expect(waits(served("ada", "sends", 10, 900))).toEqual({ "ada sends": Number.POSITIVE_INFINITY });
  });

  it("is of a leader when the node led what people wait for, and there is none without a harm", () => {
    const one = served("ada", "sends", 2_000);
    const isLeader = (led: string[]) => findBackTimes({ confirmations: one, harms: [{ atMs: 1_000, nodes: ["n1"], led }] })[0]?.isLeader;
    expect([isLeader(["S0"]), isLeader(["F0"]), isLeader([])]).toEqual([true, false, false]);
    expect(findBackTimes({ confirmations: one, harms: [] })).toEqual([]);
  });
});

it("takes quantiles from what there is", () => {
  const values = [5, 1, 4, 2, 3];
  expect([quantile(values, 0.5), quantile(values, 0.95), quantile(values, 1), quantile([], 0.5)]).toEqual([3, 5, 5, 0]);
});
