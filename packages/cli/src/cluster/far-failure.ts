/**
 * What ssh and rsync say when they end in failure, as an error that names the machine, what was seen and what to do.
 *
 * Invariant: the reason is told, not the last line: rsync closes with a line of its own about a stream that ended, whatever ended it. What is not known as a fault of
 * the connection stays the failure of the step, in its own words.
 */
import { AppError } from "@althing/contract";
import type { RanProgram, RunStep } from "./steps.ts";

type FarCode =
  | "cluster.host_key"
  | "cluster.login_refused"
  | "cluster.host_unreachable"
  | "cluster.program_missing"
  | "cluster.connection_lost";

/** OpenSSH's own words, and those of shells for a program that is not there. The first that is found counts. */
const known: readonly (readonly [RegExp, FarCode])[] = [
  [/^.*REMOTE HOST IDENTIFICATION HAS CHANGED.*$/m, "cluster.host_key"],
  [/^.*Host key verification failed.*$/m, "cluster.host_key"],
  [/^.*(?:Permission denied \(|Too many authentication failures).*$/m, "cluster.login_refused"],
  [
    /^.*(?:Could not resolve hostname|connect to host .* port |Connection timed out during banner exchange|kex_exchange_identification).*$/m,
    "cluster.host_unreachable",
  ],
  [/^.*(?:command not found|: not found).*$/m, "cluster.program_missing"],
  [
    /^.*(?:Timeout, server .* not responding|Broken pipe|Connection reset by|Connection to .* closed by|Connection closed by|rsync error: timeout in data send\/receive).*$/m,
    "cluster.connection_lost",
  ],
];

/** How ssh ends when the connection and not the command failed; rsync's are its own and those of a stream that ended. */
const isOfConnection = ({ program }: RunStep, code: number | undefined): boolean =>
  code === 255 || (program === "rsync" && (code === 10 || code === 12 || code === 30 || code === 35));

const reasonOf = (line: string): string => line.replace(/^[@\s]+|[@\s]+$/g, "").replace(/\.$/, "");

/** What a person reads of a program that said much: rsync's last lines are about itself. */
function lastWords(said: string): string {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const own = lines.filter((line) => !/^rsync error: |^rsync: connection unexpectedly closed/.test(line));
  const last = own.at(-1) ?? lines.at(-1) ?? "";
  // This program on the other machine, asked with --json.
  return reasonOf(/"message":"((?:[^"\\]|\\.)*)"/.exec(last)?.[1] ?? last);
}

/** @param ran a program that did not end with 0 */
export function failureOf(step: RunStep, ran: RanProgram): AppError {
  const { node, host, what, program } = step;
  if (ran.isMissing === true)
    return new AppError("cluster.program_missing", { node, step: what, where: "this machine", detail: `${program} is not on PATH` });
  const isCut = isOfConnection(step, ran.code);
  const found = known
    .map(([pattern, code]) => ({ code, line: pattern.exec(ran.detail)?.[0] }))
    .find(({ code, line }) => line !== undefined && (code === "cluster.program_missing" ? ran.code === 127 || isCut : isCut));
  const said = lastWords(ran.detail);
  const detail = found?.line === undefined ? said : reasonOf(found.line);
  const words = detail === "" ? `${program} ended with ${ran.code ?? "a signal"}` : detail;
  if (found?.code === "cluster.program_missing") return new AppError(found.code, { node, step: what, where: host, detail: words });
  if (found !== undefined || isCut)
    return new AppError(found?.code ?? "cluster.connection_lost", { node, step: what, host, detail: words });
  return new AppError("cluster.step_failed", { node, step: what, detail: words });
}
