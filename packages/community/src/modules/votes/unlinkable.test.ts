/**
 * Nothing that a hub keeps, tells or answers leads from a voter to a secret choice.
 *
 * The same vote is held several times with the choices dealt to other voters. Whatever depends on who said what would show as a difference between the dumps:
 * every record with its revision, every event, every answer to everybody, at every stage. Only chance may differ (keys, ciphertexts, nonces, salts), and it is
 * replaced by its length. Which choice stands where among the published ballots follows from the nonces alone, which is shown apart.
 */
import type { Caller } from "@althing/bus";
import type { VoteChoice } from "@althing/contract";
import { openMemoryStore, openSqliteStore, type CollectionDef, type Store } from "@althing/store";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { describe, expect, it } from "vitest";
import { openVoteWorld, type VoteWorld } from "../../../test/vote-world.ts";

const yes: VoteChoice = { choice: "yes" };
const no: VoteChoice = { choice: "no" };
const block: VoteChoice = { choice: "block" };

/** Every collection that was ever opened on it. */
function watched(store: Store): { readonly store: Store; dump(): Promise<string[]> } {
  const names = new Map<string, CollectionDef<unknown>>();
  const { collection } = store;
  const wrapped: Store = {
    ...{ kind: store.kind, batch: (...args) => store.batch(...args), revision: () => store.revision() },
    ...{ follow: (...args) => store.follow(...args), reach: (revision) => store.reach(revision) },
    ...{ schemaVersion: () => store.schemaVersion(), close: () => store.close() },
    collection: (def) => {
      names.set(def.name, def);
      return collection.call(store, def) as ReturnType<typeof store.collection<never>>;
    },
  };
  return {
    store: wrapped,
    async dump() {
      const lines: string[] = [];
      for (const def of names.values()) {
        const { records } = await store.collection(def).list({ limit: 1_000 });
        for (const { key, value, revision } of records) lines.push(`${def.name}/${key.join("/")} @${revision} ${JSON.stringify(value)}`);
      }
      return lines;
    },
  };
}

/** Chance by its length; people keep their names. */
function withoutChance(world: VoteWorld, voters: readonly Caller[]) {
  const names = new Set([world.ada, ...voters].flatMap(({ endpoint, signPub }) => [endpoint as string, signPub as string]));
  return (text: string): string =>
    text
      .replace(/[A-Za-z0-9_-]{20,}/g, (run) => (names.has(run) ? run : `<${run.length}>`))
      // The electorate is kept in an order of chance.
      .replace(/"(?:voters|electorate)":\[.*?\]/g, (list) =>
        list
          .split(/[[\],]/)
          .toSorted()
          .join(),
      );
}

/** What each of those who may ask is answered. */
async function answers(world: VoteWorld, vote: string, voters: readonly Caller[]): Promise<string[]> {
  const of = { community: world.garden, proposal: vote };
  const { casting, records, opening } = world.plane.votes;
  const lines: string[] = [];
  for (const caller of [world.ada, ...voters, world.person("operator", "admin")]) {
    const asked = await Promise.allSettled([
      casting.paper(caller, of),
      records.head(caller, of),
      records.page(caller, { ...of, part: "electorate" }),
      records.page(caller, { ...of, part: "delegations" }),
      records.ballots(caller, { ...of, limit: 100 }),
      records.ballots(caller, { ...of, limit: 100, after: "secret" }),
      opening.sealedBallots(caller, { ...of, limit: 100 }),
      world.plane.delegations.weight(caller, { community: world.garden, proposal: vote }),
      world.plane.proposals.get(caller, of),
    ]);
    for (const [at, answer] of asked.entries())
      lines.push(`${caller.handle} ${at} ${answer.status === "fulfilled" ? JSON.stringify(answer.value) : String(answer.reason)}`);
  }
  lines.push(...(await world.plane.events.read(world.garden, 0, 1_000)).map((event) => JSON.stringify(event)));
  lines.push(JSON.stringify(world.lines));
  return lines;
}

interface Held {
  /** By stage; chance taken out, choices of published ballots too. */
  readonly stages: Readonly<Record<string, string[]>>;
  /** Revisions and choices of what was published, in the order of nonces. */
  readonly published: readonly { readonly nonce: string; readonly revision: number; readonly choice: VoteChoice }[];
  readonly receipts: readonly string[];
}

