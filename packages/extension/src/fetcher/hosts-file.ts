/**
 * Reads `/etc/hosts` as the system's own resolver would.
 *
 * Invariant: only lines with a strict address count; the file is read again when it changes. Its answers are judged like any other, so a
 * line that points inside opens nothing, it only lets an operator name a host that `privateHosts` lists.
 * Source: hosts(5).
 */
import { readFile, stat } from "node:fs/promises";
import { parseAddress } from "./classify-address.ts";
import { withoutFinalDot } from "./host-name.ts";

const hostsFileMaxBytes = 4 * 1024 * 1024;

export interface HostsFile {
  /** Addresses of a name in the file's order; none when the file, or the name in it, is not there. */
  addressesOf(host: string): Promise<readonly string[]>;
}

function parseHosts(text: string): Map<string, string[]> {
  const table = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*$/s, "").trim().split(/\s+/);
    if (!parseAddress(address)) continue;
    for (const name of names) {
      const key = withoutFinalDot(name.toLowerCase());
      table.set(key, [...(table.get(key) ?? []), address]);
    }
  }
  return table;
}

export function openHostsFile(path: string): HostsFile {
  let known: { readonly stamp: string; readonly table: Map<string, string[]> } | undefined;
  return {
    async addressesOf(host) {
      const about = await stat(path).catch(() => undefined);
      if (!about?.isFile() || about.size > hostsFileMaxBytes) return [];
      const stamp = `${about.mtimeMs} ${about.size} ${about.ino}`;
      if (known?.stamp !== stamp) known = { stamp, table: parseHosts(await readFile(path, "utf8").catch(() => "")) };
      return known.table.get(host) ?? [];
    },
  };
}
