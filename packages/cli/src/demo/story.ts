/**
 * The story that `althing up --demo` plays: a community from its founding to a chain that verifies.
 *
 * Invariant: every step goes over the network as the person who takes it, and says what came of it as the instance answered; nothing is told that was not
 * checked. A step that fails ends the story and is named.
 */
import { castBallot, countedBallots, createClient, exportVote, openMemoryState, type PackagesClient } from "@althing/client";
import { AppError, hasCode, type ErrorCode, type EventRecord } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { recount } from "@althing/tally";
import { setTimeout as sleep } from "node:timers/promises";
import type { Publisher } from "../ext/publisher-keys.ts";
import type { DemoPeople, DemoPerson } from "./demo-people.ts";
import type { DemoRegistry } from "./demo-registry.ts";

export const demoCommunity = "demo-garden";

export interface StoryDeps {
  readonly people: DemoPeople;
  readonly registry: DemoRegistry;
  readonly publisher: Publisher;
  /** Packs and lists the package that is installed. @returns its name */
  readonly fillRegistry: () => Promise<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly tell: (step: string, outcome: string) => void;
}

const params = { community: demoCommunity } as const;
const voteMs = 61_000;
const jobWaitMs = 60_000;

/** Was it played on this instance? */
export async function isPlayed({ alice }: DemoPeople): Promise<boolean> {
  return alice.client.call("communities.get", { params }).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "community.not_found")) return false;
      throw error;
    },
  );
}

