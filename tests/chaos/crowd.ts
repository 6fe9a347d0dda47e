/**
 * The people of a chaos run: who they are on the cluster, and clients for each of them.
 *
 * Invariant: everything goes through the client library and the public interface, with the cluster's seed lists: what a round shows is what a person
 * would have seen. A client of one node has that node's addresses alone, so that what it gets was said by that node.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type Identity,
} from "@althing/client";
import { isAppError } from "@althing/contract";
import type { TestCluster, TestNode } from "@althing/testkit";

export interface Crowd {
  readonly cluster: TestCluster;
  /** Admin of the instance. */
  readonly admin: Identity;
  readonly writers: readonly Person[];
  readonly readers: readonly Person[];
}

export interface Person {
  readonly handle: string;
  readonly identity: Identity;
}

/** Again and again until it works: setting up is no part of what is tried. */
export async function insist<T>(what: string, task: () => Promise<T>, patienceMs = 60_000): Promise<T> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (performance.now() > deadlineMs)
        throw new Error(`${what}: ${isAppError(error) ? error.code : ""} ${String(error)}`, { cause: error });
      await sleep(200);
    }
  }
}

/** @param first the node that is asked first; the others follow in order */
export function clientOf(cluster: TestCluster, identity: Identity, first = 0): AlthingClient {
  const turned = [...cluster.nodes.slice(first), ...cluster.nodes.slice(0, first)];
  return createClient({ identity, urls: turned.map(({ url }) => url), state: openMemoryState() });
}

export function clientOfNode(node: TestNode, identity: Identity): AlthingClient {
  return createClient({ identity, urls: [node.url], nats: [node.nats], state: openMemoryState() });
}

/** Joins somebody new, through whatever node answers. */
export async function newPerson(cluster: TestCluster, admin: AlthingClient, handle: string): Promise<Person> {
  const identity = await identityFromPhrase(newRecoveryPhrase());
  await insist(`${handle} joins`, async () => {
    const { token } = await admin.call("invitations.create", { body: {} });
    const [url = ""] = cluster.urls;
    await joinInstance({ url: admin.url || url, token, handle, identity });
  });
  return { handle, identity };
}

/** The admin and four people of a cluster that was just started. */
export async function openCrowd(cluster: TestCluster): Promise<Crowd> {
  const admin = await identityFromPhrase(newRecoveryPhrase());
  await insist("the claim", () => claimAtAny(cluster, admin));
  const client = clientOf(cluster, admin);
  try {
    const people: Person[] = [];
    for (const handle of ["ada", "bob", "carol", "dave"]) people.push(await newPerson(cluster, client, handle));
    return { cluster, admin, writers: people.slice(0, 2), readers: people.slice(2) };
  } finally {
    await client.close();
  }
}

/** Each node that finds no admin prints a link; one of them is good. */
async function claimAtAny(cluster: TestCluster, admin: Identity): Promise<void> {
  let last: unknown = new Error("no node printed a link");
  for (const { url, adminLink } of cluster.nodes) {
    const token = /=([\w-]{43})$/.exec(adminLink ?? "")?.[1];
    if (token === undefined) continue;
    try {
      await claimInstance({ url, token, handle: "admin", identity: admin });
      return;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
