import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openVectorWorld, type SsrfCase, type VectorWorld } from "./decide-vector.ts";

const ownFolder = join(import.meta.dirname, "vectors");
const moreFolder = process.env["ALTHING_SSRF_VECTORS"];

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".json"))
    .map((path) => join(folder, path));
}

const suites = [ownFolder, ...(moreFolder ? [moreFolder] : [])].flatMap(filesOf).map((file) => {
  const cases: readonly SsrfCase[] = JSON.parse(readFileSync(file, "utf8"));
  return { file, kind: basename(file, ".json"), cases };
});

let world: VectorWorld;
beforeAll(async () => {
  world = await openVectorWorld();
});
afterAll(() => world.close());

test("the cases are there: no kind is missing, none is empty", () => {
  const counts = Object.fromEntries(suites.filter(({ file }) => file.startsWith(ownFolder)).map(({ kind, cases }) => [kind, cases.length]));
  expect(counts).toEqual({ address: 170, answers: 30, match: 16, pattern: 31, rebind: 6, redirect: 26, url: 189 });
});

describe.each(suites)("$kind cases of $file", ({ kind, cases }) => {
  test("each is decided as labelled, those that may go either way the same way twice", async () => {
    const wrong: unknown[] = [];
    for (const entry of cases) {
      const decision = await world.decide(kind, entry);
      const expected = entry.verdict === "either" ? (await world.decide(kind, entry)).verdict : entry.verdict;
      if (decision.verdict !== expected) wrong.push({ entry, decision });
    }
    expect(wrong).toEqual([]);
  });
});

const casesOf = (wanted: string) => suites.filter(({ kind }) => kind === wanted).flatMap(({ cases }) => cases);

test("a name is looked up once and the connection goes to an address of that look-up", async () => {
  for (const entry of casesOf("rebind")) {
    const { lookups, connections } = await world.decide("rebind", entry);
    expect(lookups.length, entry.id).toBeLessThanOrEqual(entry.max_lookups ?? 1);
    if (entry.must_connect_to === undefined) expect(connections, entry.id).toEqual([]);
    else expect(entry.must_connect_to.split(" or "), entry.id).toContain(connections[0]?.address);
  }
});

test("a refused redirect is refused at the hop that the case names, and that place is never connected to", async () => {
  for (const entry of casesOf("redirect").filter(({ verdict }) => verdict === "deny")) {
    const decision = await world.decide("redirect", entry);
    expect(decision.hop, `${entry.id} ${decision.reason}`).toBe(entry.denied_at_hop);
    expect(decision.connections, entry.id).toHaveLength(entry.denied_at_hop ?? 0);
  }
});

test("a refused address opens no connection, a refused literal no look-up either", async () => {
  for (const entry of casesOf("url").filter(({ verdict }) => verdict === "deny")) {
    const { lookups, connections, reason } = await world.decide("url", entry);
    expect(connections, `${entry.id} ${reason}`).toEqual([]);
    if (/^[\d.]+$|^\[/.test(entry.whatwg?.hostname ?? "")) expect(lookups, entry.id).toEqual([]);
  }
});

test("under the product's own rules every address in place of a name is refused, in each of its forms, public ones too", async () => {
  const literals = casesOf("url").filter((entry) => entry.policy === undefined && /^[\d.]+$|^\[/.test(entry.whatwg?.hostname ?? ""));
  expect(literals.length).toBeGreaterThan(50);
  for (const entry of literals) {
    const { verdict, reason, lookups } = await world.decide("url", entry, { ipLiterals: "refuse" });
    expect({ verdict, reason, lookups }, entry.id).toEqual({ verdict: "deny", reason: "fetch.url_forbidden ip_literal", lookups: [] });
  }
});

test("with the address itself on the allowlist the address rule alone still decides", async () => {
  for (const entry of casesOf("url").filter(({ policy, whatwg }) => policy === undefined && whatwg)) {
    const listed = { ...entry, policy: { allowlist: [entry.whatwg?.hostname ?? ""] } };
    expect((await world.decide("url", listed)).verdict, entry.id).toBe(entry.verdict);
  }
});