export async function playStory(deps: StoryDeps): Promise<void> {
  const { tell } = deps;
  const step = async <T>(name: string, work: () => Promise<readonly [string, T]>): Promise<T> => {
    try {
      const [outcome, value] = await work();
      tell(name, outcome);
      return value;
    } catch (error) {
      tell(name, `failed: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  };
  await step("found a community", () => found(deps));
  await step("invite three people", () => invite(deps));
  await step("give roles", () => giveRoles(deps));
  await step("talk in a room that the server cannot read", () => talk(deps));
  await step("set a policy", () => setPolicy(deps));
  const proposal = await step("open a vote (Schulze), one vote delegated", () => openVote(deps));
  const install = await step("install a package from a static registry", () => installPackage(deps));
  await step("refuse another", () => refuseAnother(deps));
  await step("run a job", () => runJob(deps, install));
  await step("mute and appeal", () => muteAndAppeal(deps));
  await step("decide", () => decide(deps, proposal));
  await step("count again", () => countAgain(deps, proposal));
  await step("verify the public log", () => verifyLog(deps));
}

/** What was refused, as it must be. @throws {check.failed} and anything else that was thrown */
async function refusalOf(code: ErrorCode, what: string, work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    if (hasCode(error, code)) return error;
    throw error;
  }
  throw new AppError("check.failed", { detail: `${what} was not refused` });
}

type Outcome<T = undefined> = Promise<readonly [string, T]>;
const said = (text: string): readonly [string, undefined] => [text, undefined];

async function found({ people: { alice } }: StoryDeps): Outcome {
  await alice.client.call("communities.create", { body: { name: demoCommunity, displayName: "The garden" } });
  await alice.client.call("modules.change", {
    params: { ...params, module: "welcome" },
    body: { settings: { rules: "Be kind. Water what you plant." } },
  });
  return said(`${demoCommunity}; alice owns it; its rules are to be accepted`);
}

async function invite({ people }: StoryDeps): Outcome {
  const { alice, bob, cleo, dan } = people;
  const { token } = await alice.client.call("communities.invite", { params, body: { uses: 3 } });
  for (const { client } of [bob, cleo, dan]) {
    const { rulesVersion } = await client.call("communities.readInvitation", { body: { token } });
    await client.call("communities.joinByInvitation", {
      body: { token, ...(rulesVersion === undefined ? {} : { rulesVersion }) },
    });
  }
  const { members } = await alice.client.call("communities.get", { params });
  return said(`bob, cleo and dan accepted the rules and joined; ${members} members`);
}

async function giveRoles({ people: { alice, bob, cleo } }: StoryDeps): Outcome {
  await alice.client.call("roles.create", {
    params,
    body: { role: "gardener", permissions: ["events.read", "proposals.create", "votes.cast"] },
  });
  const give = ({ identity: { endpoint } }: DemoPerson, ...roles: string[]) =>
    alice.client.call("communities.setRoles", { params: { ...params, endpoint }, body: { roles } });
  await give(bob, "member", "gardener");
  await give(cleo, "member", "moderator");
  return said("bob is a gardener (a role of the community's own), cleo a moderator");
}

async function talk({ people: { alice, bob }, now }: StoryDeps): Outcome {
  const open = ({ identity, client }: DemoPerson) => createClient({ identity, urls: [client.url], state: openMemoryState(), now });
  const [hers, his] = [open(alice), open(bob)];
  try {
    const policy = { encrypt: true, persist: true, sign: true, history: "shared" } as const;
    const room = await hers.rooms.create({ name: demoCommunity, policy, community: demoCommunity });
    await room.invite("bob");
    await room.send("The gate is open.");
    const read = (await (await his.rooms.open(demoCommunity)).history()).filter(({ kind }) => kind === "message");
    if (read.length === 0) throw new AppError("check.failed", { detail: "bob read nothing" });
    return said(`alice invited bob into the room ${demoCommunity} and wrote; he read ${read.length} message`);
  } finally {
    await Promise.all([hers.close(), his.close()]);
  }
}

async function setPolicy({ people: { alice }, registry, publisher }: StoryDeps): Outcome {
  await alice.client.call("trust.add", { body: { pem: publisher.publicKeyPem } });
  const { effective } = await alice.client.call("policy.put", {
    params,
    body: { registryAllowlist: [registry.host], backgroundJobs: true },
  });
  const { trust, installSources } = effective.values;
  return said(`packages: ${trust}, from ${installSources.join(" or ")}, registries: ${registry.host}; background jobs allowed`);
}

async function openVote({ people: { alice, bob, cleo, dan }, now }: StoryDeps): Outcome<string> {
  const made = await alice.client.call("proposals.create", {
    params,
    body: {
      title: "What do we plant by the gate?",
      body: "One bed, full sun, little water.",
      options: [{ text: "Roses" }, { text: "Lavender" }, { text: "Thyme" }],
      rule: { method: "schulze" },
      discuss: true,
    },
  });
  const of = { ...params, proposal: made.id };
  await bob.client.call("proposals.comment", { params: of, body: { body: "Lavender wants no water at all." } });
  await dan.client.call("delegations.give", { params, body: { to: "cleo" } });
  await alice.client.call("proposals.open", { params: of, body: { closesAt: new Date(now() + voteMs).toISOString() } });
  const [roses, lavender, thyme] = made.options.map(({ id }) => id);
  const rank = (...ids: (string | undefined)[]) => ({ ranking: ids.flatMap((id) => (id === undefined ? [] : [[id]])) });
  for (const [{ client }, choice] of [
    [alice, rank(roses, lavender, thyme)],
    [bob, rank(lavender, thyme, roses)],
    [cleo, rank(lavender, roses, thyme)],
  ] as const)
    await castBallot(client.call, { community: demoCommunity, proposal: made.id }, choice);
  return ["alice, bob and cleo voted; dan lets cleo vote for him", made.id];
}

async function installPackage({ people: { alice }, registry, fillRegistry }: StoryDeps): Outcome<string> {
  const name = await fillRegistry();
  const { id, contentHash } = await alice.client.call("packages.installRegistry", {
    params,
    body: { url: registry.url, name: name as never },
  });
  const installed = await alice.client.call("packages.change", {
    params: { ...params, install: id },
    body: { consent: { contentHash }, active: true },
  });
  const signer = installed.trust.verified ? "signature verified" : "not signed";
  return [`${name} ${installed.version} from ${registry.url}: ${signer}, consented to, ${installed.state}`, id];
}

async function refuseAnother({ people: { alice } }: StoryDeps): Outcome {
  const url = "https://packages.example.org/index.json";
  const refusal = await refusalOf("policy.host_not_allowed", url, alice.client.call("packages.installRegistry", { params, body: { url } }));
  return said(`${refusal.code}: ${refusal.message}`);
}

async function runJob({ people: { alice } }: StoryDeps, install: string): Outcome {
  const of = { ...params, install };
  const { jobs } = await alice.client.call("jobs.list", { params: of });
  const name = jobs[0]?.name;
  if (name === undefined) throw new AppError("check.failed", { detail: "the package has no job" });
  await alice.client.call("jobs.run", { params: { ...of, name }, body: {} });
  const run = await until(jobWaitMs, async () => {
    const now = await alice.client.call("jobs.list", { params: of });
    return now.jobs.find((job) => job.name === name)?.history.find(({ kind, status }) => kind === "manual" && status !== "running");
  });
  if (run?.status !== "ok")
    throw new AppError("check.failed", { detail: `the job ended ${run?.status ?? "not at all"} ${run?.detail ?? ""}` });
  return said(`${name}: ${run.note ?? "done"} (${run.fuel ?? 0} units of fuel)`);
}

async function muteAndAppeal({ people: { alice, bob, cleo } }: StoryDeps): Outcome {
  const member = bob.identity.endpoint;
  const reason = "Three times about lavender in one hour";
  const { id: action } = await cleo.client.call("moderation.act", { params, body: { kind: "mute", member, hours: 1, reason } });
  const proposing = bob.client.call("proposals.create", { params, body: { title: "Lavender!" } });
  const refusal = await refusalOf("moderation.muted", "a proposal of somebody muted", proposing);
  const of = { ...params, action };
  await bob.client.call("moderation.appeal", { params: of, body: { text: "It was twice." } });
  const deciding = cleo.client.call("moderation.decide", { params: of, body: { upheld: true, reason: "I say so" } });
  await refusalOf("moderation.own_decision", "deciding an appeal against oneself", deciding);
  const { state } = await alice.client.call("moderation.decide", { params: of, body: { upheld: false, reason: "It was twice." } });
  return said(`cleo muted bob (${refusal.code}); she may not decide the appeal herself; alice did: ${state}`);
}

async function decide({ people: { dan } }: StoryDeps, proposal: string): Outcome {
  const of = { ...params, proposal };
  const row = await until(voteMs + 30_000, async () => {
    const now = await dan.client.call("proposals.get", { params: of });
    return now.state === "decided" ? now : undefined;
  });
  const { report, options } = row ?? {};
  if (report === undefined) throw new AppError("check.failed", { detail: "the vote did not end" });
  const winner = options?.find(({ id }) => id === report.winners[0])?.text ?? "nothing";
  return said(`${winner}, with ${report.ballots} ballots that weigh ${report.weight}`);
}

async function countAgain({ people: { dan } }: StoryDeps, proposal: string): Outcome {
  const ref = { community: demoCommunity, proposal };
  const exported = await exportVote(dan.client.call, ref);
  const { agrees, differences } = recount(exported);
  if (!agrees) throw new AppError("vote.recount_differs", { count: differences.length });
  return said(`dan counted ${(await countedBallots(dan.client.call, ref)).length} ballots on his own machine: the recount agrees`);
}

async function verifyLog({ people: { dan } }: StoryDeps): Outcome {
  const { events, redacted, fault } = await verifyChain(everyEvent(dan.client));
  if (fault !== undefined) throw new AppError("check.failed", { detail: `the chain breaks at event ${fault.index}` });
  return said(`chain ok: ${events} events, ${redacted} redacted`);
}

async function* everyEvent(client: PackagesClient): AsyncGenerator<EventRecord> {
  for (let after = 0; ;) {
    const page = await client.call("events.export", { params, query: { after, limit: 200 } });
    yield* page.events;
    const last = page.events.at(-1);
    if (last === undefined) return;
    after = last.index;
  }
}

async function until<T>(withinMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined || performance.now() >= endMs) return value;
    await sleep(250);
  }
}
