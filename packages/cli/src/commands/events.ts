/**
 * `althing events tail|verify|export`: the public log of a community.
 *
 * Invariant: the chain is verified here, from the events themselves; what the server says of its log is only compared. A log that does not verify ends with
 * `event.chain_broken` and the index of the first event that does not fit. An export is written whole or not at all and never over another file.
 */
import type { PackagesClient } from "@althing/client";
import { AppError, hasCode, pages, type CommunityId, type EventRecord, type PublicEvent } from "@althing/contract";
import type { ChainFault, ChainVerdict } from "@althing/crypto";
import type { Command } from "commander";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { addCommand } from "../command.ts";
import { textOption, usageError, wholeNumber, type Context } from "../context.ts";
import { communityOption } from "../ext/parse-names.ts";
import type { CliHost } from "../host.ts";
import { safeJson, safeLine } from "../terminal-text.ts";
import { writeNewFile } from "../write-new-file.ts";

const opened = async (context: Context) => (await import("../ext/open-packages.ts")).openPackages(context);

export function addEvents(host: CliHost, program: Command): void {
  const group = addCommand(host, program, {
    use: "events",
    summary: "the public log of a community: follow, verify, export",
    examples: ["althing events tail --community garden --as alice.id", "althing events verify --as alice.id"],
  });
  addCommand(host, group, {
    use: "tail",
    summary: "events as they happen; goes on by itself when the connection breaks",
    examples: [
      "althing events tail --community garden --as alice.id",
      "althing events tail --community garden --since 0 --count 10 --json --as alice.id",
    ],
    action: tail,
  })
    .requiredOption("--community <community>", "name or id")
    .option(
      "--since <index>",
      "events after this one; 0: from the first (default: from now on)",
      wholeNumber("--since", 0, 999_999_999_999),
    )
    .option("--count <n>", "end after so many", wholeNumber("--count", 1, 1_000_000_000));
  addCommand(host, group, {
    use: "verify [file]",
    summary:
      "check the chain: of a community, of all I may read, or of an export (- reads stdin); with both, also that one continues the other",
    examples: [
      "althing events verify --as alice.id",
      "althing events verify --community garden --as alice.id",
      "althing events verify garden.jsonl",
      "althing events verify garden.jsonl --community garden --as alice.id",
    ],
    action: verify,
  }).option("--community <community>", "name or id (default: all that I may read)");
  addCommand(host, group, {
    use: "export",
    summary: "the whole log as it is kept, one JSON object a line",
    examples: ["althing events export --community garden -o garden.jsonl --as alice.id"],
    action: exportLog,
  })
    .requiredOption("--community <community>", "name or id")
    .option("-o, --output <file>", "where to write it; must not exist (default: stdout)");
}

function eventText({ index, time, topic, summary, actor, redacted }: PublicEvent): string {
  const who = actor ?? (redacted.includes("actor") ? "(erased)" : "");
  return [String(index), time, topic, safeLine(summary), safeLine(who)].join("  ").trimEnd();
}

async function tail(context: Context): Promise<void> {
  const community = communityOption(context);
  const { since, count = Number.POSITIVE_INFINITY } = context.options as { readonly since?: number; readonly count?: number };
  const client = await opened(context);
  const stream = context.output.stream();
  const ended = new AbortController();
  context.defer(() => {
    ended.abort();
    stream.end();
  });
  const onTrouble = (error: AppError) => context.output.prose(`${error.message} Trying again …`);
  let left = count;
  for await (const event of client.followEvents(community, {
    signal: ended.signal,
    onTrouble,
    ...(since === undefined ? {} : { after: since }),
  })) {
    stream.item(event, eventText(event));
    left -= 1;
    if (left <= 0) return;
  }
}

interface Verified {
  /** As it was named, or the file's. */
  readonly name: string;
  readonly verdict: ChainVerdict;
}

const okText = ({ events, redacted }: ChainVerdict): string => `chain ok: ${events} events, ${redacted} redacted`;

async function verify(context: Context, [file]: readonly string[]): Promise<void> {
  const named = textOption(context.options, "community") === undefined ? undefined : communityOption(context);
  if (file !== undefined) {
    const verified = await verifyFile(context, file, named);
    context.output.result(shown(verified), okText(verified.verdict));
    return;
  }
  const client = await opened(context);
  if (named !== undefined) {
    const verified = await verifyLive(client, await client.call("communities.get", { params: { community: named } }));
    context.output.result(shown(verified), okText(verified.verdict));
    return;
  }
  const all: Verified[] = [];
  const faults: AppError[] = [];
  for await (const community of readable(client)) {
    try {
      const verified = await verifyLive(client, community);
      all.push(verified);
      context.output.line(`${verified.name}: ${okText(verified.verdict)}`);
    } catch (error) {
      // The others are verified all the same.
      if (!hasCode(error, "event.chain_broken")) throw error;
      faults.push(error);
      context.output.line(`${community.name}: ${safeLine(error.message)}`);
    }
  }
  const [first] = faults;
  if (first !== undefined) throw first;
  context.output.result(all.map(shown), "");
  if (all.length === 0) context.output.prose("there is no community whose events you may read");
}

