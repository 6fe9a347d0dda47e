/**
 * A community with everything that a route can name: members, roles, requests, proposals in every state, ballots, actions, a package with a job.
 *
 * Invariant: made through the plane as people make it; what is given are the users of the instance and a runner that prepares whatever it is handed. `pool` has
 * the ids by the names that parameters and fields of the contract have, so that a test finds what is there without knowing any route.
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { Caller } from "@althing/bus";
import {
  communityNameSchema,
  handleSchema,
  prepareRequestSchema,
  signPubSchema,
  votingRuleSchema,
  type CommunityId,
  type InstanceRole,
  type Proposal,
} from "@althing/contract";
import { makeBallotKey, type Identity } from "@althing/crypto";
import { bundleFile, newPublisherKey, packBundle, signBundle } from "@althing/extension";
import { newIdentity, type ServedHub } from "./serve-hub.ts";

export interface Gardeners {
  readonly root: Person;
  readonly bea: Person;
  readonly mona: Person;
  readonly nora: Person;
}
interface Person {
  readonly identity: Identity;
  readonly caller: Caller;
}

export interface Garden {
  readonly people: Gardeners;
  readonly pool: Readonly<Record<string, readonly unknown[]>>;
}

const extension = "org.example.garden";
const minuteMs = 60_000;
/** A component's header. */
const component = Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const componentSha256 = createHash("sha256").update(component).digest("hex");

/** Answers that it has prepared, whatever it is; runs nothing. */
export async function startPreparingRunner(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      if (request.url !== "/v1/prepare") return response.writeHead(503).end();
      const { contentHash } = prepareRequestSchema.parse(JSON.parse(text));
      const prepared = { contentHash, componentSha256, profile: "extension", imports: [], preparedMs: 1 };
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(prepared));
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("it listens on no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** New ones, `root` an admin of the instance: nobody founds communities without end. */
async function addGardeners({ state, admin }: ServedHub, number: number): Promise<Gardeners> {
  const { users } = state.bus;
  const first = await users.authenticate(signPubSchema.parse(admin.signPub));
  const add = async (name: string, role: InstanceRole): Promise<Person> => {
    const identity = await newIdentity();
    const signPub = signPubSchema.parse(identity.signPub);
    await users.add(first, { signPub, handle: handleSchema.parse(`${name}-${number}`), role });
    return { identity, caller: await users.authenticate(signPub) };
  };
  return {
    root: await add("root", "admin"),
    bea: await add("bea", "member"),
    mona: await add("mona", "member"),
    nora: await add("nora", "member"),
  };
}

const publisher = newPublisherKey();

async function installPackage(
  { extensions }: ServedHub,
  root: Caller,
  community: CommunityId,
): Promise<{ id: string; contentHash: string }> {
  const publisherId = publisher.publisherId;
  const manifest = {
    ...{ manifestVersion: 2, name: extension, version: "1.0.0", publisher: { id: publisherId, name: "Example" } },
    ...{ displayName: "Garden", engine: "^1.0.0", jobs: [{ name: "sweep", schedule: "daily" }], events: ["comment.created"] },
  };
  const { bundle, contentHash } = await packBundle([
    bundleFile("manifest.json", JSON.stringify(manifest)),
    bundleFile("extension.wasm", component),
  ]);
  const signature = signBundle({ contentHash, name: extension, version: "1.0.0", publisher: publisherId }, publisher);
  await extensions.trust.add(root, { pem: publisher.publicKeyPem });
  const boundary = "althing-garden";
  const part = (name: string) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${name}"\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(part("bundle")),
    Buffer.from(bundle),
    Buffer.from(`\r\n${part("signature")}${signature}\r\n--${boundary}--\r\n`),
  ]);
  const bytes = (async function* () {
    yield body;
  })();
  const { id } = await extensions.installs.upload(root, { community }, { contentType: `multipart/form-data; boundary=${boundary}`, bytes });
  await extensions.installs.change(root, { community, install: id, consent: { contentHash }, active: true });
  return { id, contentHash };
}

