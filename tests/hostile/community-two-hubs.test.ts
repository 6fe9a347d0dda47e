/**
 * Two hubs' worth of community planes on one store, doing the same at the same moment: one chain, no update lost, each thing done once.
 *
 * Both planes are the product's own, each with its own view of the store (on JetStream with a connection of its own); time is one, in the test's hands. Which of
 * two comes first is left to chance; what is asked is that exactly one did, or that both are there.
 */
import { connect } from "@nats-io/transport-node";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Caller } from "@althing/bus";
import type { CommunityPlane, HookHost, JobHost } from "@althing/community";
import { hasCode, isAppError, type CommunityId, type EventRecord, type InstallId } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { openJetStreamStore, openSqliteStore, type Store } from "@althing/store";
import { startNats, tempDir, type TempDir, type TestNats } from "@althing/testkit";
import { openCommunityWorld, type CommunityWorld } from "../../packages/community/test/community-world.ts";
import { nextRuns } from "../../packages/community/test/jobs-world.ts";
import { eventually } from "../e2e/althing-process.ts";

const rounds = 12;
const minuteMs = 60_000;
const jobNames = ["sweep", "water", "prune"];
const handles = ["bea", "cid", "dan", "eva"];

interface Places {
  /** A view of the same store for each hub. */
  open(): Promise<Store>;
  close(): Promise<void>;
}

let nats: TestNats;
let dir: TempDir;
beforeAll(async () => {
  [nats, dir] = await Promise.all([startNats(), tempDir()]);
});
afterAll(async () => {
  await nats.stop();
  await dir.remove();
});

const kinds: Readonly<Record<"sqlite" | "jetstream", () => Promise<Places>>> = {
  // One process has one view of a SQLite store.
  sqlite: async () => {
    const store = await openSqliteStore({ path: join(dir.path, "state.db"), migrations: [], fsync: "interval" });
    return { open: () => Promise.resolve(store), close: () => store.close() };
  },
  jetstream: async () => {
    const closers: (() => Promise<void>)[] = [];
    return {
      async open() {
        const connection = await connect({ servers: nats.url });
        const store = await openJetStreamStore({ connection, stream: "STATE", replicas: 1, migrations: [] });
        closers.push(
          () => store.close(),
          () => connection.close(),
        );
        return store;
      },
      async close() {
        for (const close of closers) await close();
      },
    };
  },
};

const codeOf = (error: unknown): string => (isAppError(error) ? error.code : String(error));
/** What became of the same thing done on both sides at once. */
async function both<T>(first: Promise<T>, second: Promise<T>): Promise<string[]> {
  const outcomes = await Promise.allSettled([first, second]);
  return outcomes.map((outcome) => (outcome.status === "fulfilled" ? "done" : codeOf(outcome.reason))).sort();
}