const shown = ({ name, verdict: { events, redacted, head } }: Verified) => ({ name, events, redacted, head });

interface Named {
  readonly id: CommunityId;
  readonly name: string;
}

async function* readable(client: PackagesClient): AsyncGenerator<Named> {
  const read = (from: { after?: CommunityId }) => client.call("communities.list", { query: { limit: 200, ...from } });
  for await (const { communities } of pages(read)) yield* communities.filter(({ permissions }) => permissions.includes("events.read"));
}

/** The log as the server has it now, up to what it says is the newest event at least. @throws {event.chain_broken} */
async function verifyLive(client: PackagesClient, { id, name }: Named): Promise<Verified> {
  const [{ verifyChain }, { exportEvents }] = [await import("@althing/crypto"), await import("@althing/client")];
  const head = await client.call("events.head", { params: { community: id } });
  let atHead: string | undefined;
  async function* records(): AsyncGenerator<EventRecord> {
    for await (const record of exportEvents(client, id)) {
      if (record.index === head.index) atHead = record.hash;
      yield record;
    }
  }
  const verdict = await verifyChain(records());
  refuseFault(name, verdict);
  refuseOther(name, verdict, id);
  if (verdict.events < head.index)
    throw broken(name, verdict.events + 1, `the server says that there are ${head.index} events and gives ${verdict.events}`);
  if (head.index > 0 && atHead !== head.hash) throw broken(name, head.index, "the server says that its hash is another");
  return { name, verdict };
}

/** @throws {event.chain_broken} */
async function verifyFile(context: Context, file: string, community: string | undefined): Promise<Verified> {
  const { verifyChain } = await import("@althing/crypto");
  const verdict = await verifyChain(linesOf(context, file));
  refuseFault(file, verdict);
  if (community === undefined) return { name: file, verdict };
  const client = await opened(context);
  const { id } = await client.call("communities.get", { params: { community } });
  refuseOther(file, verdict, id);
  if (verdict.events > 0 && (await hashAt(client, id, verdict.events)) !== verdict.head)
    throw broken(community, verdict.events, "the server does not have it as the file does: its log was rolled back or written anew");
  return { name: file, verdict };
}

async function hashAt(client: PackagesClient, community: CommunityId, index: number): Promise<string | undefined> {
  try {
    return (await client.call("events.get", { params: { community, index } })).hash;
  } catch (error) {
    if (hasCode(error, "event.not_found")) return undefined;
    throw error;
  }
}

const faultTexts: Readonly<Record<Exclude<ChainFault["fault"], "gap">, string>> = {
  form: "it is no event",
  community: "it is another community's",
  previous: "it does not follow the event before it",
  hash: "it does not have the contents that were hashed",
  personal: "a field that names a person is not the one that was hashed",
};

/** @throws {event.chain_broken} */
function refuseFault(name: string, { fault }: ChainVerdict): void {
  if (fault === undefined) return;
  throw broken(name, fault.index, fault.fault === "gap" ? `event ${fault.expected} should stand here` : faultTexts[fault.fault]);
}

/** @throws {event.chain_broken} */
function refuseOther(name: string, { community }: ChainVerdict, expected: CommunityId): void {
  if (community !== undefined && community !== expected) throw broken(name, 1, faultTexts.community);
}

const broken = (community: string, index: number, detail: string): AppError =>
  new AppError("event.chain_broken", { community, index, detail });

/** JSON values, one a line; what is none is undefined. @throws {cli.usage} */
async function* linesOf(context: Context, file: string): AsyncGenerator<unknown> {
  const input: Readable = file === "-" ? context.host.stdin : createReadStream(resolve(context.host.cwd, file));
  const failed = new Promise<never>((_, reject) => {
    input.once("error", (error: NodeJS.ErrnoException) => reject(usageError(`${file} cannot be read (${error.code ?? error.message})`)));
  });
  // Seen where it is raced; a reader that stops earlier does not wait for it.
  failed.catch(() => undefined);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done === true) return;
    if (next.value.trim() !== "") yield parsed(next.value);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function exportLog(context: Context): Promise<void> {
  const community = communityOption(context);
  const output = textOption(context.options, "output");
  const client = await opened(context);
  const { exportEvents } = await import("@althing/client");
  const records = exportEvents(client, community);
  if (output === undefined) {
    const stream = context.output.stream();
    context.defer(() => stream.end());
    for await (const record of records) stream.item(record, safeJson(record));
    return;
  }
  const path = resolve(context.host.cwd, output);
  const events = await writeLines(path, records);
  context.output.result({ file: path, events }, `${events} events are in ${safeLine(output)}`);
}

/** @throws {cli.usage} */
async function writeLines(path: string, records: AsyncIterable<EventRecord>): Promise<number> {
  let count = 0;
  async function* lines(): AsyncGenerator<string> {
    for await (const record of records) {
      yield `${JSON.stringify(record)}\n`;
      count += 1;
    }
  }
  await writeNewFile(path, lines());
  return count;
}
