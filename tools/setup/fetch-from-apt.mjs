/**
 * Brings one program out of a distribution package, newer than the machine's own suite when need be, without touching the machine.
 *
 * Invariant: apt's own client does the download and checks the archive's signature with the keys this machine trusts; lists, state and
 * cache are private folders that are removed, so neither root nor the system's package database is involved. A suite whose key is
 * not in the keyring fails its update and is skipped. Success is a program that ran, never an exit code (hooks in apt's configuration
 * may fail without root).
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { distributionArchives, parseDeb822Sources, parseOneLineSources } from "./apt-sources.mjs";
import { toolsDir } from "./places.mjs";
import { say } from "./report.mjs";
import { runProgram } from "./run-program.mjs";

/** @typedef {import("./apt-sources.mjs").AptSource} AptSource */

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function machineSources() {
  const folder = "/etc/apt/sources.list.d";
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return [
    ...parseOneLineSources(readText("/etc/apt/sources.list")),
    ...names.filter((name) => name.endsWith(".list")).flatMap((name) => parseOneLineSources(readText(join(folder, name)))),
    ...names.filter((name) => name.endsWith(".sources")).flatMap((name) => parseDeb822Sources(readText(join(folder, name)))),
  ];
}

function newerSuites() {
  const release = readText("/etc/os-release");
  const field = (/** @type {string} */ name) => new RegExp(`^${name}="?([^"\\n]*)`, "m").exec(release)?.[1];
  const isUbuntu = field("ID") === "ubuntu" || (field("ID_LIKE") ?? "").includes("ubuntu");
  const codename = (isUbuntu && field("UBUNTU_CODENAME")) || field("DEBIAN_CODENAME") || field("VERSION_CODENAME");
  // The machine's own suite first: when it is new enough nothing newer is wanted.
  return { codename, suites: [codename, ...(isUbuntu ? ["devel"] : ["sid", "testing"])].filter((suite) => suite !== undefined) };
}

/**
 * @param {string} work
 * @param {AptSource} source
 * @param {string} suite
 * @returns {string[]} the options that keep apt inside `work`
 */
function privateApt(work, source, suite) {
  for (const name of ["parts", "lists/partial", "cache/archives/partial"]) mkdirSync(join(work, name), { recursive: true });
  writeFileSync(join(work, "status"), "");
  const signedBy = source.signedBy === undefined ? "" : `Signed-By: ${source.signedBy}\n`;
  const components = source.components.filter((name) => name === "main" || name === "universe").join(" ");
  writeFileSync(
    join(work, "parts", "suite.sources"),
    `Types: deb\nURIs: ${source.uri}\nSuites: ${suite}\nComponents: ${components}\n${signedBy}`,
  );
  const settings = {
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": join(work, "parts"),
    "Dir::State::Lists": join(work, "lists"),
    "Dir::State::status": join(work, "status"),
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": process.getuid?.() === 0 ? "root" : "",
    "Debug::NoLocking": "1",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "30",
    "Acquire::https::Timeout": "30",
  };
  return ["-qq", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
}

/**
 * @param {string} folder
 * @param {string} name
 */
function findProgram(folder, name) {
  return ["usr/sbin", "usr/bin", "sbin", "bin"].map((place) => join(folder, place, name)).find((path) => existsSync(path));
}

/**
 * The version a package has in the lists that `options` point to; by default the machine's own.
 *
 * @param {string} name
 * @param {readonly string[]} options
 */
async function listedVersion(name, options = []) {
  const { stdout } = await runProgram("apt-cache", [...options, "policy", name], { env: plainEnvironment(), timeoutMs: 60_000 });
  const candidate = /Candidate:\s*(?:\d+:)?(\S+)/.exec(stdout)?.[1];
  return candidate === "(none)" ? undefined : candidate;
}

/** @param {string} text */
function lastLine(text) {
  return text.trim().split("\n").pop() ?? "";
}

/** English output, no questions, and the system's own folders, where apt's helpers find theirs (gpgv and others). */
function plainEnvironment() {
  const path = [process.env["PATH"] ?? "", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].filter(Boolean).join(":");
  return { ...process.env, PATH: path, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
}

/**
 * @typedef {object} Wanted
 * @property {string} name package, and program of that name in it
 * @property {string} target where the program is put
 * @property {(version: string) => boolean} isPromising judges a package's version before it is downloaded
 * @property {(path: string) => Promise<string | undefined>} accept runs the program; its version, or nothing when it is not good enough
 */

/**
 * @param {AptSource} source
 * @param {string} suite
 * @param {Wanted} wanted
 * @returns {Promise<string | undefined>}
 */
async function trySuite(source, suite, { name, target, isPromising, accept }) {
  const work = join(toolsDir, "apt");
  rmSync(work, { recursive: true, force: true });
  try {
    const options = privateApt(work, source, suite);
    say(`trying the suite ${suite} …`);
    const env = plainEnvironment();
    const update = await runProgram("apt-get", [...options, "update"], { env, timeoutMs: 300_000 });
    const version = await listedVersion(name, options);
    if (version === undefined) say(`  not taken: ${lastLine(update.stderr) || `it has no ${name}`}`);
    if (version === undefined || !isPromising(version)) return undefined;
    await runProgram("apt-get", [...options, "download", name], { env, cwd: work, timeoutMs: 300_000 });
    const archive = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (archive === undefined) return undefined;
    await runProgram("dpkg-deb", ["-x", join(work, archive), join(work, "unpacked")]);
    const program = findProgram(join(work, "unpacked"), name);
    if (program === undefined) return undefined;
    chmodSync(program, 0o755);
    const accepted = await accept(program);
    if (accepted !== undefined) renameSync(program, target);
    return accepted;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * @param {Wanted} wanted
 * @returns {Promise<string | undefined>} what `accept` said of the first that was good enough
 */
export async function fetchFromApt(wanted) {
  const tools = await Promise.all(["apt-get", "apt-cache", "dpkg-deb"].map((tool) => runProgram(tool, ["--version"])));
  if (tools.some(({ status }) => status !== 0)) return undefined;
  const { codename, suites } = newerSuites();
  const listed = await listedVersion(wanted.name);
  const isOwnTooOld = listed !== undefined && !wanted.isPromising(listed);
  for (const source of distributionArchives(machineSources(), codename)) {
    for (const suite of suites) {
      if (suite === codename && isOwnTooOld) continue;
      const accepted = await trySuite(source, suite, wanted);
      if (accepted !== undefined) return accepted;
    }
  }
  return undefined;
}
