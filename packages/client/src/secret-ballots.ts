/**
 * Voting from the client's side: casting, the trustee's key and the opening of secret ballots, receipts, and the file for a recount.
 *
 * Invariant: a choice in a secret vote leaves the client sealed or not at all; its receipt is returned to the caller and kept nowhere here. Looking for a receipt
 * reads the whole list, because asking for one would tell the server whose it is. What the trustee publishes is sorted by nonce, which nobody chose, so that no
 * order leads back. docs/architecture/voting.md, "Ballots".
 */
import {
  AppError,
  pages,
  voteExportSchema,
  type BallotPaper,
  type CountedBallot,
  type KexPub,
  type PublishedBallot,
  type SealedBallot,
  type VoteChoice,
  type VoteExport,
  type VoteOption,
  type VotingRule,
} from "@althing/contract";
import {
  concat,
  fromBase64url,
  makeBallotKey,
  openBallot,
  openBallotKey,
  sealBallot,
  sha256,
  toHex,
  type BallotContext,
  type Identity,
} from "@althing/crypto";
import type { Api } from "./api.ts";

/** Any client's `call`. */
export type VoteCall = Api["call"];

export interface VoteRef {
  /** Id or name. */
  readonly community: string;
  readonly proposal: string;
}

/** Why a choice does not fit a rule, as @althing/tally says it; given by the caller, because counting is not this library's. */
export type ChoiceFault = (rule: VotingRule, options: readonly VoteOption[], choice: VoteChoice) => string | undefined;

export interface CastResult {
  readonly kind: "open" | "sealed";
  /** Of a sealed ballot: keep it, and show it to nobody before the vote is over. */
  readonly receipt?: string;
}

export interface OpeningResult {
  readonly sealed: number;
  readonly published: number;
  readonly spoilt: number;
}

const publishedAtOnce = 200;
const openedAtOnce = 64;
const pageMax = 1_000;

const contextOf = ({ community, proposal, options }: BallotPaper): BallotContext => ({ community, proposal, options });

/**
 * Makes the key of a secret vote and registers it; its secret half is sealed to the trustee's own key card, so any device of theirs opens it.
 * @throws {vote.not_secret} {vote.not_trustee} and what the route votes.putKey refuses
 */
export async function makeTrusteeKey(call: VoteCall, trustee: Identity, ref: VoteRef): Promise<KexPub> {
  const paper = await call("votes.paper", { params: { ...ref } });
  if (!paper.rule.secret) throw new AppError("vote.not_secret");
  if (paper.rule.trustee !== trustee.endpoint) throw new AppError("vote.not_trustee");
  const key = await makeBallotKey(trustee, contextOf(paper));
  await call("votes.putKey", { params: { ...ref }, body: key });
  return key.publicKey;
}

/**
 * Casts a ballot, sealed where the vote is secret.
 * @param how `open`: in a secret vote, let everybody see this ballot; it carries what was delegated to the voter
 * @throws {vote.no_trustee_key} {ballot.invalid} {client.bad_answer} what lies there is not what was sent, and what the routes refuse
 */
export async function castBallot(
  call: VoteCall,
  ref: VoteRef,
  choice: VoteChoice,
  how: { readonly open?: boolean } = {},
): Promise<CastResult> {
  const paper = await call("votes.paper", { params: { ...ref } });
  if (!paper.rule.secret || how.open === true) {
    await call("votes.cast", { params: { ...ref }, body: { choice, open: paper.rule.secret } });
    return { kind: "open" };
  }
  if (paper.publicKey === undefined) throw new AppError("vote.no_trustee_key");
  const { sealed, nonce } = await sealBallot(paper.publicKey, contextOf(paper), choice);
  const { digest } = await call("votes.castSealed", { params: { ...ref }, body: sealed });
  const expected = toHex(await sha256(concat(fromBase64url(sealed.enc), fromBase64url(sealed.ct))));
  if (digest !== expected)
    throw new AppError("client.bad_answer", { detail: "votes.castSealed: another ballot than the one that was sent" });
  return { kind: "sealed", receipt: nonce };
}

