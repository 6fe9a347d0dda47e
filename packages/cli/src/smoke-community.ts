/**
 * The community part of `althing smoke`: a proposal is voted on, counted again from its export, and the public log is verified.
 *
 * Invariant: the count and the chain are checked here, by this program and not by the instance; the community is the smoke's own, with its caller as the one
 * member, so a vote ends as soon as it is cast.
 */
import { castBallot, exportEvents, exportVote, type PackagesClient } from "@althing/client";
import { AppError } from "@althing/contract";
import { verifyChain } from "@althing/crypto";
import { recount } from "@althing/tally";
import type { RunStep } from "./commands/smoke.ts";

const failed = (detail: string): AppError => new AppError("check.failed", { detail });

async function voteAndRecount(client: PackagesClient, community: string): Promise<string> {
  const { id: proposal } = await client.call("proposals.create", {
    params: { community },
    body: { title: "Smoke", body: "", options: [{ text: "One" }, { text: "Two" }], rule: { method: "schulze" }, discuss: true },
  });
  const ref = { community, proposal };
  await client.call("proposals.open", { params: ref, body: {} });
  await castBallot(client.call, ref, { ranking: [["o2"], ["o1"]] });
  const { report } = await client.call("proposals.close", { params: ref, body: {} });
  const { agrees, differences } = recount(await exportVote(client.call, ref));
  if (!agrees) throw failed(`the recount differs: ${differences[0] ?? ""}`);
  if (report?.winners.join() !== "o2") throw failed(`o2 was voted for, and the winner is ${report?.winners.join() ?? "nobody"}`);
  return `${report.ballots} ballot of ${report.eligible} entitled, the recount agrees`;
}

async function verifyLog(client: PackagesClient, community: string): Promise<string> {
  const head = await client.call("events.head", { params: { community } });
  const { events, head: last, fault } = await verifyChain(exportEvents(client, community));
  if (fault !== undefined) throw failed(`the chain breaks at event ${fault.index}`);
  if (events !== head.index || last !== head.hash) throw failed(`the log ends at event ${events}, and its head says ${head.index}`);
  return `chain ok: ${events} events`;
}

/** @throws {check.failed} and what an instance refuses */
export async function smokeCommunity(client: PackagesClient, community: string, run: RunStep): Promise<void> {
  await run("vote and recount", () => voteAndRecount(client, community));
  await run("verify the log", () => verifyLog(client, community));
}
