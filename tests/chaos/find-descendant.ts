/**
 * A process below another one, by a part of its command line.
 *
 * Invariant: only descendants are looked at, so a test never finds a process that is not its own. Linux alone, as the chaos suite is.
 */
import { readFile } from "node:fs/promises";

export async function findDescendant(pid: number | undefined, part: string): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  for (const child of children.split(" ").filter(Boolean).map(Number)) {
    const command = await readFile(`/proc/${child}/cmdline`, "utf8").catch(() => "");
    if (command.includes(part)) return child;
    const below = await findDescendant(child, part);
    if (below !== undefined) return below;
  }
  return undefined;
}
