/**
 * Reads a community's whole log and recomputes its chain here, so that nobody's word has to be taken for it.
 *
 * Invariant: what the server says is its newest event must be in the log that was read; a chain that holds and lacks it was cut or written anew.
 */
import { exportEvents, verifyChain, type AlthingClient, type ChainFault } from "@althing/client";
import type { EventRecord } from "@althing/contract";

export interface ChainResult {
  readonly events: number;
  readonly redacted: number;
  readonly fault: ChainFault | undefined;
  /** The server's newest event, as it said before the log was read, is in the log. */
  readonly hasHead: boolean;
}

/** As many as are told of at a time. */
const toldEvery = 50;

/** @param onRead how many were read so far */
export async function checkChain(
  client: Pick<AlthingClient, "call">,
  community: string,
  onRead: (events: number) => void,
): Promise<ChainResult> {
  const head = await client.call("events.head", { params: { community } });
  let hasHead = head.index === 0;
  const watched = async function* (): AsyncGenerator<EventRecord> {
    for await (const record of exportEvents(client, community)) {
      if (record.index === head.index) hasHead = record.hash === head.hash;
      if (record.index % toldEvery === 0) onRead(record.index);
      yield record;
    }
  };
  const { events, redacted, fault } = await verifyChain(watched());
  return { events, redacted, fault, hasHead };
}

/** One record a line, as `althing events export` writes it. */
export async function exportLines(client: Pick<AlthingClient, "call">, community: string): Promise<string> {
  const lines: string[] = [];
  for await (const record of exportEvents(client, community)) lines.push(JSON.stringify(record));
  return lines.map((line) => `${line}\n`).join("");
}