/** One in each state; the clock of the hub goes on by what the shortest vote takes. */
async function foundProposals(served: ServedHub, { root, bea, mona }: Gardeners, community: CommunityId): Promise<readonly Proposal[]> {
  const { proposals, votes, agenda } = served.extensions.community;
  const texts = ["one", "two", "three"].map((text) => ({ text }));
  const make = (title: string, discuss: boolean, rule: object = {}, options: readonly { text: string }[] = []) =>
    proposals.create(root.caller, {
      ...{ community, title, body: "", options: [...options], discuss },
      rule: votingRuleSchema.parse({ method: "yes_no", ...rule }),
    });
  const openUntil = async ({ id }: Proposal, inMs: number) =>
    proposals.open(root.caller, { community, proposal: id, closesAt: new Date(Date.now() + served.shiftMs + inMs).toISOString() });
  const secret = async (title: string) => {
    const made = await make(title, true, { secret: true, trustee: root.caller.endpoint });
    const key = await makeBallotKey(root.identity, { community, proposal: made.id, options: [] });
    await votes.opening.putKey(root.caller, { community, proposal: made.id, ...key });
    return made;
  };
  const [draft, talked, running, many, sealed] = [
    await make("draft", false),
    await make("talked of", true, {}, texts),
    await make("running", true),
    await make("of many", true, { method: "approval" }, texts),
    await secret("running in secret"),
  ];
  const [ended, opening] = [await make("ended", true), await secret("to be opened")];
  for (const one of [ended, opening]) await openUntil(one, minuteMs + 1_000);
  for (const voter of [bea, mona])
    await votes.casting.cast(voter.caller, { community, proposal: ended.id, choice: { choice: "yes" }, open: false });
  served.shiftMs += minuteMs + 2_000;
  await agenda.tick();
  for (const one of [running, many, sealed]) await openUntil(one, 10 * minuteMs);
  await votes.casting.cast(root.caller, { community, proposal: running.id, choice: { choice: "no" }, open: false });
  return [draft, talked, running, many, sealed, ended, opening];
}

let founded = 0;

export async function foundGarden(served: ServedHub): Promise<Garden> {
  founded += 1;
  const people = await addGardeners(served, founded);
  const { root, bea, mona, nora } = people;
  const plane = served.extensions.community;
  await served.extensions.policies.putInstance(root.caller, { defaults: {}, ceilings: {}, locks: [] });
  const { id: community, name } = await plane.communities.create(root.caller, { name: communityNameSchema.parse(`garden-${founded}`) });
  for (const [{ caller }, role] of [
    [bea, "member"],
    [mona, "moderator"],
  ] as const)
    await plane.communities.addMember(root.caller, { community, identity: caller.endpoint, roles: [role] });
  await plane.communities.change(root.caller, { community, registration: "approval" });
  await plane.joining.join(nora.caller, { community, answers: {} });
  await plane.roles.create(root.caller, { community, role: "host", description: "", permissions: ["events.read"] });
  const { invitation, token } = await plane.invitations.invite(root.caller, { community, roles: ["member"], uses: 5, expiresInHours: 1 });
  await plane.modules.change(root.caller, { community, module: "delegation", settings: { topics: ["water"] } });
  await served.extensions.policies.put(root.caller, { community, backgroundJobs: true });
  const proposals = await foundProposals(served, people, community);
  const [, talked] = proposals;
  if (talked === undefined) throw new TypeError("there is none that is talked of");
  const at = { community, proposal: talked.id };
  const comment = await plane.proposals.comments.add(bea.caller, { ...at, body: "Hear" });
  const amendment = await plane.proposals.amendments.propose(bea.caller, { ...at, title: "Otherwise", body: "", options: [], why: "" });
  await plane.delegations.give(bea.caller, { community, to: mona.caller.endpoint });
  const action = (kind: "warning" | "mute", member: Caller) =>
    plane.moderation.act(mona.caller, {
      community,
      member: member.endpoint,
      reason: "Noise",
      ...(kind === "mute" ? { kind, hours: 1 } : { kind }),
    });
  const actions = [await action("warning", bea.caller), await action("mute", bea.caller)];
  await plane.moderation.appeal(bea.caller, { community, action: actions[0]?.id ?? "", text: "No" });
  const pinned = await plane.announcements.post(root.caller, { community, text: "Pinned" });
  const { id: install, contentHash } = await installPackage(served, root.caller, community);
  const { publicKey, sealedSecret } = await makeBallotKey(root.identity, { community, proposal: talked.id, options: [] });
  const endpoints = [root, bea, mona, nora].map(({ caller }) => caller.endpoint);
  const ids = proposals.map(({ id }) => id);
  const times = [2, 30, 60 * 24].map((minutes) => new Date(Date.now() + served.shiftMs + minutes * minuteMs).toISOString());
  return {
    people,
    pool: {
      ...{ community: [community, name], proposal: ids, comment: [comment.id], parent: [comment.id], amendment: [amendment.id] },
      ...{ action: actions.map(({ id }) => id), announcement: [pinned.id], invitation: [invitation.id], token: [token] },
      ...{ install: [install, extension], role: ["host", "member"], roles: ["member", "host"], contentHash: [contentHash] },
      ...{ endpoint: endpoints, member: endpoints, to: endpoints, from: endpoints, trustee: endpoints, identity: [...endpoints, "root"] },
      ...{ closesAt: times, topic: ["water"], id: ["o1", "o2", "o3"], index: [1, 2, 5], version: [1], job: ["sweep"], section: ["roles"] },
      ...{ publicKey: [publicKey], sealedSecret: [sealedSecret], topics: ["water"] },
    },
  };
}
