/**
 * The host of one invocation: what its guest may call, and what it used.
 *
 * Invariant: a capability is granted or the call is refused before its arguments are even looked at; nothing that a guest passes makes a call
 * reach farther than the head of the invocation allows. Refusals are typed errors to the guest and a line in its log, never a trap and never
 * an exception: the caller of `call` is the pipe to a process that may be hostile.
 */
import {
  AppError,
  brokerResults,
  isAppError,
  limits,
  type brokerAnswerSchema,
  type BrokerRequest,
  type ExecuteHead,
  type LogLine,
} from "@althing/contract";
import type { GuardedFetcher } from "@althing/extension/fetcher";
import { z } from "zod";
import type { HostAnswer, HostFunctions } from "../sandbox/index.ts";
import { brokerOperations, readArguments, type AskBroker } from "./broker-calls.ts";
import { createEgress, fetchArguments } from "./egress.ts";
import { createGuestLog } from "./guest-log.ts";
import { recordArguments, toMetric, type GuestMetric, type SeriesBook } from "./guest-metrics.ts";
import { createKnownSecrets } from "./known-secrets.ts";
import { printableText } from "./printable-text.ts";

export type BrokerAnswer = z.infer<typeof brokerAnswerSchema>;
/** Sends one request to the broker of the invocation. @throws when it cannot be reached or does not answer in the protocol */
export type BrokerTransport = (request: BrokerRequest, signal: AbortSignal) => Promise<BrokerAnswer>;

export interface InvocationHostOptions {
  readonly head: ExecuteHead;
  readonly fetcher: GuardedFetcher;
  readonly broker: BrokerTransport;
  readonly series: SeriesBook;
  /** Milliseconds of a clock that only goes forward. */
  readonly nowMs: () => number;
  /** Every host call: `ok` or the code that the guest got, how long it took, and its arguments as the guest gave them. */
  readonly onCall: (op: string, result: string, durationMs: number, args: readonly unknown[]) => void;
  /** A fault of the host itself; the guest learns only that the call failed. */
  readonly onFault: (op: string, error: unknown) => void;
}

export interface InvocationHost {
  readonly functions: HostFunctions;
  /** A line of the platform in the log of the invocation. */
  note(level: LogLine["level"], message: string): void;
  /** Takes secrets that the invocation came to know out of a text. */
  conceal(text: string): string;
  report(): {
    readonly log: readonly LogLine[];
    readonly metrics: readonly GuestMetric[];
    readonly fetches: number;
    readonly egressBytes: number;
  };
}

const capabilityOf: Readonly<Record<string, string>> = {
  "http.fetch": "http.fetch",
  "kv.get": "storage.kv",
  "kv.put": "storage.kv",
  "kv.delete": "storage.kv",
  "kv.list-entries": "storage.kv",
  "secrets.get": "secrets.get",
  "metrics.record": "metrics",
  "events.emit": "events.emit",
  "rooms.post": "rooms.post",
  "members.list-members": "members.read",
  "proposals.get": "proposals.read",
  "proposals.list-proposals": "proposals.read",
  "schedule.postpone": "schedule.manage",
};

/** Every host call there is. */
export const hostOperations: readonly string[] = ["log.write", ...Object.keys(capabilityOf)];

const logArguments = z.tuple([z.enum(["debug", "info", "warn", "error"]), z.string()]);
const errorTextMaxChars = 500;
/** Refusals that the log of the invocation shows, besides the guest being told. */
const noted = /^(?:capability\.denied|ext\.quota_exceeded|fetch\.(?:host_not_allowed|private_address|url_forbidden|redirect_refused))$/;

/** An error with a code the broker chose; codes of the hub need not be in this version's catalogue. */
class BrokerRefusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function createAsk(broker: BrokerTransport): AskBroker {
  return async (request, result, signal) => {
    const answer = await broker(request, signal);
    if ("error" in answer) throw new BrokerRefusal(answer.error.code, answer.error.message);
    return result.parse(answer.ok);
  };
}

export function createInvocationHost(options: InvocationHostOptions): InvocationHost {
  const { head, nowMs } = options;
  const startedAtMs = nowMs();
  const secrets = createKnownSecrets();
  const log = createGuestLog({
    maxBytes: Math.min(head.limits.logBytes, limits.extensionLogMaxBytes),
    elapsedMs: () => nowMs() - startedAtMs,
    conceal: (text) => secrets.conceal(text),
  });
  const granted = new Set(head.capabilities);
  const metrics: GuestMetric[] = [];
  const ask = createAsk(options.broker);
  const egress = createEgress({
    fetcher: options.fetcher,
    allowlist: head.egress,
    fetchesMax: head.limits.fetches,
    bytesMax: head.limits.egressBytes,
    secrets,
    secretsNamed: async (names, signal) =>
      (await ask({ op: "secrets.substitute", names: [...names] }, brokerResults["secrets.substitute"], signal)).secrets,
  });

  async function run(op: string, args: readonly unknown[], signal: AbortSignal): Promise<unknown> {
    if (op === "log.write") {
      log.write(...readArguments(op, logArguments, args));
      return undefined;
    }
    const capability = Object.hasOwn(capabilityOf, op) ? capabilityOf[op] : undefined;
    if (capability === undefined) throw new AppError("capability.bad_argument", { call: "host", detail: "there is no such call" });
    if (!granted.has(capability)) {
      throw new AppError("capability.denied", { capability, detail: "it is not granted, or not allowed by today's policy" });
    }
    if (op === "http.fetch") return egress.fetch(readArguments(op, fetchArguments, args)[0], signal);
    if (op === "metrics.record") {
      const metric = toMetric(readArguments(op, recordArguments, args));
      options.series.admit(head.install, metric);
      metrics.push(metric);
      return undefined;
    }
    const value = await brokerOperations[op]?.(args, ask, signal);
    if (op === "secrets.get" && typeof value === "string" && typeof args[0] === "string") secrets.remember(args[0], value);
    return value;
  }

  function explain(op: string, error: unknown, signal: AbortSignal): { readonly code: string; readonly message: string } {
    // A hub that is away is no business of the guest's.
    if ((isAppError(error) && error.code !== "ext.unavailable") || error instanceof BrokerRefusal) {
      return { code: error.code, message: printableText(secrets.conceal(error.message), errorTextMaxChars) };
    }
    if (!signal.aborted) options.onFault(op, error);
    return { code: "capability.unavailable", message: `${op} is not available just now` };
  }

  return {
    functions: {
      async call(op, args, signal): Promise<HostAnswer> {
        const calledAtMs = nowMs();
        const known = hostOperations.includes(op) ? op : "unknown";
        try {
          const ok = await run(op, args, signal);
          options.onCall(known, "ok", nowMs() - calledAtMs, args);
          return { ok };
        } catch (error) {
          const answer = explain(known, error, signal);
          if (noted.test(answer.code)) log.note("warn", `${known}: ${answer.code}: ${answer.message}`);
          options.onCall(known, answer.code, nowMs() - calledAtMs, args);
          return { error: answer };
        }
      },
    },
    note: (level, message) => log.note(level, message),
    conceal: (text) => secrets.conceal(text),
    report: () => ({ log: log.lines(), metrics, fetches: egress.fetches(), egressBytes: egress.bytes() }),
  };
}
