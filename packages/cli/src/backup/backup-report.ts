/**
 * What the hub program answers about backups, and how a person reads it.
 */
import type { BackupReport } from "@althing/contract";
import { table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

export function shownBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 1_024 && unit < units.length - 1; unit += 1) value /= 1_024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}

export function reportText(report: BackupReport): string {
  const { counts } = report;
  const rows = [
    ["file", safeLine(report.file)],
    ["id", report.id],
    ["size", `${shownBytes(report.bytes)}${report.encrypted ? ", encrypted" : ""}`],
    ["made", `${safeLine(report.createdAt)} by Althing ${safeLine(report.program)}, schema ${report.schema}`],
    ["instance", report.instance],
    [
      "holds",
      `${counts.users} users, ${counts.rooms} rooms, ${counts.messages} messages, ${counts.communities} communities, ${counts.events} events`,
    ],
    ["objects", `${counts.blobs} blobs, ${counts.bundles} of packages`],
    ...(report.missing.length === 0 ? [] : [["missing", `${report.missing.length} objects that the instance had lost`]]),
  ];
  return table(rows);
}
