/**
 * Which node's messaging server leads which stream, from what the servers wrote into their logs.
 *
 * Invariant: a server says so itself at the moment it becomes leader, so the latest such line of all logs names the leader. Nothing is asked of a server for it: who
 * looks does not change what is tried.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestNode } from "@althing/testkit";

const line = /"time":"([^"]+)".*JetStream cluster new stream leader for '[^ ]+ > ([A-Za-z0-9_-]+)'/;

/** @returns by stream, the name of the node */
export async function findLeaders(nodes: readonly Pick<TestNode, "name" | "data">[]): Promise<ReadonlyMap<string, string>> {
  const latest = new Map<string, { readonly name: string; readonly atMs: number }>();
  for (const { name, data } of nodes) {
    const text = await readFile(join(data, "logs", "nats-server.log"), "utf8").catch(() => "");
    for (const one of text.split("\n")) {
      const [, time = "", stream] = line.exec(one) ?? [];
      const atMs = Date.parse(time);
      if (stream !== undefined && atMs >= (latest.get(stream)?.atMs ?? 0)) latest.set(stream, { name, atMs });
    }
  }
  return new Map([...latest].map(([stream, { name }]) => [stream, name]));
}
