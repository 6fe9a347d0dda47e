/**
 * The extension part of `althing smoke`: a package with an endpoint, a job and an event is made, signed, installed, invoked, run and told.
 *
 * Invariant: the way is an author's and an admin's, nothing is prepared; what a step claims it has read from the instance's own log of executions.
 */
import type { PackagesClient } from "@althing/client";
import { AppError, hasCode } from "@althing/contract";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LeaveOut, RunStep } from "./commands/smoke.ts";
import { buildFiles, openProject, packFiles } from "./ext/project.ts";
import { signPacked, type Publisher } from "./ext/publisher-keys.ts";

const topic = "announcement.posted";
const job = "count";
/** Far enough that it runs by hand only. */
const newYear = { cron: "0 0 1 1 *", timeZone: "UTC" } as const;
const lookEveryMs = 100;
/** Within a step's time. */
const patienceMs = 18_000;

const guest = `
import { Context, Event, HttpRequest, HttpResponse, onEvent, onHttp, onJob, text } from "@althing/sdk/assemblyscript";

onHttp("GET", "/hello/:name", (request: HttpRequest, context: Context): HttpResponse => text("Hello, " + request.param("name") + "!"));
onJob("${job}", (slot: string, context: Context): string => "ran for " + slot);
onEvent("${topic}", (event: Event, context: Context): string => "was told");
`;

export interface SmokeBundle {
  readonly bundle: Uint8Array<ArrayBuffer>;
  readonly signature: string;
  readonly name: string;
  readonly publisherId: string;
}

export async function makeSmokePackage(publisher: Publisher): Promise<SmokeBundle> {
  const { createProject } = await import("@althing/sdk");
  const folder = await mkdtemp(join(tmpdir(), "althing-smoke-"));
  try {
    const { publisherId: id } = publisher;
    await createProject({ template: "assemblyscript", name: "smoke", folder, publisher: { id, name: "smoke" } });
    await writeFile(join(folder, "assembly/index.ts"), guest);
    const template: unknown = JSON.parse((await openProject(folder)).manifestText);
    if (typeof template !== "object") throw new AppError("manifest.invalid", { count: 1 });
    const manifest = { ...template, events: [topic], jobs: [{ name: job, schedule: newYear }] };
    await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
    const [built, project] = [await buildFiles(folder), await openProject(folder)];
    const packed = await packFiles(new Map([...built.files, ["manifest.json", new TextEncoder().encode(project.manifestText)]]));
    const signature = await signPacked(packed, project.manifest, publisher);
    return { bundle: packed.bundle, signature, name: project.manifest.name, publisherId: id };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Installed {
  readonly community: string;
  readonly install: string;
}

async function soon<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new AppError("check.failed", { detail: `${what} within ${patienceMs / 1_000} s` });
    await sleep(lookEveryMs);
  }
}

async function invoke(client: PackagesClient, params: Installed, extension: string): Promise<string> {
  const beganMs = performance.now();
  const answer = await client.endpoint({ community: params.community, extension, method: "GET", path: "/hello/smoke" });
  const text = new TextDecoder().decode(answer.body);
  if (answer.status !== 200 || !text.includes("smoke"))
    throw new AppError("check.failed", { detail: `it answered ${answer.status} ${text.slice(0, 80)}` });
  const { executions } = await client.call("packages.log", { params, query: { limit: 1 } });
  return `${(performance.now() - beganMs).toFixed(1)} ms, ${executions[0]?.fuel ?? 0} units of fuel`;
}

/** @returns whether the instance lets a community allow jobs */
async function allowJobs(client: PackagesClient, community: string): Promise<boolean> {
  try {
    const { effective } = await client.call("policy.put", { params: { community }, body: { backgroundJobs: true } });
    return effective.values.backgroundJobs;
  } catch (error) {
    if (hasCode(error, "policy.locked", "policy.above_ceiling")) return false;
    throw error;
  }
}

async function runJob(client: PackagesClient, params: Installed): Promise<string> {
  const { number } = await client.call("jobs.run", { params: { ...params, name: job }, body: {} });
  const run = await soon("the job did not end", async () => {
    const { jobs } = await client.call("jobs.list", { params });
    const found = jobs.find(({ name }) => name === job)?.history.find((one) => one.number === number);
    return found?.status === "running" ? undefined : found;
  });
  if (run.status !== "ok") throw new AppError("check.failed", { detail: `the job ended ${run.status} ${run.detail ?? ""}` });
  return `${run.note ?? "done"}, ${run.fuel ?? 0} units of fuel`;
}

async function deliverEvent(client: PackagesClient, params: Installed): Promise<string> {
  const beganMs = performance.now();
  await client.call("announcements.post", { params: { community: params.community }, body: { text: "smoke" } });
  const told = await soon("the event was not delivered", async () => {
    const { executions } = await client.call("packages.log", { params, query: { limit: 20 } });
    return executions.find(({ trigger, name, status }) => trigger === "event" && name === topic && status !== "started");
  });
  if (told.status !== "ok") throw new AppError("check.failed", { detail: `the event ended ${told.status} ${told.detail ?? ""}` });
  return `${topic} after ${Math.round(performance.now() - beganMs)} ms`;
}

/** A name belongs to its first signer, and each smoke has a key of its own: an earlier one's name is given to this one's. */
async function takeName(client: PackagesClient, name: string, publisherId: string): Promise<void> {
  await client.call("registry.rebind", { params: { name }, body: { signer: publisherId, publisherId } }).catch((error: unknown) => {
    if (!hasCode(error, "registry.not_found")) throw error;
  });
}

/** @returns the last step: to remove it. @throws {check.failed} and what the instance refuses */
export async function smokePackage(
  client: PackagesClient,
  community: string,
  made: SmokeBundle,
  run: RunStep,
  leaveOut: LeaveOut,
): Promise<() => Promise<string>> {
  let params: Installed = { community, install: "" };
  const { bundle, signature, name, publisherId } = made;
  let extension = "";
  await run("install a package", async () => {
    await takeName(client, name, publisherId);
    const uploaded = await client.upload(community, { bundle, signature });
    params = { community, install: uploaded.id };
    extension = uploaded.extension;
    await client.call("packages.change", { params, body: { consent: { contentHash: uploaded.contentHash }, active: true } });
    return `${extension} ${uploaded.version}, ${uploaded.trust.verified ? "signature verified" : "unsigned"}`;
  });
  await run("invoke it", () => invoke(client, params, extension));
  if (await allowJobs(client, community)) await run("run a job", () => runJob(client, params));
  else leaveOut("run a job", "this instance lets no package run jobs");
  await run("deliver an event", () => deliverEvent(client, params));
  return async () => {
    await client.call("packages.remove", { params, query: { data: "purge" } });
    return "with its data, secrets and log";
  };
}
