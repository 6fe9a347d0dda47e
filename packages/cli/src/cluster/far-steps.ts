/**
 * What is done on a node's machine: a command for its shell, a copy to it, and the look at it before anything is changed.
 *
 * Invariant: nothing here can wait for ever. ssh asks nobody (BatchMode: neither for a password nor whether a host key is right), gives up on a machine that does not
 * answer, and notices within a minute that a connection is dead; a copy in which nothing moves ends by itself on both machines.
 */
import type { PlannedNode } from "./nodes-file.ts";
import type { RunStep } from "./steps.ts";

const sshOptions = [
  ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"],
  ...["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"],
] as const;
/** Without a byte either way: a machine that lists a large folder on a slow disk says something meanwhile. */
const copyStillSeconds = 300;

/** @param command words of the nodes file's grammar, and no quotes of theirs: the machine's shell reads it */
export function ssh(node: PlannedNode, what: string, command: string): RunStep {
  return { kind: "run", node: node.name, host: node.ssh, what, program: "ssh", args: [...sshOptions, node.ssh, command] };
}

export function rsync(node: PlannedNode, what: string, args: readonly string[]): RunStep {
  const through = ["-e", ["ssh", ...sshOptions].join(" "), `--timeout=${copyStillSeconds}`];
  return { kind: "run", node: node.name, host: node.ssh, what, program: "rsync", args: [...through, ...args] };
}

/** What the steps of all plans call there, beyond what every machine has. */
const farPrograms = ["systemctl", "rsync", "sha256sum", "useradd", "runuser"] as const;

/**
 * Reads and changes nothing: a machine that cannot be worked on is found before the first one was touched.
 *
 * @param machine as `uname -sm` says it: the program that is copied runs on such machines only
 */
export function lookAt(node: PlannedNode, machine: string): RunStep {
  const isRoot = `test "$(id -u)" = 0 || { echo "the login is $(id -un), and root is needed" >&2; exit 1; }`;
  const isSame = `test "$(uname -sm)" = "${machine}" || { echo "it is $(uname -sm), and the program here is for ${machine}" >&2; exit 1; }`;
  const has = `for p in ${farPrograms.join(" ")}; do command -v $p >/dev/null || { echo "$p: command not found" >&2; exit 127; }; done`;
  return ssh(node, "look that it can be worked on", [isRoot, isSame, has].join("; "));
}