async function hold(
  choices: readonly VoteChoice[],
  inner: Store,
  look: (stage: string, receipts: readonly string[]) => Promise<void> = () => Promise.resolve(),
): Promise<Held> {
  const { store, dump } = watched(inner);
  const world = await openVoteWorld({ store });
  const voters = await world.members(...choices.map((_, at) => `voter${at}`));
  const vote = await world.running({ rule: { secret: true } });
  const clean = withoutChance(world, voters);
  const stages: Record<string, string[]> = {};
  const receipts: string[] = [];
  const take = async (stage: string) => {
    await look(stage, receipts);
    const lines = [...(await dump()), ...(await answers(world, vote, voters))];
    const hidden = lines.map((line) => (line.startsWith("published-ballots/") ? line.replace(/"(yes|no|block)"/, '"·"') : line));
    stages[stage] = hidden.map(clean).sort();
  };
  for (const [at, choice] of choices.entries()) {
    world.clock.ms += 1_000;
    const voter = voters[at];
    if (voter !== undefined) receipts.push(await world.castSealed(voter, vote, choice));
  }
  await take("cast");
  await world.close();
  await take("parted");
  const { finish } = world.plane.votes.opening;
  Object.assign(world.plane.votes.opening, {
    finish: async (...args: Parameters<typeof finish>) => {
      await take("published");
      return finish(...args);
    },
  });
  await world.open(vote);
  await take("decided");
  const { records } = await world.rows.published.list({ prefix: [world.garden, vote] });
  return {
    stages,
    receipts,
    published: records.map(({ key, value, revision }) => ({ nonce: key[2] ?? "", revision, choice: value.choice })),
  };
}

const deals: readonly (readonly VoteChoice[])[] = [
  [no, yes, yes, yes, block],
  [yes, no, yes, block, yes],
  [yes, block, no, yes, yes],
];

describe("who said what", () => {
  it("makes no difference to records, revisions, events and answers at any stage", async () => {
    const [first, ...others] = await Promise.all(deals.map((choices) => hold(choices, openMemoryStore())));
    expect(first?.stages["decided"]?.some((line) => line.startsWith("published-ballots/"))).toBe(true);
    expect(first?.stages["cast"]?.some((line) => line.startsWith("sealed-ballots/"))).toBe(true);
    for (const other of others)
      for (const stage of ["cast", "parted", "published", "decided"])
        expect(sorted(other.stages[stage])).toEqual(sorted(first?.stages[stage]));
  });

  it("a difference would be seen: two other hands are two other dumps", async () => {
    const [one, other] = await Promise.all([hold([no, yes, yes], openMemoryStore()), hold([yes, yes, yes], openMemoryStore())]);
    expect(one.stages["decided"]).not.toEqual(other.stages["decided"]);
    expect(one.stages["cast"]).toEqual(other.stages["cast"]);
  });

  it("the order of what is published, by name and by revision, is that of the nonces and of nothing else", async () => {
    const { published, receipts } = await hold([no, yes, block, yes, no, yes], openMemoryStore());
    const nonces = published.map(({ nonce }) => nonce);
    expect(nonces).toEqual(receipts.toSorted());
    const byRevision = published.toSorted((a, b) => a.revision - b.revision);
    expect(byRevision.map(({ nonce }) => nonce)).toEqual(nonces);
  });

  it("is nowhere in the bytes of the database before it is published, and no sealed ballot is in its records afterwards", async () => {
    await using folder = await tempDir();
    const store = await openSqliteStore({ path: join(folder.path, "state.db"), migrations: [] });
    const seen: string[] = [];
    try {
      await hold([no, yes, block], store, async (stage, receipts) => {
        const bytes = await bytesOf(folder.path);
        seen.push(`${stage} ${receipts.some((receipt) => bytes.includes(receipt))} ${bytes.includes('"choice":"block"')}`);
      });
    } finally {
      await store.close();
    }
    expect(seen).toEqual(["cast false false", "parted false false", "published true true", "decided true true"]);
  });
});

/** The list of ballots in an answer has the order of the nonces: its choices are compared as a hand. */
function sorted(lines: readonly string[] = []): string[] {
  return lines
    .map((line) => line.replace(/\{"ballots":\[.*\]/g, (list) => [...list.matchAll(/"choice":\{[^}]*\}/g)].map(String).sort().join()))
    .toSorted();
}

async function bytesOf(folder: string): Promise<Buffer> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("state.db"));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))));
}
