/**
 * The two questions about a node of a cluster that is given a key: may its copies go, and has it got everything again?
 *
 * Invariant: the first is asked while the node is down and its folder locked, and the answer is yes only if every other node is there and holds everything. So of two nodes
 * that ask, one finds the other down, and there are never two that are empty. The second compares every message. See docs/architecture/at-rest.md, "In a cluster".
 */
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectBus, type BusConnection } from "@althing/bus";
import { AppError, clusterOf, hasCode, type Cluster, type Config } from "@althing/contract";
import { dataPaths, readUnlocked, type DataPaths } from "../data-folder.ts";
import { openInstanceKeys, type InstanceKeys } from "../instance-keys.ts";
import { natsUrl } from "../open-state.ts";
import type { AtRest } from "./at-rest.ts";
import { askServers, copiesOn, lackingWithout, type CopyOfNode, type ServerReports } from "./cluster-servers.ts";
import { compareCopies } from "./compare-copies.ts";
import { startLookServer } from "./look-server.ts";
import { findPlainText } from "./plain-text-search.ts";

const lookEveryMs = 250;
const answerWithinMs = 2_000;
/** Nodes that serve are complete but for moments; one that does not answer at all is not waited for. */
const othersWithinMs = 60_000;
const silentWithinMs = 6_000;
const connectWithinMs = 60_000;
/** A copy that does not grow for so long does not come. */
const noGrowthMs = 120_000;
/** A stream that is written all the time may differ in its newest message in every look; its messages are compared anyway. */
const looksForEqual = 80;

interface Told {
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws {config.invalid} the settings are not those of a node */
export function clusterOfNode(config: Config): Cluster {
  const cluster = clusterOf(config);
  if (cluster !== undefined) return cluster;
  throw new AppError("config.invalid", { key: "cluster_nodes", source: "the settings", observed: "none", detail: "it is no node" });
}

export interface OthersOptions extends Told {
  readonly config: Config;
  readonly natsServer: string;
  /** What the folder is opened with now. */
  readonly atRest: AtRest;
  /** For the files of a server of our own; made and removed. */
  readonly scratch: string;
}

/** @throws {encryption.node_needed} another node is away or does not hold everything {nats.start_failed} */
export async function requireOthersWhole({ config, natsServer, atRest, scratch, progress, signal }: OthersOptions): Promise<void> {
  const { self, nodes } = clusterOfNode(config);
  const { root, keys: folder } = dataPaths(config.data);
  const keys = await openInstanceKeys(folder, false, atRest.instanceKey);
  const names = nodes.map(({ name }) => name);
  const others = names.filter((name) => name !== self.name);
  progress(`asking ${others.join(", ")} whether they hold everything`);
  const look = await startLookServer({ config, program: natsServer, keys, folder: scratch });
  try {
    const startedMs = performance.now();
    let answeredMs = startedMs;
    let before: ServerReports = new Map();
    for (;;) {
      signal?.throwIfAborted();
      const reports = await askServers(look.connection, others, answerWithinMs);
      const detail = lackingWithout({ before, now: reports }, self.name, names);
      before = reports;
      if (detail === undefined) return;
      const nowMs = performance.now();
      if (others.every((name) => reports.has(name))) answeredMs = nowMs;
      if (nowMs - answeredMs > silentWithinMs || nowMs - startedMs > othersWithinMs)
        throw new AppError("encryption.node_needed", { path: root, detail });
      await sleep(lookEveryMs);
    }
  } finally {
    await look.stop();
  }
}

export interface CaughtUp {
  readonly streams: number;
  readonly messages: number;
}

export interface CaughtUpOptions extends Told {
  /** Of the node, which runs. */
  readonly config: Config;
  readonly keyFile: string;
}

/**
 * Waits until the running node has every copy again, compares each message with another node's and looks for what can be read in its folder.
 * @throws {encryption.key_wrong} it runs without that key
 * @throws {encryption.not_caught_up} {nats.unavailable}
 */
export async function requireCaughtUp({ config, keyFile, progress, signal }: CaughtUpOptions): Promise<CaughtUp> {
  const { self, nodes } = clusterOfNode(config);
  const paths = dataPaths(config.data);
  const { atRest } = await readUnlocked(paths.root, keyFile);
  const keys = await openInstanceKeys(paths.keys, false, atRest.instanceKey);
  const connection = await connectToOwn(config, keys, signal);
  try {
    const names = nodes.map(({ name }) => name);
    const copies = await copiesArrived(connection, { root: paths.root, self: self.name, names, progress, signal });
    const samples: Uint8Array[] = [];
    let messages = 0;
    for (const { stream, other } of copies) {
      if (other === undefined)
        throw new AppError("encryption.not_caught_up", { path: paths.root, detail: `nobody else has stream ${stream}` });
      const found = await compareCopies({ account: connection.account, stream, node: self.name, other, signal });
      if (typeof found === "string") throw new AppError("encryption.not_caught_up", { path: paths.root, detail: found });
      messages += found.messages;
      samples.push(...found.samples);
      progress(`stream ${stream}: ${found.messages} messages, the same as on ${other}`);
    }
    progress("looking for what can still be read");
    await requireNothingReadable(paths, keys, samples);
    return { streams: copies.length, messages };
  } finally {
    await connection.close();
  }
}

/** While the server takes in a new access list it admits nobody, and a busy machine is slow. @throws {nats.unavailable} */
async function connectToOwn(
  config: Config,
  { hubSeed, sysSeed: systemSeed }: InstanceKeys,
  signal: AbortSignal | undefined,
): Promise<BusConnection> {
  const tls = config.tls_cert === undefined ? {} : { certFile: config.tls_cert };
  const startedMs = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await connectBus({ url: natsUrl(config), hubSeed, systemSeed, ...tls });
    } catch (error) {
      if (!hasCode(error, "nats.unavailable") || performance.now() - startedMs > connectWithinMs) throw error;
      await sleep(lookEveryMs);
    }
  }
}

