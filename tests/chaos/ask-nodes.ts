/**
 * What each node says for itself when a round is over: the room's history, the changes, the community's public log.
 *
 * Invariant: each is asked alone, by clients that know no other address; what a node says is written down as it says it.
 */
import { exportEvents, verifyChain, type AlthingClient } from "@althing/client";
import type { RouteResponse, SignPub } from "@althing/contract";
import { clientOfNode, insist, type Crowd } from "./crowd.ts";
import { refOf, type ChainView, type History, type MessageRef, type NodeView, type StateView } from "./history.ts";

/** What they say is judged, not when: on a busy machine a long reading meets a moment in which the node has no majority, and begins anew. */
const patienceMs = 180_000;

/** What each node says for itself, when all is over. */
export async function askNodes(
  { cluster, admin, readers }: Crowd,
  roomName: string,
  community: string,
  round: string,
): Promise<Pick<History, "views" | "states" | "chains">> {
  const views: NodeView[] = [];
  const states: StateView[] = [];
  const chains: ChainView[] = [];
  const [reader] = readers;
  for (const node of cluster.nodes) {
    const asReader = clientOfNode(node, reader?.identity ?? admin);
    const asAdmin = clientOfNode(node, admin);
    try {
      views.push({
        node: node.name,
        messages: await insist(`history on ${node.name}`, () => wholeHistory(asReader, roomName, round), patienceMs),
      });
      states.push({ node: node.name, acts: await insist(`state on ${node.name}`, () => actsOf(asAdmin, community, round), patienceMs) });
      const verdict = await insist(`events on ${node.name}`, () => verifyChain(exportEvents(asAdmin, community)), patienceMs);
      const fault = verdict.fault === undefined ? undefined : `event ${verdict.fault.index}: ${verdict.fault.fault}`;
      chains.push({ node: node.name, events: verdict.events, head: verdict.head, fault });
    } finally {
      await Promise.all([asReader.close(), asAdmin.close()]);
    }
  }
  return { views, states, chains };
}

async function wholeHistory(client: AlthingClient, name: string, round: string): Promise<MessageRef[]> {
  const room = await client.rooms.open(name);
  const found: MessageRef[] = [];
  for (let after = 0; ;) {
    const events = await room.history({ after, limit: 1_000 });
    for (const event of events) {
      const ref = event.kind === "message" ? refOf(event.text, round) : undefined;
      if (ref !== undefined) found.push(ref);
    }
    const highest = Math.max(after, ...events.map((event) => ("seq" in event ? (event.seq ?? 0) : 0)));
    if (highest === after) return found;
    after = highest;
  }
}

/** Of this round: handles of users, texts of announcements. */
async function actsOf(client: AlthingClient, community: string, round: string): Promise<string[]> {
  const found: string[] = [];
  for (let after: SignPub | undefined; ;) {
    const query = { limit: 100, ...(after === undefined ? {} : { after }) };
    const page: RouteResponse<"users.list"> = await client.call("users.list", { query });
    found.push(...page.users.map(({ handle }) => handle));
    if (page.next === undefined) break;
    after = page.next;
  }
  for (let before: string | undefined; ;) {
    const query = { limit: 50, ...(before === undefined ? {} : { before }) };
    const page: RouteResponse<"announcements.list"> = await client.call("announcements.list", { params: { community }, query });
    found.push(...page.announcements.map(({ text }) => text));
    if (page.next === undefined) break;
    before = page.next;
  }
  return found.filter((id) => id.startsWith(`u-${round}-`) || id.startsWith(`a-${round}-`));
}
