/**
 * `althing doctor`: the posture in words, and this machine's part of it, each fault with its remedy.
 *
 * Invariant: exit 0 when nothing is bad, 1 when something is, 3 when the instance does not answer; local checks run either way.
 */
import { AppError, type Health } from "@althing/contract";
import type { Command } from "commander";
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addCommand } from "../command.ts";
import { exitCodeOf, exitCodes } from "../exit-code.ts";
import { Reported } from "../command.ts";
import { absoluteData, instanceConfig, targetUrls, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { table, viewError } from "../output.ts";
import { judgeHealth, type Finding, type Grade } from "../posture.ts";
import { safeLine } from "../terminal-text.ts";

const toolsFolder = fileURLToPath(new URL("../../../../.tools", import.meta.url));
const marks: Readonly<Record<Grade, string>> = { good: "ok", note: "note", warn: "look", bad: "BAD" };

export function addDoctor(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "doctor",
    summary: "explain the posture, with remedies",
    examples: ["althing doctor", "althing doctor --url https://althing.example --json"],
    action: doctor,
  });
}

function findingOf(name: string, error: unknown): Finding {
  const view = viewError(error);
  return { name, grade: "bad", observed: `${view.message} [${view.code}]`, meaning: view.fix };
}

async function judgeNats(context: Context, configured: string | undefined): Promise<Finding> {
  const { findNatsServer } = await import("../supervisor/find-nats-server.ts");
  try {
    const { path, version } = await findNatsServer({
      configured,
      cwd: context.host.cwd,
      searchPath: context.host.env["PATH"] ?? "",
      toolsFolder,
    });
    return { name: "nats-server", grade: "good", observed: `${version} (${path})`, meaning: "new enough" };
  } catch (error) {
    return findingOf("nats-server", error);
  }
}

function judgeData(data: string): Finding {
  const found = statSync(data, { throwIfNoEntry: false });
  if (found === undefined)
    return { name: "data folder", grade: "note", observed: `${data}: not there yet`, meaning: "`althing up` makes it" };
  if ((found.mode & 0o077) !== 0)
    return findingOf("data folder", new AppError("data.mode", { path: data, observed: (found.mode & 0o777).toString(8), expected: "700" }));
  const loose = ["keys/instance.json", "keys/hub.nkey", "keys/sys.nkey", "nats/acl.conf"].find(
    (file) => ((statSync(join(data, file), { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0,
  );
  if (loose !== undefined)
    return findingOf("data folder", new AppError("data.mode", { path: join(data, loose), observed: "open to others", expected: "600" }));
  return { name: "data folder", grade: "good", observed: data, meaning: "only its owner can read it" };
}

async function localFindings(context: Context): Promise<Finding[]> {
  const { config } = instanceConfig(context);
  const { findSetpriv } = await import("../supervisor/guarded-spawn.ts");
  const setpriv = findSetpriv(context.host.env["PATH"] ?? "");
  const guard: Finding =
    setpriv === undefined
      ? {
          name: "children",
          grade: "note",
          observed: "watched by a watchdog process",
          meaning: "there is no setpriv here (util-linux), so a watchdog ends nats-server when the supervisor dies",
        }
      : { name: "children", grade: "good", observed: "end with the supervisor", meaning: "the kernel ends them" };
  return [
    { name: "node", grade: "good", observed: process.version, meaning: "brought by the set-up" },
    await judgeNats(context, config.nats_server),
    judgeData(absoluteData(context, config)),
    guard,
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
