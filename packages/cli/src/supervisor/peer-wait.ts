/**
 * Says for whom a node of a cluster waits while it cannot open: a person at one machine sees that the others are missing, and which.
 *
 * Invariant: it only looks. Whether there is a majority is the hubs' to find out; a port that answers says that a node was started, no more. The
 * hub's port is asked, because it is open before the messaging servers have met, and one that is left at once leaves no trace in a log.
 */
import type { Cluster, ClusterNode } from "@althing/contract";
import { connect } from "node:net";

const firstLookMs = 3_000;
const lookEveryMs = 2_000;
const answerWithinMs = 1_500;

/** Does something listen where the node's hub does? */
export function nodeAnswers(node: Pick<ClusterNode, "url">, timeoutMs = answerWithinMs): Promise<boolean> {
  const { hostname, port, protocol } = new URL(node.url);
  const target = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? (protocol === "https:" ? 443 : 80) : port) };
  return new Promise((resolve) => {
    const socket = connect({ ...target, timeout: timeoutMs });
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(false));
    socket.once("error", () => settle(false));
  });
}

/** What a person is told. @param missing names and addresses of the others that do not answer */
export function waitingText({ size, majority }: Pick<Cluster, "size" | "majority">, missing: readonly string[]): string {
  const here = size - missing.length;
  if (here < majority)
    return `waiting for a majority (${majority} of ${size} nodes; ${here} ${here === 1 ? "is" : "are"} up): no answer from ${missing.join(", ")}. Start them, in any order`;
  const agreeing = "waiting until the messaging servers have agreed on a leader";
  if (missing.length === 0) return `all nodes answer; ${agreeing}`;
  return `a majority is up, no answer from ${missing.join(", ")}; ${agreeing} (the very first start of a cluster needs all of its nodes)`;
}

export interface PeerWaitOptions {
  readonly cluster: Cluster;
  /** Ends the looking. */
  readonly isOver: () => boolean;
  readonly pause: (ms: number) => Promise<void>;
  readonly tell: (text: string) => void;
  readonly answers?: (node: ClusterNode) => Promise<boolean>;
}

/** Looks until it is over and tells each change once. */
export async function tellWhomToWaitFor({ cluster, isOver, pause, tell, answers = nodeAnswers }: PeerWaitOptions): Promise<void> {
  const others = cluster.nodes.filter(({ name }) => name !== cluster.self.name);
  let told = "";
  for (let waitMs = firstLookMs; ; waitMs = lookEveryMs) {
    await pause(waitMs);
    if (isOver()) return;
    const seen = await Promise.all(others.map(async (node) => ({ node, here: await answers(node) })));
    const text = waitingText(
      cluster,
      seen.filter(({ here }) => !here).map(({ node }) => `${node.name} (${node.url})`),
    );
    if (text !== told && !isOver()) tell(text);
    told = text;
  }
}
