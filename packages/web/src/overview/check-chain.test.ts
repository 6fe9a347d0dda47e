import { exportEvents, type AlthingClient } from "@althing/client";
import { communityIdSchema, type EventRecord } from "@althing/contract";
import { hashEvent, sealPersonalField } from "@althing/crypto";
import { describe, expect, test } from "vitest";
import { checkChain, exportLines } from "./check-chain.ts";

const community = communityIdSchema.parse("01J0000000000000000000000A");

async function log(count: number): Promise<EventRecord[]> {
  const records: EventRecord[] = [];
  for (let index = 1; index <= count; index += 1) {
    const event = {
      ...{
        id: `01J000000000000000000000${String(index).padStart(2, "0")}`,
        community,
        index,
        time: "2026-01-01T00:00:00Z",
        topic: "member.joined",
      },
      ...{
        subject: "community",
        summary: "Somebody became a member",
        data: "{}",
        personal: { member: await sealPersonalField("somebody") },
        depth: 0,
      },
      previous: records.at(-1)?.hash ?? "0".repeat(64),
    };
    records.push({ ...event, hash: await hashEvent(event) });
  }
  return records;
}

/** A server that tells what it is given: pages of two. */
function serverOf(records: readonly EventRecord[], head: { readonly index: number; readonly hash: string }): Pick<AlthingClient, "call"> {
  const call = async (name: string, input?: { readonly query?: { readonly after?: unknown } }) => {
    if (name === "events.head") return head;
    const after = Number(input?.query?.after ?? 0);
    const events = records.filter(({ index }) => index > after).slice(0, 2);
    const last = events.at(-1)?.index;
    return { community, events, ...(last === undefined || last === records.at(-1)?.index ? {} : { next: last }) };
  };
  return { call: call as never };
}

const headOf = (records: readonly EventRecord[]) => ({ index: records.at(-1)?.index ?? 0, hash: records.at(-1)?.hash ?? "0".repeat(64) });
const unheard = () => undefined;

describe("the check of a log", () => {
  test("holds for a whole log, also for an empty one, and counts what was erased", async () => {
    const records = await log(5);
    expect(await checkChain(serverOf(records, headOf(records)), community, unheard)).toEqual({
      events: 5,
      redacted: 0,
      fault: undefined,
      hasHead: true,
    });
    expect(await checkChain(serverOf([], headOf([])), community, unheard)).toMatchObject({ events: 0, hasHead: true });
    const [first, ...rest] = records;
    if (first === undefined) throw new Error("an empty log");
    const erased = [{ ...first, personal: { member: { digest: first.personal["member"]?.digest ?? "" } } }, ...rest];
    expect(await checkChain(serverOf(erased, headOf(records)), community, unheard)).toMatchObject({
      events: 5,
      redacted: 1,
      fault: undefined,
      hasHead: true,
    });
  });

  test("names the event that was changed", async () => {
    const records = await log(5);
    const changed = records.map((record) => (record.index === 3 ? { ...record, summary: "Nobody became a member" } : record));
    expect(await checkChain(serverOf(changed, headOf(records)), community, unheard)).toMatchObject({
      events: 2,
      fault: { index: 3, fault: "hash" },
    });
  });

  test("says so when the log does not contain what the server calls its newest event", async () => {
    const records = await log(5);
    expect(await checkChain(serverOf(records.slice(0, 3), headOf(records)), community, unheard)).toMatchObject({
      fault: undefined,
      hasHead: false,
    });
    const other = await log(5);
    expect(await checkChain(serverOf(records, headOf(other)), community, unheard)).toMatchObject({ hasHead: false });
  });

  test("events that came while it was read are no fault", async () => {
    const records = await log(5);
    expect(await checkChain(serverOf(records, headOf(records.slice(0, 3))), community, unheard)).toMatchObject({
      events: 5,
      fault: undefined,
      hasHead: true,
    });
  });
});

test("an export is one record a line, as it came", async () => {
  const records = await log(3);
  const lines = (await exportLines(serverOf(records, headOf(records)), community)).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(records);
  const read: EventRecord[] = [];
  for await (const record of exportEvents(serverOf(records, headOf(records)), community)) read.push(record);
  expect(read).toHaveLength(3);
});
