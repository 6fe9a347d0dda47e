/**
 * Who else may read or replace a file of ours.
 *
 * Invariant: a key file must be 0600 or tighter, and its folder must not let others put another file in its place. A folder that everyone may
 * read (0755, the usual case for `./alice.id`) is fine: names are no secret. A group-writable folder is fine only when the group is the
 * owner's private one (the `umask 002` habit of several systems), which is looked up, not assumed; a sticky one (`/tmp`) protects by itself.
 */
import { AppError } from "@althing/contract";
import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";

const sticky = 0o1000;

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** May a file of this owner tell the caller what to do? Its own and root's may: whoever else put it into the folder did so for the caller to trip over. */
export function isTrustedOwner(owner: number, caller: number | undefined): boolean {
  return caller === undefined || owner === caller || owner === 0;
}

/** Nobody but the owner is in this group, neither as a member nor by primary group. */
export function isPrivateGroup(gid: number, user: string, groupFile: string, passwdFile: string): boolean {
  const group = groupFile
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(gid));
  if (group === undefined || group[0] !== user) return false;
  const members = (group[3] ?? "").split(",").filter((name) => name !== "" && name !== user);
  const primary = passwdFile
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields[3] === String(gid) && fields[0] !== user);
  return members.length === 0 && primary.length === 0;
}

function ownsGroupAlone(gid: number): boolean {
  try {
    return isPrivateGroup(gid, userInfo().username, readFileSync("/etc/group", "utf8"), readFileSync("/etc/passwd", "utf8"));
  } catch {
    return false;
  }
}

/** @throws {identity.mode} others may read or write the file */
export function checkPrivateFile(path: string): void {
  if (process.platform === "win32") return;
  const { mode, uid } = statSync(path);
  if ((mode & 0o077) !== 0) throw new AppError("identity.mode", { path, observed: octal(mode & 0o777), expected: "600" });
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && uid !== own)
    throw new AppError("identity.mode", { path, observed: `owner ${uid}`, expected: "600" });
}

/** @throws {data.mode} others may put another file in its place */
export function checkFolderOf(path: string): void {
  if (process.platform === "win32") return;
  const folder = dirname(path);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & sticky) !== 0) return;
  const groupWrites = (found.mode & 0o020) !== 0 && !ownsGroupAlone(found.gid);
  if ((found.mode & 0o002) !== 0 || groupWrites)
    throw new AppError("data.mode", { path: folder, observed: octal(found.mode & 0o777), expected: "go-w" });
}
