/** The public log over real HTTP: pages, one event, exports, and whatever may be asked for. */
import type { EventDraft } from "@althing/community";
import { eventStreamQuerySchema, type EndpointId, type EventRecord, type PublicEvent } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { drafted as draftedBy, openGarden, type Garden } from "../test/open-garden.ts";

let here: Garden;
beforeAll(async () => {
  here = await openGarden();
});
afterEach(() => here.closeTails());
afterAll(() => here[Symbol.asyncDispose]());

const drafted = (name: string | number, by: EndpointId = here.served.admin.endpoint): EventDraft => draftedBy(name, by);

describe("pages", () => {
  test("go forwards by index and newest first, without gaps or doubles, to the end", async () => {
    const head = await here.happen(drafted(1), drafted(2), drafted(3), drafted(4));
    const forwards: number[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: { events: PublicEvent[]; next?: number } = await here.list(`?after=${after}&limit=2`);
      forwards.push(...page.events.map(({ index }) => index));
      after = page.next;
    }
    expect(forwards).toEqual(Array.from({ length: head }, (_, i) => i + 1));
    const backwards: number[] = [];
    for (let query = "?order=newest&limit=2"; query !== "";) {
      const page = await here.list(query);
      backwards.push(...page.events.map(({ index }) => index));
      query = page.next === undefined ? "" : `?before=${page.next}&limit=2`;
    }
    expect(backwards).toEqual(forwards.toReversed());
  });

  test("of one topic or of all below a prefix", async () => {
    await here.happen(drafted("p"), { ...drafted("c"), topic: "comment.created", data: { proposal: "c", comment: "1" } });
    const topics = async (filter: string) => new Set((await here.list(`?topic=${filter}&limit=200`)).events.map(({ topic }) => topic));
    expect(await topics("comment.created")).toEqual(new Set(["comment.created"]));
    expect(await topics("comment.*")).toEqual(new Set(["comment.created"]));
    expect(await topics("comment")).toEqual(new Set());
    expect(await topics("com.*")).toEqual(new Set());
    expect(await topics("proposal.*")).toEqual(new Set(["proposal.created"]));
  });

  test("show the person, and the export verifies up to the head", async () => {
    const index = await here.happen(drafted("shown", here.bob.endpoint));
    expect((await here.get(`/${index}`)).json).toMatchObject({
      index,
      actor: here.bob.endpoint,
      data: { proposal: "shown" },
      redacted: [],
    });
    const records: EventRecord[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const page = (await here.get(`/export?after=${after}&limit=3`)).json as { events: EventRecord[]; next?: number };
      records.push(...page.events);
      after = page.next;
    }
    const { json: head } = await here.get("/head");
    expect(await verifyChain(records)).toEqual({ events: head["index"], redacted: 0, head: head["hash"], community: here.garden });
  });

  test("an event that is not there is said so", async () => {
    expect(await here.get("/999999")).toMatchObject({ status: 404, code: "event.not_found" });
  });

  test("are for those who may read events, on every route", async () => {
    const [stranger, watcher] = [await here.user("stranger"), await here.user("watcher")];
    await here.join(watcher, ["observer"]);
    for (const path of ["", "/head", "/export", "/1", "/stream"]) expect((await here.get(path, stranger)).code).toBe("community.not_found");
    await here.setPermissions("observer", ["plugins.read"]);
    for (const path of ["", "/head", "/export", "/1", "/stream"]) expect((await here.get(path, watcher)).code).toBe("auth.forbidden");
    await here.setPermissions("observer", ["events.read"]);
    expect((await here.get("/head", watcher)).status).toBe(200);
  });

  test("hostile input is refused with the field named, whatever it is", async () => {
    const bad = ["-1", "1.5", "NaN", "9999999999999", "1;", "0x", "%00", "Infinity", "1e99", "[]", "é", "'", "../.."];
    for (const value of bad) {
      const encoded = encodeURIComponent(value);
      for (const path of [
        `?after=${encoded}`,
        `?before=${encoded}`,
        `?limit=${encoded}`,
        `/export?after=${encoded}`,
        `/stream?after=${encoded}`,
      ]) {
        const answer = await here.get(path);
        expect([answer.status, answer.code], path).toEqual([400, "request.invalid"]);
      }
      expect((await here.get(`/${encoded}`)).status, value).toBeGreaterThanOrEqual(400);
    }
    for (const query of [
      "?limit=0",
      "?limit=201",
      "?before=0",
      "?after=1&before=2",
      "?after=1&order=newest",
      "?before=1&order=oldest",
      "?order=up",
    ])
      expect((await here.get(query)).code, query).toBe("request.invalid");
    for (const topic of ["*", ".*", "a.*.b", "A.b", "proposal.>", "proposal*", "a..b", "%0a", "x".repeat(300)])
      expect((await here.get(`?topic=${topic}`)).code, topic).toBe("request.invalid");
    for (const path of ["?x=1", "/head?after=1", "/export?limit=501", "/1?x=1", "?after=1&after=2"])
      expect((await here.get(path)).code, path).toBe("request.invalid");
    for (const id of ["x", "-1", "1 2", "1".repeat(13)]) {
      const refused = await here.tail(here.bob, "", { "last-event-id": id });
      expect(refused.status, id).toBe(400);
    }
    expect(eventStreamQuerySchema.safeParse({ after: {} }).success).toBe(false);
  });
});

test("whatever is asked for, it is answered or refused, and never fails inside", async () => {
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.integer().map(String),
    fc.double().map(String),
    fc.constantFrom("proposal.*", "proposal.created", "newest", "oldest", "0", "1", "-0", "1e3", "999999999999", "\u0000", "__proto__"),
  );
  const name = fc.oneof(fc.constantFrom("after", "before", "order", "topic", "limit"), word);
  const path = fc.oneof(
    fc.constantFrom("", "/head", "/export"),
    word.map((text) => `/${encodeURIComponent(text)}`),
  );
  await fc.assert(
    fc.asyncProperty(path, fc.array(fc.tuple(name, word), { maxLength: 4 }), async (at, pairs) => {
      fc.pre(at !== "/stream" && at !== "/." && at !== "/..");
      const query = new URLSearchParams(pairs.map(([key, value]) => [key.toWellFormed(), value.toWellFormed()])).toString();
      const answer = await here.get(query === "" ? at : `${at}?${query}`);
      expect([200, 400, 404], `${at}?${query}: ${answer.text}`).toContain(answer.status);
      if (answer.status !== 200)
        expect(["request.invalid", "request.not_found", "event.not_found", "request.malformed"]).toContain(answer.code);
    }),
    { numRuns: 120 },
  );
});
