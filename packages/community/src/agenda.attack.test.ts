/** One community that has more due than any tick takes: the others' votes end all the same. */
import { openMemoryStore } from "@althing/store";
import { communityIdSchema } from "@althing/contract";
import { expect, it } from "vitest";
import { createAgenda, type AgendaEntry } from "./agenda.ts";

const flooder = communityIdSchema.parse("01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C");
const other = communityIdSchema.parse("01J9ZQ4Y6T8V0W2X3Y4Z5A6B7D");

it("a community with six thousand entries that never end holds up nobody else's", async () => {
  const store = openMemoryStore();
  const held = Promise.withResolvers<void>();
  const done: string[] = [];
  const agenda = createAgenda({ store, clock: { now: () => 10_000 }, onFailure: () => undefined, tickMs: 20, patienceMs: 60_000 });
  agenda.on("invitation.expire", () => held.promise);
  agenda.on("proposal.close", async (entry: AgendaEntry) => {
    done.push(entry.id);
    await store.batch([agenda.toRemove(entry)]);
  });
  const flood = Array.from({ length: 6_000 }, (_, n): AgendaEntry => ({
    atMs: 1,
    kind: "invitation.expire",
    community: flooder,
    id: `i${n}`,
  }));
  for (let at = 0; at < flood.length; at += 1_000) await store.batch(flood.slice(at, at + 1_000).map(agenda.toAdd));
  await store.batch([agenda.toAdd({ atMs: 9_000, kind: "proposal.close", community: other, id: "vote" })]);
  await agenda.tick();
  expect(done).toEqual(["vote"]);
  await store.batch([agenda.toAdd({ atMs: 9_500, kind: "proposal.close", community: other, id: "second" })]);
  await agenda.tick();
  expect(done).toEqual(["vote", "second"]);
  held.resolve();
});
