/**
 * What a proposed policy would stop, judged by what is installed and by the log of the last seven days.
 *
 * Invariant: the same functions judge here and at a call, on the same grants; nothing is written. Hosts are not in the log, so for them the calls
 * counted are those that sent anything. Rows are read one after the other and only so many, newest first; a count that stopped there says so.
 */
import {
  AppError,
  type CommunityId,
  type EffectivePolicy,
  type Execution,
  type Grants,
  type InstallId,
  type RouteResponse,
  type TrustState,
} from "@althing/contract";
import { grantedPolicy, mayTrust } from "@althing/policy";
import type { Executions } from "../executions/index.ts";
import type { ExtensionClock } from "../extension-deps.ts";

export interface JudgedInstall {
  readonly id: InstallId;
  readonly extension: string;
  readonly granted: Grants;
  readonly trust: TrustState;
}

export interface DryRunDeps {
  /** Every install of the community. */
  readonly installs: { all(community: CommunityId): Promise<readonly JudgedInstall[]> };
  readonly executions: Pick<Executions, "recent" | "hours">;
  readonly clock: ExtensionClock;
  /** Rows read at most, over all installs. */
  readonly rowsMax?: number;
}

export type PolicyDryRun = RouteResponse<"policy.dryRun">;
type Block = PolicyDryRun["blocks"][number];

interface Judged {
  readonly block: Omit<Block, "calls">;
  /** Absent: every call of the install, which the hourly usage knows. */
  readonly counts?: (row: Execution) => boolean;
}

const weekHours = 7 * 24;
const hourMs = 3_600_000;
const rowsReadMax = 50_000;

function judge(effective: EffectivePolicy, { id, extension, granted, trust }: JudgedInstall): Judged[] {
  const found: Judged[] = [];
  const add = (kind: Block["kind"], name: string, rule: string, text: string, counts?: Judged["counts"]) =>
    found.push({ block: { kind, install: id, extension, name, rule, text }, ...(counts === undefined ? {} : { counts }) });
  const refusal = mayTrust(effective, trust);
  if (refusal !== undefined)
    add("install", extension, refusal.params["key"] ?? "trust", new AppError(refusal.code, refusal.params).message);
  const { withheld } = grantedPolicy(effective, granted);
  for (const [what, { text }] of Object.entries(withheld))
    if (what.startsWith("host:")) add("host", what.slice("host:".length), "outboundHttp", text, (row) => (row.egressBytes ?? 0) > 0);
  const { jobs, publicEndpoints } = withheld;
  for (const job of jobs === undefined ? [] : granted.jobs)
    add("job", job, "backgroundJobs", jobs?.text ?? "", (row) => row.trigger === "job" && row.name === job);
  for (const endpoint of publicEndpoints === undefined ? [] : granted.publicEndpoints)
    add(
      "endpoint",
      endpoint,
      "publicEndpoints",
      publicEndpoints?.text ?? "",
      (row) => row.trigger === "http" && row.name === endpoint && row.actor === undefined,
    );
  return found;
}

/**
 * @example
 * const { blocks } = await dryRunPolicy({ installs, executions, clock }, community, effectivePolicy(instance, proposed));
 */
export async function dryRunPolicy(deps: DryRunDeps, community: CommunityId, effective: EffectivePolicy): Promise<PolicyDryRun> {
  const { executions, clock, rowsMax = rowsReadMax } = deps;
  const blocks: Block[] = [];
  let left = rowsMax;
  for (const install of await deps.installs.all(community)) {
    const judged = judge(effective, install);
    const tallies = judged.map(({ block, counts }) => ({ block, counts, calls: 0 }));
    let isCut = false;
    if (tallies.some(({ counts }) => counts !== undefined)) {
      for await (const row of executions.recent(community, install.id, clock.now() - weekHours * hourMs)) {
        isCut = left === 0;
        if (isCut) break;
        left -= 1;
        for (const tally of tallies) if (tally.counts?.(row) === true) tally.calls += 1;
      }
    }
    for (const { block, counts, calls } of tallies) {
      const note = counts !== undefined && isCut ? `; counted in the newest ${rowsMax} calls only` : "";
      const all = counts === undefined ? await callsOfWeek(deps, community, install.id) : calls;
      blocks.push({ ...block, text: block.text + note, calls: all });
    }
  }
  return { effective, blocks };
}

async function callsOfWeek({ executions }: DryRunDeps, community: CommunityId, install: InstallId): Promise<number> {
  const hours = await executions.hours(community, install, weekHours);
  return hours.reduce((sum, { calls }) => sum + calls, 0);
}
