/**
 * Asks every node of a cluster how it is, and says what their answers say together.
 *
 * Invariant: a node that does not answer is a row like the others; what nodes contradict each other in is named, because each of them alone looks
 * healthy then. Nothing is changed by asking.
 */
import { hasCode, isAppError, type Health } from "@althing/contract";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

export interface NodeAnswer {
  readonly url: string;
  readonly health: Health | undefined;
  /** Why there is none. */
  readonly failure: string | undefined;
}

/** @throws {client.insecure_target} */
export async function askNode(url: string, ca: string | undefined): Promise<NodeAnswer> {
  const { fetchHealth } = await import("@althing/client");
  try {
    return { url, health: await fetchHealth(url, ca === undefined ? {} : { ca }), failure: undefined };
  } catch (error) {
    if (hasCode(error, "client.insecure_target")) throw error;
    return { url, health: undefined, failure: isAppError(error) ? `${error.message} [${error.code}]` : String(error) };
  }
}

/** Those asked, and those they name besides. */
export async function askCluster(urls: readonly string[], ca: string | undefined): Promise<NodeAnswer[]> {
  const first = await Promise.all(urls.map((url) => askNode(url, ca)));
  const asked = new Set(urls.map(normal));
  const named = first.flatMap(({ health }) => health?.urls ?? []).filter((url) => URL.canParse(url) && !asked.has(normal(url)));
  const more = [...new Map(named.map((url) => [normal(url), url])).values()];
  return [...first, ...(await Promise.all(more.map((url) => askNode(url, ca))))];
}

const normal = (url: string): string => url.replace(/\/+$/, "").toLowerCase();

/** How many copies, of whom is heard: what a row shows. */
function rowOf({ url, health, failure }: NodeAnswer): string[] {
  if (health === undefined) return ["?", "no answer", "-", "-", "-", "-", url, safeLine(failure ?? "")];
  const { cluster } = health.posture;
  return [
    ...[safeLine(health.node), health.status, String(cluster.replicas), cluster.quorum ? "yes" : "NO", `${cluster.heard}/${cluster.size}`],
    ...[safeLine(health.version), url, safeLine(health.reason ?? "")],
  ];
}

export function statusTable(answers: readonly NodeAnswer[]): string {
  return table([["node", "status", "replicas", "quorum", "heard", "version", "address", "reason"], ...answers.map(rowOf)]);
}

const moreCopies = "`althing cluster scale --replicas N` brings all nodes to one number";

/** What does not fit together, each with the next step. */
export function contradictions(answers: readonly NodeAnswer[]): string[] {
  const all = answers.flatMap(({ health }) => (health === undefined ? [] : [health]));
  // One that starts does not know yet what it is.
  const healths = all.filter(({ status }) => status !== "starting");
  const found: string[] = [];
  const differ = (what: string, values: readonly (string | number)[], next: string): void => {
    if (new Set(values).size > 1)
      found.push(
        `${what} differ (${healths.map(({ node }, i) => `${safeLine(node)}: ${safeLine(String(values[i]))}`).join(", ")}): ${next}`,
      );
  };
  const names = all.map(({ node }) => node);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) found.push(`two nodes call themselves ${safeLine(twice)}: give each its own node_name and start them again`);
  differ(
    "sizes",
    healths.map(({ posture }) => posture.cluster.size),
    "cluster_nodes must be the same list on every node",
  );
  differ(
    "versions",
    healths.map(({ version }) => version),
    "finish `althing cluster upgrade`, or go back with the nodes that are ahead",
  );
  const clusters = healths.map(({ posture }) => posture.cluster);
  // One that was started while another was away has not seen that one's copies.
  if (clusters.every(({ heard, size }) => heard === size))
    differ(
      "copies",
      clusters.map(({ replicas }) => replicas),
      `wait a minute; if it stays, ${moreCopies}`,
    );
  if (clusters.length > 0 && clusters.every(({ replicas, size }) => replicas === 1 && size > 1))
    found.push(`something has one copy only and is lost with its node: ${moreCopies}`);
  return found;
}
