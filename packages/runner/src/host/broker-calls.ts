/**
 * Host calls that the hub's broker answers: data, secrets, events, rooms, members, proposals, schedule.
 *
 * Invariant: no argument names a community or an extension; the token of the invocation decides both, in the hub. Arguments come from a
 * process that may have been taken over, so each is checked by a schema; results are turned into the exact form the WIT promises.
 */
import { AppError, brokerResults, limits, type BrokerRequest } from "@althing/contract";
import { z } from "zod";

/** One question to the broker, and the form of its answer. @throws with the code and text of the broker's refusal */
export type AskBroker = <S extends z.ZodType>(request: BrokerRequest, result: S, signal: AbortSignal) => Promise<z.output<S>>;

/** A host call: arguments and results in the form of the glue. */
export type HostOperation = (args: readonly unknown[], ask: AskBroker, signal: AbortSignal) => Promise<unknown>;

const pageMax = 100;
const textMax = 64 * 1_024;

const text = (max: number) => z.string().max(max);
const option = <S extends z.ZodType>(schema: S) => schema.optional();
const revision = z
  .bigint()
  .min(0n)
  .max(BigInt(Number.MAX_SAFE_INTEGER))
  .transform((value) => Number(value));
const u32 = z.int().min(0).max(0xffff_ffff);
const pageSize = u32.min(1).transform((count) => Math.min(count, pageMax));
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes");

/** @throws {capability.bad_argument} naming the first fault */
export function readArguments<S extends z.ZodType>(call: string, schema: S, args: readonly unknown[]): z.output<S> {
  const parsed = schema.safeParse([...args]);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue === undefined || issue.path.length === 0 ? "arguments" : `argument ${issue.path.map(String).join(".")}`;
  throw new AppError("capability.bad_argument", { call, detail: `${place}: ${issue?.message ?? "not of its kind"}` });
}

function operation<S extends z.ZodType>(
  call: string,
  schema: S,
  run: (args: z.output<S>, ask: AskBroker, signal: AbortSignal) => Promise<unknown>,
): HostOperation {
  return async (args, ask, signal) => run(readArguments(call, schema, args), ask, signal);
}

function checkKey(key: string): void {
  if (Buffer.byteLength(key) > limits.kvKeyMaxBytes) throw new AppError("kv.too_large", { what: "key", limit: limits.kvKeyMaxBytes });
}

const toBytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

interface BrokerEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}
const toEntry = (entry: BrokerEntry) => ({ key: entry.key, value: toBytes(entry.value), revision: BigInt(entry.revision) });

/** By `interface.function` as in packages/contract/wit/extension.wit. */
export const brokerOperations: Readonly<Record<string, HostOperation>> = {
  "kv.get": operation("kv.get", z.tuple([text(textMax)]), async ([key], ask, signal) => {
    checkKey(key);
    const { entry } = await ask({ op: "kv.get", key }, brokerResults["kv.get"], signal);
    return entry === undefined ? undefined : toEntry(entry);
  }),
  "kv.put": operation(
    "kv.put",
    z.tuple([text(textMax), bytes, option(revision), option(u32.min(1))]),
    async ([key, value, expect, ttlSeconds], ask, signal) => {
      checkKey(key);
      if (value.length > limits.kvValueMaxBytes) throw new AppError("kv.too_large", { what: "value", limit: limits.kvValueMaxBytes });
      const given = { ...(expect === undefined ? {} : { expect }), ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
      const answer = await ask(
        { op: "kv.put", key, value: Buffer.from(value).toString("base64"), ...given },
        brokerResults["kv.put"],
        signal,
      );
      return BigInt(answer.revision);
    },
  ),
  "kv.delete": operation("kv.delete", z.tuple([text(textMax), option(revision)]), async ([key, expect], ask, signal) => {
    checkKey(key);
    await ask({ op: "kv.delete", key, ...(expect === undefined ? {} : { expect }) }, brokerResults["kv.delete"], signal);
    return undefined;
  }),
  "kv.list-entries": operation(
    "kv.list-entries",
    z.tuple([text(textMax), option(text(textMax)), pageSize]),
    async ([prefix, after, limit], ask, signal) => {
      checkKey(prefix);
      const page = await ask(
        { op: "kv.list-entries", prefix, limit, ...(after === undefined ? {} : { after }) },
        brokerResults["kv.list-entries"],
        signal,
      );
      return { entries: page.entries.map(toEntry), next: page.next };
    },
  ),
  "secrets.get": operation("secrets.get", z.tuple([text(64)]), async ([name], ask, signal) => {
    const { value } = await ask({ op: "secrets.get", name }, brokerResults["secrets.get"], signal);
    return value;
  }),
  "events.emit": operation(
    "events.emit",
    z.tuple([text(128), text(256), text(textMax)]),
    async ([topic, subject, data], ask, signal) =>
      (await ask({ op: "events.emit", topic, subject, data }, brokerResults["events.emit"], signal)).id,
  ),
  "rooms.post": operation(
    "rooms.post",
    z.tuple([text(128), text(textMax)]),
    async ([room, message], ask, signal) => (await ask({ op: "rooms.post", room, text: message }, brokerResults["rooms.post"], signal)).id,
  ),
  "members.list-members": operation("members.list-members", z.tuple([option(text(256)), pageSize]), async ([after, limit], ask, signal) => {
    const page = await ask(
      { op: "members.list-members", limit, ...(after === undefined ? {} : { after }) },
      brokerResults["members.list-members"],
      signal,
    );
    return { members: page.members, next: page.next };
  }),
  "proposals.get": operation(
    "proposals.get",
    z.tuple([text(128)]),
    async ([id], ask, signal) => (await ask({ op: "proposals.get", id }, brokerResults["proposals.get"], signal)).json,
  ),
  "proposals.list-proposals": operation(
    "proposals.list-proposals",
    z.tuple([option(text(256)), pageSize]),
    async ([after, limit], ask, signal) =>
      (
        await ask(
          { op: "proposals.list-proposals", limit, ...(after === undefined ? {} : { after }) },
          brokerResults["proposals.list-proposals"],
          signal,
        )
      ).json,
  ),
  "schedule.postpone": operation("schedule.postpone", z.tuple([text(64), text(64)]), async ([job, until], ask, signal) => {
    await ask({ op: "schedule.postpone", job, until }, brokerResults["schedule.postpone"], signal);
    return undefined;
  }),
};