interface Arrival extends Told {
  readonly root: string;
  readonly self: string;
  readonly names: readonly string[];
}

async function copiesArrived(connection: BusConnection, { root, self, names, progress, signal }: Arrival): Promise<readonly CopyOfNode[]> {
  const looks = new Map<string, number>();
  let [told, size, grownMs] = ["", -1, performance.now()];
  for (;;) {
    signal?.throwIfAborted();
    const copies = copiesOn(await askServers(connection, names, answerWithinMs), self, names);
    const late = typeof copies === "string" ? [] : copies.filter((copy) => !hasArrived(copy, looks));
    if (typeof copies !== "string" && late.length === 0 && copies.length > 0) return copies;
    const detail = typeof copies === "string" ? copies : wordsOf(late);
    if (detail !== told) progress(`waiting: ${detail}`);
    told = detail;
    const now = typeof copies === "string" ? 0 : copies.reduce((sum, { own }) => sum + (own?.bytes ?? 0) + (own?.last_seq ?? 0), 0);
    if (now !== size) [size, grownMs] = [now, performance.now()];
    if (performance.now() - grownMs > noGrowthMs) throw new AppError("encryption.not_caught_up", { path: root, detail });
    await sleep(lookEveryMs);
  }
}

/** Once its numbers were those of the leader, it has arrived; what comes later comes to all. */
function hasArrived({ stream, isCurrent, isEqual }: CopyOfNode, looks: Map<string, number>): boolean {
  const before = looks.get(stream) ?? 0;
  if (before === Infinity) return isCurrent;
  looks.set(stream, isCurrent && isEqual ? Infinity : before + (isCurrent ? 1 : 0));
  return isCurrent && (isEqual || before >= looksForEqual);
}

function wordsOf(late: readonly CopyOfNode[]): string {
  if (late.length === 0) return "there are no streams yet";
  return late.map(({ stream, own, leading }) => `stream ${stream} has ${own?.messages ?? 0} of ${leading.messages} messages`).join(", ");
}

/** The rest of the folder is not encrypted, and holds none of it (docs/architecture/at-rest.md, "What is not"). */
async function requireNothingReadable(paths: DataPaths, keys: InstanceKeys, texts: readonly Uint8Array[]): Promise<void> {
  const secrets = [keys.nameKey, keys.secretsKey, keys.receiptKey].map((key) => Buffer.from(Buffer.from(key).toString("base64url")));
  const data = [dirname(paths.stateDb), paths.blobs, paths.bundles, paths.jetStream].map((folder) => ({ folder, texts }));
  for (const search of [...data, { folder: paths.keys, texts: secrets }]) {
    const found = await findPlainText(search);
    if (found === undefined) continue;
    const detail = `${found.slice(join(paths.root, "/").length)} can still be read`;
    throw new AppError("encryption.not_caught_up", { path: paths.root, detail });
  }
}
