/**
 * `althing status`: nodes, versions, counts, in a few lines.
 *
 * Invariant: exit 0 only when every address asked is ready; 3 when none answers. Counts that need rights are shown when `--as` has them.
 */
import { AppError, hasCode, pages, type Health } from "@althing/contract";
import type { Command } from "commander";
import { addCommand } from "../command.ts";
import { dataFolder, targetUrls, textOption, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { viewError, table } from "../output.ts";
import { safeLine } from "../terminal-text.ts";

export function addStatus(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "status",
    summary: "nodes, versions, counts",
    examples: ["althing status", "althing status --as alice.id", "althing status --url https://a.example --url https://b.example --json"],
    action: status,
  });
}

interface NodeStatus {
  readonly url: string;
  readonly health?: Health;
  readonly error?: ReturnType<typeof viewError>;
}

async function askNode(url: string, ca: string | undefined): Promise<NodeStatus> {
  const { fetchHealth } = await import("@althing/client");
  try {
    return { url, health: await fetchHealth(url, ca === undefined ? {} : { ca }) };
  } catch (error) {
    if (hasCode(error, "client.insecure_target")) throw error;
    return { url, error: viewError(error) };
  }
}

/** What the caller may count. */
async function counts(context: Context): Promise<Record<string, number> | undefined> {
  const identity = textOption(context.options, "as") ?? context.host.env["ALTHING_IDENTITY"];
  if (identity === undefined) return undefined;
  const { openClient } = await import("../open-client.ts");
  const { client } = await openClient(context);
  const me = await client.me();
  const rooms = (await client.rooms.list()).length;
  if (me.role !== "admin") return { rooms };
  let [active, revoked] = [0, 0];
  const read = (from: { after?: typeof me.signPub }) => client.call("users.list", { query: { limit: 500, ...from } });
  for await (const page of pages(read)) {
    const here = page.users.filter((user) => user.status === "active").length;
    active += here;
    revoked += page.users.length - here;
  }
  return { rooms, users: active, revoked };
}

async function localRun(context: Context) {
  const { isHolderRunning, readRunFile } = await import("../supervisor/run-file.ts");
  const run = await readRunFile(dataFolder(context)).catch(() => undefined);
  return run !== undefined && (await isHolderRunning(run)) ? run : undefined;
}

/** The error names the address already when nothing answers there. */
function whyNone({ url, error }: NodeStatus): string {
  return error?.code === "client.unreachable" ? String(error.params?.["detail"]) : `${url}: ${error?.message ?? "?"}`;
}

async function status(context: Context): Promise<void> {
  const { authorityPem } = await import("../open-client.ts");
  const [urls, ca, run] = [await targetUrls(context), await authorityPem(context), await localRun(context)];
  const nodes = await Promise.all(urls.map((url) => askNode(url, ca)));
  if (nodes.every((node) => node.health === undefined)) throw new AppError("client.unreachable", { detail: nodes.map(whyNone).join("; ") });
  const counted = await counts(context);
  const rows = nodes.map(({ url, health, error }) =>
    health === undefined
      ? [url, "unreachable", safeLine(error?.message ?? "")]
      : [
          url,
          health.status,
          `node ${safeLine(health.node)}, version ${safeLine(health.version)}, store ${health.posture.store.kind}, access list ${health.posture.acl.state} (revision ${health.posture.acl.revision})`,
        ],
  );
  const local = run === undefined ? "" : `\nlocal process ${run.pid}, since ${run.startedAt}`;
  const tally =
    counted === undefined
      ? ""
      : `\n${Object.entries(counted)
          .map(([name, count]) => `${name} ${count}`)
          .join(", ")}`;
  const value = { nodes, ...(run === undefined ? {} : { local: run }), ...(counted === undefined ? {} : { counts: counted }) };
  context.output.result(value, `${table(rows)}${local}${tally}`);
  const notReady = nodes.find((node) => node.health?.status !== "ready");
  if (notReady !== undefined)
    throw new AppError("system.unavailable", { detail: `${notReady.url} is ${notReady.health?.status ?? "unreachable"}` });
}
