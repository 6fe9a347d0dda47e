/**
 * `althing ext dev`: the project, live on a local instance and rebuilt at every change.
 *
 * Invariant: a fault of the author's (in code, manifest, settings) is shown with its place and waits for the next change; what ends it is Ctrl-C, or an
 * instance that refuses the author altogether. What it leaves behind is said: a community, an install, a pinned key.
 */
import { hasCode, type Install } from "@althing/contract";
import type { PackagesClient } from "@althing/client";
import type { Manifest } from "@althing/extension/manifest";
import { relative } from "node:path";
import { targetUrls, textOption, type Context } from "../context.ts";
import { openDevSession, requireLoopback, type DevRound, type DevSession } from "../ext/dev-session.ts";
import { manifestOf } from "../ext/in-words.ts";
import { openPackages } from "../ext/open-packages.ts";
import { communityOption } from "../ext/parse-names.ts";
import { openProject, projectFolder } from "../ext/project.ts";
import { watchProject } from "../ext/watch-project.ts";
import { viewError, type ResultStream } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { executionText, followLog, logReader, newestExecution } from "./package-log.ts";
import { troubleOf } from "./package-text.ts";

function banner({ community, publisher, isNewlyTrusted, isDevKey }: DevSession): string {
  const granted = `everything the project asks for is granted in the community ${community.name}, without asking`;
  if (!isDevKey)
    return `DEVELOPMENT: signed as ${publisher.publisherId}${isNewlyTrusted ? ", whom the instance trusts from now on" : ""}\n${granted}`;
  return [
    `DEVELOPMENT: the key .althing/dev.key of this project is ${isNewlyTrusted ? "now trusted" : "trusted"} by the whole instance:`,
    `  ${publisher.publisherId}`,
    `  whoever has that file can sign packages here; when you are done: althing trust remove ${publisher.publisherId}`,
    granted,
  ].join("\n");
}

function callLines(context: Context, { endpoints }: Manifest, community: string): string[] {
  const as = textOption(context.options, "as") ?? context.host.env["ALTHING_IDENTITY"] ?? "FILE";
  const where = community === "dev" ? "" : ` --community ${community}`;
  const project = relative(context.host.cwd, projectFolder(context));
  const inside = project === "" ? "" : ` --project ${project}`;
  return endpoints.map(
    ({ method, path }) => `  althing ext call ${method} ${path.replace(/:[A-Za-z0-9_]+/g, "ada")}${where}${inside} --as ${as}`,
  );
}

/** What the community's policy keeps back of what was granted. */
async function policyHints(client: PackagesClient, community: string, manifest: Manifest): Promise<string[]> {
  const { effective } = await client.call("policy.get", { params: { community } });
  const { backgroundJobs, publicEndpoints, outboundHttp } = effective.values;
  const missing = manifest.egress.map(({ host }) => host).filter((host) => !outboundHttp.enabled || !outboundHttp.allowlist.includes(host));
  const wanted = [
    ...(manifest.jobs.length > 0 && !backgroundJobs ? ["backgroundJobs=true"] : []),
    ...(manifest.endpoints.some((one) => one.public === true) && !publicEndpoints ? ["publicEndpoints=true"] : []),
    ...(missing.length > 0
      ? ["outboundHttp.enabled=true", `outboundHttp.allowlist=${[...outboundHttp.allowlist, ...missing].join(",")}`]
      : []),
  ];
  return wanted.length === 0 ? [] : [`the community's policy keeps part of it back: althing policy set ${community} ${wanted.join(" ")}`];
}

function liveText({ install, buildMs, installMs }: DevRound, totalMs: number): string {
  return `${install.extension} ${install.version} is ${install.state}: live after ${Math.round(totalMs)} ms (build ${Math.round(buildMs)}, install ${Math.round(installMs)})`;
}

/** A name belongs to its first signer on an instance. */
const nameBoundHint = "\n  sign with the key that the name belongs to (ext dev --key FILE), or give the project another name";

