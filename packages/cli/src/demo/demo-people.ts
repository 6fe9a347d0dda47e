/**
 * The people of the demonstration: identities in files, users of the instance, and a client for each.
 *
 * Invariant: files are made once and kept, so that a person can go on as one of them; the first is an admin who leaves the right to make the real one.
 */
import { createPackagesClient, joinInstance, type PackagesClient } from "@althing/client";
import { hasCode, handleSchema } from "@althing/contract";
import { newRecoveryPhrase, type Identity } from "@althing/crypto";
import { join } from "node:path";
import { bootstrapInstance } from "../bootstrap.ts";
import type { Context } from "../context.ts";
import { createIdentityFile, loadIdentityAt } from "../identity-files.ts";

export const demoNames = ["alice", "bob", "cleo", "dan"] as const;
export type DemoName = (typeof demoNames)[number];

export interface DemoPerson {
  readonly name: DemoName;
  readonly file: string;
  readonly identity: Identity;
  readonly client: PackagesClient;
}
export type DemoPeople = Readonly<Record<DemoName, DemoPerson>>;

async function identityIn(context: Context, file: string): Promise<Identity> {
  try {
    return (await loadIdentityAt(context, file)).identity;
  } catch (error) {
    if (!hasCode(error, "identity.not_found")) throw error;
    await createIdentityFile(file, newRecoveryPhrase(), undefined);
    return (await loadIdentityAt(context, file)).identity;
  }
}

/** @param folder of the data folder; @param url of the instance, which runs */
export async function gatherPeople(context: Context, data: string, folder: string, url: string): Promise<DemoPeople> {
  const people: Partial<Record<DemoName, DemoPerson>> = {};
  for (const name of demoNames) {
    const file = join(folder, `${name}.id`);
    const identity = await identityIn(context, file);
    const client = createPackagesClient({ identity, urls: [url], now: () => context.host.now() });
    context.defer(() => client.close());
    people[name] = { name, file, identity, client };
  }
  const all = people as DemoPeople;
  await makeUsers(context, data, url, all);
  return all;
}

/** Those who are users already stay it. */
async function makeUsers(context: Context, data: string, url: string, { alice, ...others }: DemoPeople): Promise<void> {
  const isUser = ({ client }: DemoPerson) =>
    client.call("me.get").then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, "auth.unknown_user")) return false;
        throw error;
      },
    );
  if (!(await isUser(alice))) {
    const { card: keys, signPub } = alice.identity;
    await bootstrapInstance({ data, env: context.host.env, body: { handle: handleSchema.parse(alice.name), keys, signPub, demo: true } });
  }
  for (const person of Object.values(others)) {
    if (await isUser(person)) continue;
    const { token } = await alice.client.call("invitations.create", { body: {} });
    await joinInstance({ url, token, handle: handleSchema.parse(person.name), identity: person.identity });
  }
}
