/**
 * A loopback of its own for a whole chaos run, and what the kernel does there to single packets: it loses them, in one direction or both.
 *
 * Invariant: rules are set only in a network namespace that was made for this run (`enterOwnNetwork` starts the program anew within one), so the machine's own
 * loopback is never touched. Rules name ports of the gates between nodes: what clients and hubs say to their own servers is left alone.
 */
import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const marker = "CHAOS_NETWORK";

/** As root directly; else as root of a user namespace, where the machine allows that to everybody. */
const ways = [
  ["unshare", "--net", "--"],
  ["unshare", "--user", "--map-root-user", "--net", "--mount", "--"],
] as const;
/** nftables, or another place of it. */
const nft = process.env["CHAOS_NFT"] ?? "nft";
const probe = `ip link set lo up && printf 'table inet chaos { chain c { numgen random mod 100 < 5 drop; }; }\\n' | "$0" -f -`;

/** @returns the exit status of this program's second life, within a namespace; `undefined` when this is that life, or there can be none */
export async function enterOwnNetwork(): Promise<number | undefined> {
  if (process.env[marker] !== undefined) return undefined;
  for (const [command, ...args] of ways) {
    const works = await run(command, [...args, "sh", "-c", probe, nft]).then(
      () => true,
      () => false,
    );
    if (!works) continue;
    const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const child = spawn(command, [...args, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", ...again], {
      ...{ stdio: "inherit", env: { ...process.env, [marker]: "own" } },
    });
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on("SIGINT", pass).on("SIGTERM", pass);
    return new Promise((resolve) => {
      child.once("error", () => resolve(127));
      child.once("close", (status) => resolve(status ?? 1));
    });
  }
  return undefined;
}

/** @returns why packets cannot be lost here; undefined when they can */
export const whyNoPackets = (): string | undefined =>
  process.env[marker] === "own" ? undefined : "a network of its own takes Linux, `unshare`, `ip` and `nft`, and root or user namespaces";

export interface PacketRule {
  /** Packets to these ports, and from them. */
  readonly to: readonly number[];
  readonly from: readonly number[];
  /** A statement of nftables: `drop`, `numgen random mod 100 < 5 drop`. */
  readonly harm: string;
}

/** The kernel does this to the packets named, on their arrival, and to no others, until it is told otherwise. @throws what `nft` says */
export async function harmPackets({ to, from, harm }: PacketRule): Promise<void> {
  if (whyNoPackets() !== undefined) throw new TypeError("this is the machine's own network");
  const sides = [`tcp dport { ${to.join(", ")} } jump harm`, `tcp sport { ${from.join(", ")} } jump harm`];
  const input = `chain input { type filter hook input priority 0; ${sides.join("; ")}; }`;
  await healPackets();
  await rule(`table inet chaos { chain harm { ${harm}; }; ${input}; }`);
}

export const healPackets = (): Promise<void> => rule("table inet chaos\ndelete table inet chaos");

async function rule(text: string): Promise<void> {
  const child = run(nft, ["-f", "-"]);
  child.child.stdin?.end(`${text}\n`);
  await child;
}
