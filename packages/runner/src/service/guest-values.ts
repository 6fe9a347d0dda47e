/**
 * Values of the WIT world in the form of the glue: what `handle` gets, and what it may give back.
 *
 * Invariant: what comes back was made by a process that may have been taken over, so every field is checked here for kind and size, and an outcome must
 * be one that its call can have. Which status codes and headers the public sees is the gateway's policy.
 * Forms: records in camel case, variants as `{tag, val}`, options as the value or `undefined`, u64 as bigint, `list<u8>` as `Uint8Array`.
 */
import { limits, type ExecuteHead, type InvocationCall, type InvocationOutcome } from "@althing/contract";
import { z } from "zod";
import { printableText } from "../host/index.ts";

type Field = readonly [string, string];

const toFields = (fields: readonly Field[]) => fields.map(([name, value]) => ({ name, value }));

/** The record `context`. @param time RFC 3339 in UTC */
export function contextValue(head: ExecuteHead, time: string): object {
  const { requestId, community, extension, version, actor, settings } = head;
  return { requestId, community, extension, version, actor, settings, timeLimitMs: head.limits.timeMs, time };
}

/** The variant `invocation`. @param body of an `http` call */
export function invocationValue(call: InvocationCall, body: Uint8Array): object {
  switch (call.kind) {
    case "http": {
      const { method, path, query, params, headers } = call;
      return { tag: "http", val: { method, path, query, params: toFields(params), headers: toFields(headers), body } };
    }
    case "event": {
      const { topic, index, id, time, actor, subject, data, depth } = call;
      return { tag: "event", val: { topic, index: BigInt(index), id, time, actor, subject, data, depth } };
    }
    case "filter":
      return { tag: "filter", val: { point: call.point, payload: call.payload } };
    case "job":
      return { tag: "job", val: { name: call.name, slot: call.slot } };
  }
}

/** Text for people: a line of the history, the reason of a refusal. */
const shownMaxChars = 1_000;
/** An `accept`ed payload stands in the head of the answer. */
const payloadMaxBytes = 256 * 1_024;
const headersMax = 100;
/** A name and a value, `: ` and a line's end. */
const fieldOverheadBytes = 4;

const outcomeSchema = z.discriminatedUnion("tag", [
  z.object({
    tag: z.literal("response"),
    val: z.object({
      status: z.int().min(0).max(65_535),
      headers: z.array(z.object({ name: z.string(), value: z.string() })),
      body: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
    }),
  }),
  z.object({ tag: z.literal("done"), val: z.string() }),
  z.object({ tag: z.literal("accept"), val: z.string() }),
  z.object({ tag: z.literal("refuse"), val: z.string() }),
]);
type GuestOutcome = z.infer<typeof outcomeSchema>;

const fittingOutcomes: Readonly<Record<InvocationCall["kind"], readonly GuestOutcome["tag"][]>> = {
  http: ["response"],
  event: ["done"],
  filter: ["accept", "refuse"],
  job: ["done"],
};

export interface ReadOutcome {
  readonly outcome: InvocationOutcome;
  readonly body: Uint8Array;
}

const none = new Uint8Array();

function failed(code: Extract<InvocationOutcome, { kind: "failed" }>["code"], rule: string, detail: string): ReadOutcome {
  return { outcome: { kind: "failed", code, rule, detail }, body: none };
}

/** @param value the ok case of `handle`'s result, unchecked */
export function readOutcome(value: unknown, kind: InvocationCall["kind"], resultMaxBytes: number): ReadOutcome {
  const parsed = outcomeSchema.safeParse(value);
  if (!parsed.success) return failed("ext.trap", "outcome", "its answer is not of the interface");
  const { data } = parsed;
  if (!fittingOutcomes[kind].includes(data.tag))
    return failed("ext.trap", "outcome", `it answered "${data.tag}" to a call of kind ${kind}`);
  if (data.tag === "response") return readResponse(data.val, resultMaxBytes);
  const maxBytes = Math.min(payloadMaxBytes, resultMaxBytes);
  if (Buffer.byteLength(data.val) > maxBytes) return failed("ext.response_too_large", "result", `more than ${maxBytes} bytes`);
  switch (data.tag) {
    case "done":
      return { outcome: { kind: "done", note: printableText(data.val, shownMaxChars) }, body: none };
    case "accept":
      return { outcome: { kind: "accept", payload: data.val }, body: none };
    case "refuse":
      return { outcome: { kind: "refuse", reason: printableText(data.val, shownMaxChars) }, body: none };
  }
}

function readResponse(response: Extract<GuestOutcome, { tag: "response" }>["val"], resultMaxBytes: number): ReadOutcome {
  const { status, headers, body } = response;
  if (body.length > resultMaxBytes) return failed("ext.response_too_large", "result", `a body of more than ${resultMaxBytes} bytes`);
  if (headers.length > headersMax) return failed("ext.response_too_large", "headers", `more than ${headersMax} headers`);
  const headerBytes = headers.reduce(
    (sum, { name, value }) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + fieldOverheadBytes,
    0,
  );
  if (headerBytes > limits.extensionHeadersMaxBytes) {
    return failed("ext.response_too_large", "headers", `headers of more than ${limits.extensionHeadersMaxBytes} bytes`);
  }
  const fields = headers.map(({ name, value }): [string, string] => [name, value]);
  return { outcome: { kind: "response", status, headers: fields }, body };
}