/**
 * The trustee's work after the end: opens every sealed ballot, publishes what was said, ends the vote. May be begun again after an interruption.
 * @throws {ballot.key_forged} and what the routes of an opening refuse
 */
export async function openSecretBallots(call: VoteCall, trustee: Identity, ref: VoteRef, choiceFault: ChoiceFault): Promise<OpeningResult> {
  const params = { ...ref };
  const paper = await call("votes.paper", { params });
  const { publicKey, sealedSecret, sealed, published: left } = await call("votes.startOpening", { params, body: {} });
  const context = contextOf(paper);
  const key = await openBallotKey(trustee, context, { publicKey, sealedSecret });
  // What an earlier run left may be of another client: it is made anew.
  if (left > 0) await call("votes.restartOpening", { params });
  const said = new Map<string, PublishedBallot>();
  for await (const ballots of sealedPages(call, ref)) {
    for (const ballot of await opened(key, context, ballots)) {
      if (ballot === undefined || choiceFault(paper.rule, paper.options, ballot.choice) !== undefined) continue;
      if (!said.has(ballot.nonce)) said.set(ballot.nonce, ballot);
    }
  }
  const list = [...said.values()].sort((a, b) => (a.nonce < b.nonce ? -1 : 1));
  for (let start = 0; start < list.length; start += publishedAtOnce)
    await call("votes.publish", { params, body: { ballots: list.slice(start, start + publishedAtOnce) } });
  const counts = { published: list.length, spoilt: sealed - list.length };
  await call("votes.finishOpening", { params, body: counts });
  return { sealed, ...counts };
}

async function* sealedPages(call: VoteCall, ref: VoteRef): AsyncGenerator<readonly SealedBallot[]> {
  const read = (from: { after?: string }) => call("votes.sealedBallots", { params: { ...ref }, query: { limit: pageMax, ...from } });
  for await (const { ballots } of pages(read)) yield ballots;
}

async function opened(key: CryptoKeyPair, context: BallotContext, ballots: readonly SealedBallot[]) {
  const all: (PublishedBallot | undefined)[] = [];
  for (let start = 0; start < ballots.length; start += openedAtOnce)
    all.push(...(await Promise.all(ballots.slice(start, start + openedAtOnce).map((ballot) => openBallot(key, context, ballot)))));
  return all;
}

/** Every ballot of a decided vote. @throws {vote.still_running} */
export async function countedBallots(call: VoteCall, ref: VoteRef): Promise<CountedBallot[]> {
  const all: CountedBallot[] = [];
  const read = (from: { after?: string }) => call("votes.ballots", { params: { ...ref }, query: { limit: pageMax, ...from } });
  for await (const { ballots } of pages(read)) all.push(...ballots);
  return all;
}

/**
 * The published ballot of a receipt: a nonce, or the voter's endpoint id for an open ballot.
 * @throws {ballot.receipt_missing} {vote.still_running}
 */
export async function findReceipt(call: VoteCall, ref: VoteRef, receipt: string): Promise<CountedBallot> {
  const found = (await countedBallots(call, ref)).find(({ nonce, voter }) => nonce === receipt || voter === receipt);
  if (found === undefined) throw new AppError("ballot.receipt_missing");
  return found;
}

/** Everything that a recount needs, in one value. @throws {vote.still_running} {vote.void} */
export async function exportVote(call: VoteCall, ref: VoteRef): Promise<VoteExport> {
  const { electorate: _many, delegations: _some, ...head } = await call("votes.export", { params: { ...ref } });
  const electorate: string[] = [];
  for await (const page of exportPages(call, ref, "electorate")) electorate.push(...(page.electorate ?? []));
  const delegations: VoteExport["delegations"] = [];
  for await (const page of exportPages(call, ref, "delegations")) delegations.push(...(page.delegations ?? []));
  return voteExportSchema.parse({ format: "althing/vote/v1", ...head, electorate, delegations, ballots: await countedBallots(call, ref) });
}

function exportPages(call: VoteCall, ref: VoteRef, part: "electorate" | "delegations") {
  return pages((from: { after?: string }) => call("votes.exportPage", { params: { ...ref, part }, query: from }));
}
