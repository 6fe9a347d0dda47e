/**
 * `althing doctor`: the posture in words, this machine and the data folder, one line each, and for each fault its remedy.
 *
 * Invariant: exit 0 when nothing is bad, 1 when something is, 3 when the instance does not answer; local checks run either way.
 */
import { dataFindingsSchema, type Config, type Health } from "@althing/contract";
import type { Command } from "commander";
import { addCommand, Reported } from "../command.ts";
import { exitCodeOf, exitCodes } from "../exit-code.ts";
import { instanceConfig, targetUrls, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { findingOf } from "../local-finding.ts";
import { table } from "../output.ts";
import { judgeHealth, type Finding, type Grade } from "../posture.ts";
import { safeLine } from "../terminal-text.ts";
import { addSettingOptions } from "./up.ts";

const marks: Readonly<Record<Grade, string>> = { good: "ok", note: "note", warn: "look", bad: "BAD" };

export function addDoctor(host: CliHost, program: Command): void {
  const command = addCommand(host, program, {
    use: "doctor",
    summary: "look at the instance, this machine and the data folder, with remedies",
    examples: ["althing doctor", "althing doctor --url https://althing.example --json"],
    action: doctor,
  });
  addSettingOptions(command, ["at_rest_key_file"]);
}

/** What the hub program sees in the data folder. */
async function judgeData(context: Context, data: string, config: Config): Promise<Finding[]> {
  const { runDataProgram } = await import("../backup/data-program.ts");
  try {
    const input = { bundlesInFolder: config.bundle_store === "folder" };
    return (await runDataProgram(context, "inspect", data, input, dataFindingsSchema)).findings;
  } catch (error) {
    return [findingOf("data folder", error)];
  }
}

async function localFindings(context: Context): Promise<Finding[]> {
  const { sources, file } = instanceConfig(context);
  const { localInstance } = await import("../backup/data-program.ts");
  const { judgeCertificates, judgeNats, judgePorts, judgeSettings, judgeTimeService } = await import("../backup/machine-checks.ts");
  const { findSetpriv } = await import("../supervisor/guarded-spawn.ts");
  const { data, config, run } = await localInstance(context);
  const guard: Finding =
    findSetpriv(context.host.env["PATH"] ?? "") === undefined
      ? {
          name: "children",
          grade: "note",
          observed: "watched by a watchdog process",
          meaning: "there is no setpriv here (util-linux), so a watchdog ends nats-server when the supervisor dies",
        }
      : { name: "children", grade: "good", observed: "end with the supervisor", meaning: "the kernel ends them" };
  return [
    { name: "node", grade: "good", observed: process.version, meaning: "brought by the set-up" },
    await judgeNats(context, config),
    judgeSettings(sources, file),
    await judgePorts(config, run),
    ...judgeCertificates(config, context.host.cwd, context.host.now()),
    await judgeTimeService(),
    guard,
    ...(await judgeData(context, data, config)),
  ];
}

async function askAll(context: Context): Promise<{ findings: Finding[]; healths: Health[]; failure: unknown }> {
  const { fetchHealth } = await import("@althing/client");
  const { authorityPem } = await import("../open-client.ts");
  const [urls, ca] = [await targetUrls(context), await authorityPem(context)];
  const findings: Finding[] = [];
  const healths: Health[] = [];
  let failure: unknown;
  for (const url of urls) {
    try {
      const health = await fetchHealth(url, ca === undefined ? {} : { ca });
      healths.push(health);
      findings.push(
        ...judgeHealth(health).map((finding) => (urls.length === 1 ? finding : { ...finding, name: `${url} ${finding.name}` })),
      );
    } catch (error) {
      failure = error;
      findings.push(findingOf(url, error));
    }
  }
  return { findings, healths, failure };
}

async function doctor(context: Context): Promise<void> {
  const local = await localFindings(context);
  const { findings, healths, failure } = await askAll(context);
  const all = [...findings, ...local];
  const rows = all.map((finding) => [marks[finding.grade], finding.name, safeLine(finding.observed)]);
  const remedies = all
    .filter((finding) => finding.grade === "bad" || finding.grade === "warn")
    .map((finding) => `${finding.name}: ${safeLine(finding.meaning)}`);
  const verdict = remedies.length === 0 ? "nothing to mend" : `to mend:\n  ${remedies.join("\n  ")}`;
  const ok = all.every((finding) => finding.grade !== "bad");
  context.output.result({ ok, findings: all, health: healths }, `${table(rows)}\n\n${verdict}`);
  if (healths.length === 0) throw new Reported(exitCodeOf(failure));
  if (!ok) throw new Reported(exitCodes.failed);
}
