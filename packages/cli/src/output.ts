/**
 * The one place that writes to the terminal: results to stdout, prose to stderr.
 *
 * Invariant: with `--json` exactly one JSON value reaches stdout and nothing else; without it everything printed has passed `safeText`.
 * Streams of results are one JSON array written element by element, so that `tail --json` is both one value and live.
 */
import { isAppError, type AppError } from "@althing/contract";
import { safeJson, safeText } from "./terminal-text.ts";

export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface OutputOptions {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Results that come one by one. */
export interface ResultStream {
  item(value: unknown, text: string): void;
  /** Closes the JSON array; more calls do nothing. */
  end(): void;
}

export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** The command's one result. `text` is what a person reads; an empty text prints nothing. */
  result(value: unknown, text: string): void;
  stream(): ResultStream;
  /** A line on the way to the result; with --json it is part of the result instead and nothing is printed. */
  line(text: string): void;
  /** Progress and explanation; silent with --quiet. */
  prose(text: string): void;
  /** Something the person must know, --quiet or not. */
  warn(text: string): void;
  failure(error: unknown): void;
}

/** What `--json` shows of an error. */
export interface ErrorView {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly retry: boolean;
  readonly requestId?: string;
  readonly params?: AppError["params"];
  readonly faults?: AppError["faults"];
}

/** The id under which the hub's log has the request; the client library puts it on the error. */
function requestIdOf(error: AppError): string | undefined {
  const own: unknown = error.requestId ?? error.params["requestId"];
  return typeof own === "string" && own !== "" ? own : undefined;
}

export function viewError(error: unknown): ErrorView {
  if (!isAppError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      code: "system.internal",
      message: `Something failed inside: ${message}`,
      fix: "This is a defect; report it with the command you gave.",
      retry: false,
    };
  }
  const requestId = requestIdOf(error);
  return {
    code: error.code,
    message: error.message,
    fix: error.fix,
    retry: error.row.retry,
    ...(requestId === undefined ? {} : { requestId }),
    ...(Object.keys(error.params).length === 0 ? {} : { params: error.params }),
    ...(error.faults.length === 0 ? {} : { faults: error.faults }),
  };
}

function errorText(view: ErrorView): string {
  const faults = (view.faults ?? []).map((fault) => `  ${fault.path}: ${fault.message}\n`).join("");
  const request = view.requestId === undefined ? "" : `  request ${view.requestId}\n`;
  return `${view.message} [${view.code}]\n${faults}  ${view.fix}\n${request}`;
}

export function createOutput({ stdout, stderr, json, quiet }: OutputOptions): Output {
  let spent = false;
  let open: ResultStream | undefined;
  const print = (sink: TextSink, text: string): void => {
    if (text !== "") sink.write(safeText(text.endsWith("\n") ? text : `${text}\n`));
  };
  const once = (): void => {
    if (spent) throw new Error("a command has one result");
    spent = true;
  };
  return {
    json,
    quiet,
    result(value, text) {
      once();
      if (json) stdout.write(`${safeJson(value)}\n`);
      else print(stdout, text);
    },
    stream() {
      once();
      let count = 0;
      let ended = false;
      if (json) stdout.write("[");
      open = {
        item(value, text) {
          if (ended) return;
          if (json) stdout.write(`${count === 0 ? "\n" : ",\n"}${safeJson(value)}`);
          else print(stdout, text);
          count += 1;
        },
        end() {
          if (ended) return;
          ended = true;
          if (json) stdout.write(count === 0 ? "]\n" : "\n]\n");
        },
      };
      return open;
    },
    line(text) {
      if (!json) print(stdout, text);
    },
    prose(text) {
      if (!quiet) print(stderr, text);
    },
    warn(text) {
      print(stderr, text);
    },
    failure(error) {
      const view = viewError(error);
      open?.end();
      if (json && !spent) {
        spent = true;
        stdout.write(`${safeJson({ error: view })}\n`);
        return;
      }
      print(stderr, errorText(view));
    },
  };
}

/** Columns by the widest cell, two spaces apart; cells are made one line by the caller. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
