/**
 * A real instance with people, communities and packages, for attacks on extensions: real processes, signed requests over HTTP.
 *
 * Invariant: everything is installed as an admin installs it, over the interface; what a test alters behind the instance's back it alters on disk. People:
 * alice runs the instance and founded both communities, bob and mona are members, nora is a user and a member of nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  claimInstance,
  createPackagesClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  type Identity,
  type PackagesClient,
} from "@althing/client";
import type { Execution, Install, InstancePluginPolicy, PluginPolicyChange } from "@althing/contract";
import { newPublisherKey, type PublisherKey } from "@althing/extension";
import { makePackage, type MadePackage, type PackageToMake } from "../../packages/extension/test/make-package.ts";
import { callAs, signedCall, type Answered, type SignedCall } from "../../packages/hub/test/serve-hub.ts";
import { eventually, isAlive, openWorkplace, type Running, type Workplace } from "../e2e/althing-process.ts";

export interface Person {
  readonly identity: Identity;
  readonly client: PackagesClient;
}

export interface Called {
  /** Name of the community. */
  readonly community: string;
  readonly extension: string;
  /** Behind the extension's id. */
  readonly path: string;
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly headers?: Record<string, string>;
}

export interface ExtensionWorld {
  readonly place: Workplace;
  readonly running: Running;
  readonly url: string;
  readonly publisher: PublisherKey;
  readonly alice: Person;
  /** A new user of the instance, a member of the communities named. */
  join(handle: string, ...communities: string[]): Promise<Person>;
  found(name: string): Promise<void>;
  /** Packs, signs, uploads, consents and activates. */
  install(community: string, wanted: PackageToMake): Promise<Install>;
  pack(wanted: PackageToMake): Promise<MadePackage>;
  /** What alice gets over HTTP; a problem's code is `code`. */
  call(called: Called, as?: Person): Promise<Answered>;
  /** Rows of an install's log, newest first. */
  log(community: string, extension: string): Promise<Execution[]>;
  state(community: string, extension: string): Promise<Install>;
  setPolicy(community: string, policy: PluginPolicyChange): Promise<void>;
  setInstancePolicy(policy: Partial<InstancePluginPolicy>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const requestOf = ({ community, extension, path, method = "GET", body, headers }: Called): SignedCall => ({
  method,
  path: `/api/communities/${community}/ext/${extension}${path}`,
  ...(body === undefined ? {} : { body }),
  ...(headers === undefined ? {} : { headers }),
});

export async function openExtensionWorld(settings = ""): Promise<ExtensionWorld> {
  const place = await openWorkplace(settings);
  const running = await place.up();
  const { url } = running;
  const people: Person[] = [];
  const enter = async (handle: string, token: string, way: typeof claimInstance): Promise<Person> => {
    const identity = await identityFromPhrase(newRecoveryPhrase());
    await way({ url, token, handle, identity });
    const person = { identity, client: createPackagesClient({ identity, urls: [url] }) };
    people.push(person);
    return person;
  };
  const alice = await enter("alice", /=([\w-]{43})$/.exec(running.adminLink ?? "")?.[1] ?? "", claimInstance);
  const publisher = newPublisherKey();
  await alice.client.call("trust.add", { body: { pem: publisher.publicKeyPem } });
  const pack = (wanted: PackageToMake) => makePackage({ signer: publisher, ...wanted });

  return {
    ...{ place, running, url, publisher, alice, pack },
    async join(handle, ...communities) {
      const { token } = await alice.client.call("invitations.create", { body: {} });
      const person = await enter(handle, token, joinInstance);
      for (const community of communities)
        await alice.client.call("communities.addMember", { params: { community }, body: { identity: handle, roles: ["member"] } });
      return person;
    },
    async found(name) {
      await alice.client.call("communities.create", { body: { name } });
    },
    async install(community, wanted) {
      const { bundle, signature, contentHash } = await pack(wanted);
      const { id } = await alice.client.upload(community, { bundle: new Uint8Array(bundle), signature });
      const body = { consent: { contentHash }, active: true };
      return alice.client.call("packages.change", { params: { community, install: id }, body });
    },
    call: (called, as = alice) => callAs({ url }, as.identity, requestOf(called)),
    async log(community, install) {
      const { executions } = await alice.client.call("packages.log", { params: { community, install }, query: { limit: 500 } });
      return executions;
    },
    state: (community, install) => alice.client.call("packages.get", { params: { community, install } }),
    async setPolicy(community, body) {
      await alice.client.call("policy.put", { params: { community }, body });
    },
    async setInstancePolicy(policy) {
      await alice.client.call("instancePolicy.put", { body: { defaults: {}, ceilings: {}, locks: [], ...policy } });
    },
    async [Symbol.asyncDispose]() {
      for (const { client } of people) await client.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

/** A signed request, not yet sent. */
export function signedExtensionRequest({ url }: Pick<ExtensionWorld, "url">, { identity }: Pick<Person, "identity">, called: Called) {
  return signedCall(url, identity, requestOf(called));
}

export const told = ({ status, code }: Answered): string => `${status} ${code ?? ""}`.trim();

/** Status of a row of the log, and its code. */
export const ended = (row: Execution | undefined): string => `${row?.status ?? "none"} ${row?.code ?? ""}`.trim();

// --- processes ---

interface ProcessSeen {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): ProcessSeen[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
      if (state === "Z" || state === "X") return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      return [];
    }
  });
}

/** All processes below one, itself included, as they are now. */
export function processTree(root: number): readonly ProcessSeen[] {
  const all = processes();
  const found = all.filter(({ pid }) => pid === root);
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid));
  return found;
}

export function runnerPid(running: Running): number {
  return processTree(running.pid).find(({ command }) => command.includes("runner/src/main.ts"))?.pid ?? 0;
}

/** Sandbox processes, without what only holds their namespaces. */
export function sandboxPids(running: Running): number[] {
  const below = processTree(runnerPid(running)).slice(1);
  return below
    .filter(({ pid, command }) => command.includes("--frozen-intrinsics") && !below.some(({ parent }) => parent === pid))
    .map(({ pid }) => pid);
}

export async function killed(pids: readonly number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await eventually(() => pids.every((pid) => !isAlive(pid)), `processes ${pids.join(" ")} are gone`);
}

/** Everything below a folder, as paths from it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
