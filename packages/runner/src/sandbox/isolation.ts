/**
 * What this machine offers beyond Node's permission model to keep a sandbox process apart, found by trying.
 *
 * `namespace`: own network (none), process, IPC and host-name spaces, and as root also another user without capabilities;
 * `uid`: another user only; `permission-model`: neither. Each is tried with the real commands before it is claimed, because
 * containers and kernels forbid them in ways no file tells.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { platform } from "node:os";

export type IsolationKind = "namespace" | "uid" | "permission-model";

export interface Isolation {
  readonly kind: IsolationKind;
  /** One line for the posture. */
  readonly detail: string;
  /** Words before the command of a sandbox process. */
  readonly prefix: readonly string[];
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** `nobody` on every Linux; sandbox processes own nothing. */
const nobody = 65_534;

function programPath(name: string): string | undefined {
  return ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

function candidates(uid: number | undefined): Isolation[] {
  const unshare = programPath("unshare");
  const setpriv = programPath("setpriv");
  const spaces = ["--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=SIGKILL"];
  const found: Isolation[] = [];
  if (unshare !== undefined && setpriv !== undefined) {
    const drop = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
    const last = ["--no-new-privs", "--pdeathsig=KILL", "--"];
    if (uid === 0) {
      const detail = "own network, process and IPC namespaces, user nobody, no capabilities";
      found.push({ kind: "namespace", detail, prefix: [unshare, ...spaces, "--", setpriv, ...drop, ...last], user: undefined });
    }
    const detail = "own user, network, process and IPC namespaces, the runner's own user";
    const prefix = [unshare, "--user", "--map-current-user", ...spaces, "--", setpriv, ...last];
    if (uid !== 0) found.push({ kind: "namespace", detail, prefix, user: undefined });
  }
  if (uid === 0) found.push({ kind: "uid", detail: "user nobody; no namespaces", prefix: [], user: { uid: nobody, gid: nobody } });
  return found;
}

function works(isolation: Isolation): Promise<boolean> {
  const [file, ...rest] = [...isolation.prefix, process.execPath];
  return new Promise((resolve) => {
    execFile(file, [...rest, "--version"], { ...isolation.user, env: {}, timeout: 5_000 }, (error) => resolve(error === null));
  });
}

async function detect(): Promise<Isolation> {
  if (platform() === "linux") {
    for (const candidate of candidates(process.getuid?.())) if (await works(candidate)) return candidate;
  }
  return { kind: "permission-model", detail: "Node's permission model only", prefix: [], user: undefined };
}

let detected: Promise<Isolation> | undefined;

/** How sandbox processes are kept apart on this machine; found once. */
export function sandboxIsolation(): Promise<Isolation> {
  detected ??= detect();
  return detected;
}