describe.each(Object.entries(kinds))("two hubs on %s", { timeout: 60_000 }, (_, openPlaces) => {
  let places: Places;
  let a: CommunityWorld;
  let b: CommunityWorld;
  let garden: CommunityId;
  let ada: Caller;
  let mona: Caller;
  let members: Caller[];
  const begun: string[] = [];
  const told: { index: number; topic: string }[] = [];
  const install = { id: "01J9ZQ4Y6T8V0W2X3Y4Z000001" as InstallId, extension: "org.example.tidy" };

  const hookHost: HookHost = {
    subscriptions: () =>
      Promise.resolve([
        { install: install.id, extension: install.extension, events: ["comment.*", "announcement.*"], filters: [], isHeld: false },
      ]),
    locate: (community) => Promise.resolve({ community, install: install.id, extension: install.extension }),
    invokeFilter: () => Promise.resolve({ kind: "skip" }),
    invokeEvent(_target, { index, topic }) {
      told.push({ index, topic });
      return Promise.resolve({ kind: "done" });
    },
  };
  const jobHost = (): JobHost => {
    const installed = () => ({
      ...{ community: garden, ...install, granted: jobNames },
      declared: jobNames.map((name) => ({ name, schedule: "minute" as const })),
    });
    return {
      activeIn: (community) => Promise.resolve(community === garden ? [installed()] : []),
      active: () => Promise.resolve(installed()),
      locate: () => Promise.resolve(installed()),
      show: () => Promise.resolve({ install: installed(), blocked: undefined }),
      blockOf: () => Promise.resolve(undefined),
      nextRuns,
      async invoke({ job, slot, confirm }) {
        if (!(await confirm())) return { status: "unconfirmed" };
        begun.push(`${job} ${slot}`);
        return { status: "ok", note: slot };
      },
    };
  };

  beforeAll(async () => {
    places = await openPlaces();
    const changes = (node: string) => ({ hookHost, jobs: { host: jobHost(), node } });
    a = openCommunityWorld({ store: await places.open(), changes: changes("a") });
    b = openCommunityWorld({ store: await places.open(), changes: changes("b") });
    Object.defineProperty(b.clock, "ms", { get: () => a.clock.ms });
    garden = await a.found();
    ada = a.person("ada");
    mona = await a.member(garden, "mona", "owner");
    members = [];
    for (const handle of handles) members.push(await a.member(garden, handle));
    for (const handle of ["ada", "mona", ...handles]) b.person(handle);
    for (const { plane } of [a, b]) plane.hooks.start();
    const { events, hooks } = a.plane;
    await events.act(garden, async () => ({
      writes: hooks.toNote(garden, (await events.head(garden)).index, [install.id]),
      events: [],
      result: undefined,
    }));
    a.clock.ms += 1_000;
  });
  afterAll(async () => {
    for (const { plane } of [a, b]) {
      await plane.stop();
      await plane.hooks.close();
    }
    await places.close();
  });

  const planes = (): [CommunityPlane, CommunityPlane] => [a.plane, b.plane];
  async function everyEvent(): Promise<EventRecord[]> {
    const all: EventRecord[] = [];
    for (;;) {
      const more = await b.plane.events.read(garden, all.length, 500);
      all.push(...more);
      if (more.length === 0) return all;
    }
  }
  const topics = async (topic: string) => (await everyEvent()).filter((event) => event.topic === topic);

  /** As a client does that is told that others were faster. */
  async function insist<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!hasCode(error, "request.conflict") || attempt === 20) throw error;
      }
    }
  }

  /** Known to both. */
  function newcomer(handle: string): Caller {
    b.person(handle);
    return a.person(handle);
  }

  async function running(title: string): Promise<{ community: CommunityId; proposal: string }> {
    const { id } = await a.plane.proposals.create(ada, { community: garden, title, body: "", options: [], discuss: true });
    const of = { community: garden, proposal: id };
    await a.plane.proposals.open(ada, { ...of, closesAt: new Date(a.clock.ms + 10 * minuteMs).toISOString() });
    return of;
  }

  test("what both write at once is all there", async () => {
    const of = await running("Talk");
    const before = (await everyEvent()).length;
    const said = await Promise.all(
      Array.from({ length: rounds }, (_round, round) =>
        planes().map((plane, hub) =>
          insist(() => plane.proposals.comments.add(members[round % 4] ?? ada, { ...of, body: `${hub}-${round}` })),
        ),
      ).flat(),
    );
    const pinned = await Promise.all(
      planes().map((plane) => insist(() => plane.announcements.post(ada, { community: garden, text: "Hear" }))),
    );
    const { comments } = await b.plane.proposals.comments.list(ada, { ...of, limit: 100 });
    expect(comments.map(({ id }) => id).sort()).toEqual(said.map(({ id }) => id).sort());
    expect((await a.plane.proposals.get(ada, of)).comments).toBe(2 * rounds);
    expect((await everyEvent()).length - before).toBe(2 * rounds + pinned.length);
  });

  test("a voter who votes on both has one ballot, and the row counts it once", async () => {
    const of = await running("Beds");
    for (let round = 0; round < rounds; round++)
      await Promise.all(
        members.flatMap((voter) =>
          planes().map((plane, hub) =>
            insist(() => plane.votes.casting.cast(voter, { ...of, choice: { choice: hub === 0 ? "yes" : "no" }, open: false })),
          ),
        ),
      );
    expect((await a.plane.proposals.get(ada, of)).ballots).toBe(members.length);
    const papers = await Promise.all(members.map((voter) => b.plane.votes.casting.paper(voter, of)));
    expect(papers.map(({ mine }) => mine.kind)).toEqual(members.map(() => "open"));
    const cast = (await topics("vote.cast")).filter(({ subject }) => subject === `proposal/${of.proposal}`);
    expect(cast).toHaveLength(2 * rounds * members.length);
  });

  test("a vote ends once, whoever tells that it is time, and a late ballot is in it or refused", async () => {
    const of = await running("Bench");
    const [first] = members;
    if (first === undefined) return expect.fail("nobody votes");
    a.clock.ms += 10 * minuteMs - 1;
    const [late] = await Promise.all([
      both(
        a.plane.votes.casting.cast(first, { ...of, choice: { choice: "yes" }, open: false }),
        b.plane.votes.casting.cast(first, { ...of, choice: { choice: "no" }, open: false }),
      ),
      (async () => {
        a.clock.ms += 1;
        await Promise.all(Array.from({ length: 4 }, () => planes().map((plane) => plane.agenda.tick())).flat());
      })(),
    ]);
    await Promise.all(planes().map((plane) => plane.agenda.tick()));
    for (const outcome of late) expect(["done", "vote.closed", "vote.not_open"]).toContain(outcome);
    const decided = (await topics("proposal.decided")).filter(({ subject }) => subject === `proposal/${of.proposal}`);
    expect(decided).toHaveLength(1);
    const { state, report, ballots } = await b.plane.proposals.get(ada, of);
    expect(state).toBe("decided");
    expect(report?.ballots).toBe(ballots);
    expect(ballots).toBe(late.includes("done") ? 1 : 0);
  });

  test("of two that exclude each other one is done", async () => {
    const [bea, cid] = members;
    if (bea === undefined || cid === undefined) return expect.fail("nobody is there");
    for (let round = 0; round < 4; round++) {
      const [here, there] = planes();
      // A circle that two close together.
      const circle = await both(
        insist(() => here.delegations.give(bea, { community: garden, to: cid.endpoint })),
        insist(() => there.delegations.give(cid, { community: garden, to: bea.endpoint })),
      );
      expect(circle).toEqual(["delegation.cycle", "done"]);
      for (const person of [bea, cid]) await here.delegations.revoke(person, { community: garden }).catch(() => undefined);
      // The same text edited by two who read the same version.
      const { id, version } = await here.proposals.create(ada, { community: garden, title: "Text", body: "", options: [], discuss: true });
      const edit = (plane: CommunityPlane, title: string) =>
        insist(() => plane.proposals.edit(ada, { community: garden, proposal: id, title, body: "", options: [] }, { ifMatch: version }));
      expect(await both(edit(here, "One"), edit(there, "Two"))).toEqual(["done", "request.precondition_failed"]);
      // An invitation for one.
      const { token } = await here.invitations.invite(ada, { community: garden, roles: ["member"], uses: 1, expiresInHours: 1 });
      const [xan, yve] = [newcomer(`xan${round}`), newcomer(`yve${round}`)];
      const entered = await both(
        insist(() => here.invitations.joinByInvitation(xan, { token, answers: {} })),
        insist(() => there.invitations.joinByInvitation(yve, { token, answers: {} })),
      );
      expect(entered).toEqual(["done", "invitation.invalid"]);
      // One appeal, two decisions.
      const { id: action } = await here.moderation.act(mona, {
        community: garden,
        kind: "mute",
        member: bea.endpoint,
        hours: 1,
        reason: "Noise",
      });
      await there.moderation.appeal(bea, { community: garden, action, text: "No" });
      const decide = (plane: CommunityPlane, upheld: boolean) =>
        insist(() => plane.moderation.decide(ada, { community: garden, action, upheld, reason: "Heard" }));
      expect(await both(decide(here, true), decide(there, false))).toEqual(["done", "moderation.no_appeal"]);
    }
  });

  test("of two owners who leave together one stays", async () => {
    const leave = (plane: CommunityPlane, person: Caller) =>
      insist(() => plane.communities.removeMember(person, { community: garden, endpoint: person.endpoint }));
    const [here, there] = planes();
    expect(await both(leave(here, mona), leave(there, ada))).toEqual(["community.last_owner", "done"]);
    const owners = (await a.deps.collections.communities.get([garden]))?.value.owners ?? [];
    expect(owners).toHaveLength(1);
    // Whoever is left takes the other in again.
    const [left, gone] = owners[0] === ada.endpoint ? [ada, mona] : [mona, ada];
    await here.communities.addMember(left, { community: garden, identity: gone.endpoint, roles: ["owner"] });
  });

  test("each slot of a job is run once", async () => {
    await Promise.all(planes().map((plane) => plane.jobs.tick()));
    for (let slot = 0; slot < 8; slot++) {
      a.clock.ms += minuteMs;
      await Promise.all(planes().flatMap((plane) => [plane.jobs.tick(), plane.tick()]));
      await Promise.all(planes().map((plane) => plane.jobs.settled()));
    }
    expect(new Set(begun).size).toBe(begun.length);
    expect(begun.length).toBeGreaterThanOrEqual(7 * jobNames.length);
    for (const name of jobNames) expect(begun.filter((one) => one.startsWith(`${name} `)).length).toBeGreaterThanOrEqual(7);
  });

  test("each event was told to the extension once, in order", async () => {
    const wanted = (await everyEvent()).filter(({ topic }) => /^(?:comment|announcement)\./.test(topic)).map(({ index }) => index);
    await eventually(() => told.length >= wanted.length, "all were told", 20_000);
    expect(told.map(({ index }) => index)).toEqual(wanted);
  });

  test("and it is one chain, with as many members as it tells of", async () => {
    const all = await everyEvent();
    const verdict = await verifyChain(all);
    expect(verdict.fault).toBeUndefined();
    expect(await a.plane.events.head(garden)).toEqual({ index: all.length, hash: verdict.head });
    const joined = all.filter(({ topic }) => topic === "member.joined").length;
    const left = all.filter(({ topic }) => topic === "member.left").length;
    const { members: count } = await a.plane.communities.get(ada, { community: garden });
    expect(count).toBe(joined - left);
    expect((await a.deps.collections.members.list({ prefix: [garden], limit: 1_000 })).records).toHaveLength(count);
  });
});
