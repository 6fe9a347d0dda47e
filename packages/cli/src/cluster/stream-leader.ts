/**
 * Which node's messaging server leads a stream, from what the servers of this machine have written into their logs.
 *
 * Invariant: a server says so itself at the moment it becomes leader, so the latest such line of all logs names the leader; `undefined` when no log
 * has one. Good enough for a demonstration, which has to choose a node; nothing is decided by it in a cluster.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const line = /JetStream cluster new stream leader for '[^ ]+ > ([A-Za-z0-9_-]+)'/;

/** Time of the last line by which this log's server became leader of `stream`; 0 when there is none. */
export function leaderSince(lines: Iterable<string>, stream: string): number {
  let since = 0;
  for (const text of lines) {
    if (line.exec(text)?.[1] !== stream) continue;
    const time = /"time":"([^"]+)"/.exec(text)?.[1];
    since = Math.max(since, time === undefined ? 0 : Date.parse(time) || 0);
  }
  return since;
}

async function linesOf(path: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const text of createInterface({ input: createReadStream(path) })) if (line.test(text)) found.push(text);
  } catch {
    // No log yet: that server has led nothing.
  }
  return found;
}

/** @param nodes names and homes @returns the name */
export async function streamLeader(
  nodes: readonly { readonly name: string; readonly home: string }[],
  stream: string,
): Promise<string | undefined> {
  const seen = await Promise.all(
    nodes.map(async ({ name, home }) => ({
      name,
      since: leaderSince(await linesOf(join(home, "data", "logs", "nats-server.log")), stream),
    })),
  );
  return seen.filter(({ since }) => since > 0).sort((a, b) => b.since - a.since)[0]?.name;
}