function showFailure(stream: ResultStream, error: unknown): void {
  const view = viewError(error);
  const faults = (view.faults ?? []).map(({ path, message }) => `\n  ${safeLine(path)}: ${safeLine(message)}`).join("");
  const hint = hasCode(error, "registry.name_bound") ? nameBoundHint : "";
  stream.item({ event: "failed", error: view }, `${view.message} [${view.code}]${faults}${hint}\n  the next change tries again`);
}

interface Dev {
  readonly context: Context;
  readonly session: DevSession;
  readonly stream: ResultStream;
  readonly signal: AbortSignal;
}

/** Executions from here on, beside the rounds. */
function startTail({ context, session, stream, signal }: Dev, install: Install, since: string | undefined): Promise<void> {
  return followLog({
    read: logReader(session.client, { community: session.community.id, install: install.id }, { signal }),
    signal,
    now: () => context.host.now(),
    ...(since === undefined ? {} : { since }),
    onExecution: (execution) => stream.item({ event: "execution", execution }, executionText(execution)),
  });
}

async function welcome({ context, session }: Dev, { install }: DevRound): Promise<void> {
  const manifest = manifestOf(install.manifest);
  if (manifest === undefined) return;
  const { client, community } = session;
  const hints = await policyHints(client, community.id, manifest);
  const lines = [
    `at ${client.url}/api/communities/${community.name}/ext/${install.extension}/`,
    ...callLines(context, manifest, community.name),
    ...(install.uiUrl === undefined ? [] : [`pages at ${install.uiUrl}`]),
    ...hints,
    "watching for changes; Ctrl-C ends it",
  ];
  context.output.prose(lines.join("\n"));
}

/** One round; its failure is shown. */
async function attempt({ session, stream, context, signal }: Dev, changed: readonly string[]): Promise<DevRound | undefined> {
  const startedAtMs = performance.now();
  try {
    if (changed.length > 0) context.output.prose(`${safeLine(changed.slice(0, 3).join(", "))}${changed.length > 3 ? " …" : ""} changed`);
    const round = await session.bring(signal);
    if (round === undefined) context.output.prose("nothing of the bundle changed");
    else {
      const totalMs = performance.now() - startedAtMs;
      const { extension, version, state, contentHash } = round.install;
      const trouble = troubleOf(round.install).map((line) => `\n  ${line}`);
      stream.item(
        { event: "live", extension, version, state, contentHash, totalMs: Math.round(totalMs) },
        liveText(round, totalMs) + trouble.join(""),
      );
    }
    return round;
  } catch (error) {
    // Whoever ends it while a round is under way wants no word about that round.
    if (!signal.aborted) showFailure(stream, error);
    return undefined;
  }
}

export async function dev(context: Context): Promise<void> {
  const [folder, communityName] = [projectFolder(context), communityOption(context)];
  requireLoopback(await targetUrls(context));
  await openProject(folder);
  const client = await openPackages(context);
  const session = await openDevSession(context, client, folder, communityName);
  context.output.warn(banner(session));
  const stream = context.output.stream();
  const ended = new AbortController();
  const watch = watchProject(folder);
  const state: { tail: Promise<void> } = { tail: Promise.resolve() };
  context.defer(async () => {
    ended.abort();
    watch.close();
    await state.tail;
    stream.end();
    context.output.prose(`${communityName} keeps the extension as it was last; althing package remove takes it away`);
  });
  const running: Dev = { context, session, stream, signal: ended.signal };
  let isTailed = false;
  let changed: readonly string[] = [];
  while (!ended.signal.aborted) {
    const round = await attempt(running, changed);
    if (round !== undefined && !isTailed) {
      isTailed = true;
      state.tail = startTail(running, round.install, await newestExecution(client, session.community.id, round.install.id));
      await welcome(running, round);
    }
    changed = await watch.next(ended.signal);
  }
}
